//! The table of routes as text: `eventify-core routes`.

use std::fmt::Write as _;

use super::policy::{Access, KeyRule, Policy, Rate};
use super::routes::RouteInfo;
use crate::auth::Role;

const HEAD: [&str; 6] = [
    "METHOD",
    "PATH",
    "IDEMPOTENCY-KEY",
    "LIMIT",
    "SCOPES",
    "WHO",
];
const LEGEND: &str = "
IDEMPOTENCY-KEY: a header; required, accepted, or without a meaning (-).
LIMIT: http.rate_limits.normal_* or strict_* of the configuration, per caller or address.
WHO, then the owner that the caller must be. \"anybody\" needs no token, \"signed in\" any good one; a
proof is something else that the request carries. An administrator owns everything.
POST /fleet/enrolments is answered at fleet.enrolment_listen, all others at http.listen.";

/// All routes by path, one a line, in columns.
#[must_use]
pub fn listing<'a>(routes: impl IntoIterator<Item = &'a RouteInfo>) -> String {
    let mut rows: Vec<[String; 6]> = routes
        .into_iter()
        .map(|route| {
            let policy = &route.policy;
            [
                route.method.to_string(),
                route.path.to_owned(),
                key(policy.key).to_owned(),
                limit(policy.rate).to_owned(),
                or_dash(policy.scopes.join(" ")),
                who(policy),
            ]
        })
        .collect();
    rows.sort_by(|a, b| (&a[1], &a[0]).cmp(&(&b[1], &b[0])));
    rows.insert(0, HEAD.map(str::to_owned));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _never_fails = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text + LEGEND
}

pub(super) fn who(policy: &Policy) -> String {
    let who = match policy.access {
        Access::Public => "anybody".to_owned(),
        Access::SignedIn => "signed in".to_owned(),
        Access::Roles(roles) => Role::list(roles),
        Access::Proof(what) => format!("proof: {what}"),
    };
    match policy.owner {
        Some(owner) => format!("{who}; {owner}"),
        None => who,
    }
}

fn key(rule: KeyRule) -> &'static str {
    match rule {
        KeyRule::Required => "required",
        KeyRule::Accepted => "accepted",
        KeyRule::Ignored => "-",
    }
}

fn limit(rate: Rate) -> &'static str {
    match rate {
        Rate::Normal => "normal",
        Rate::Strict => "strict",
        Rate::Unlimited => "-",
    }
}

fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}
