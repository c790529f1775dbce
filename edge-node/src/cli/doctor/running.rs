//! What the running node says of itself: whether it decides, and whether staff can sign in for the first time.

use std::time::Duration;

use eventify_protocol::{lan::NodeStatus, verdict::Mode};

use super::Finding;
use crate::{
    config::Config,
    control::{self, Request, Response, TriedSignIn},
};

/// Nothing of a node that does not run: the line about the port says so.
pub(super) async fn findings(config: &Config, status: Option<&NodeStatus>) -> Vec<Finding> {
    let mut findings: Vec<_> = status.map(mode).into_iter().collect();
    let last = control::send(&config.data_dir, &Request::SignIns).await;
    if let Ok(Response::SignIns { last }) = last {
        findings.push(sign_ins(last));
    }
    findings
}

/// None of a node that does not run.
pub(super) async fn status(config: &Config) -> Option<NodeStatus> {
    match control::send(&config.data_dir, &Request::Status).await {
        Ok(Response::Status { status }) => Some(*status),
        Ok(_) | Err(_) => None,
    }
}

fn mode(status: &NodeStatus) -> Finding {
    let reason = status.reason.as_deref().unwrap_or_default();
    match status.mode {
        Mode::Online => Finding::ok("mode", "Online: the core decides"),
        Mode::Degraded => {
            let limit = Duration::from_millis(status.max_cache_age_ms);
            let age = Duration::from_millis(status.cache_age_ms.unwrap_or_default());
            let left = limit.saturating_sub(age).as_secs();
            Finding::warn(
                "mode",
                format!(
                    "Degraded ({reason}): it decides alone for {left} s more, then it locks; bring the line to the \
                     core back"
                ),
            )
        }
        Mode::Resyncing => Finding::warn(
            "mode",
            format!(
                "Resyncing ({reason}): the core has yet to take over {} rows; it goes on by itself",
                status.journal.unacknowledged
            ),
        ),
        Mode::Locked => Finding::fail(
            "mode",
            format!(
                "Locked ({reason}): nobody is let in here; {}",
                unlock(reason)
            ),
        ),
    }
}

/// What to do about a lock, by the stable code of its reason.
fn unlock(reason: &str) -> &'static str {
    match reason {
        "revoked" => {
            "the core has revoked this node: if it belongs here, enrol a new one with a new code, in an empty folder"
        }
        "degraded_off" => {
            "the venue lets no gate decide alone (`maxCacheAgeMs` 0, here or at the core): bring the line to the core back"
        }
        "no_replica" => "it has no whole copy of the tickets yet: let it reach the core and wait",
        "journal_rows_lost" => {
            "rows of its journal are lost, and only the core knows whom they let in: let it reach the core and wait"
        }
        "clock_not_trusted" => {
            "its clocks prove nothing until the core has answered: let it reach the core"
        }
        "no_sync_point" => {
            "no answer of the core has matched its copy since the start: let it reach the core and wait"
        }
        "cache_too_old" => {
            "its copy of the tickets is older than it may be: bring the line to the core back"
        }
        "unacknowledged_admissions" => {
            "the core has not taken over whom it let in alone for too long: see the lines about the broker, and the \
             core's alarms"
        }
        _ => "see the node's log",
    }
}

fn sign_ins(last: Option<TriedSignIn>) -> Finding {
    let subject = "sign-in";
    match last {
        None => Finding::ok(
            subject,
            "nobody has begun one with the identity provider since the node's start",
        ),
        Some(TriedSignIn {
            worked: true,
            ago_seconds,
        }) => Finding::ok(
            subject,
            format!("the identity provider took the last one, {ago_seconds} s ago"),
        ),
        Some(TriedSignIn {
            worked: false,
            ago_seconds,
        }) => Finding::warn(
            subject,
            format!(
                "the identity provider can't be signed in with ({ago_seconds} s ago): who has a PIN here works on, \
                 nobody gets a new one; the core's log has the reason under `fleet.sign_in_not_configured` (no \
                 device flow) or `fleet.sign_in_unavailable`"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use eventify_sync::edge::Reason;

    use super::*;

    #[test]
    fn each_reason_of_a_lock_has_its_own_way_out() {
        let locked = [
            Reason::Revoked,
            Reason::DegradedOff,
            Reason::NoReplica,
            Reason::RowsLost,
            Reason::ClockNotTrusted,
            Reason::NoProof,
            Reason::CacheTooOld,
            Reason::Unacknowledged,
        ];
        for reason in locked {
            assert_ne!(unlock(reason.code()), unlock("?"), "{reason:?}");
        }
    }

    #[test]
    fn a_provider_that_takes_no_sign_in_is_a_warning_that_says_where_to_look() {
        let tried = |worked| {
            Some(TriedSignIn {
                worked,
                ago_seconds: 5,
            })
        };
        assert!(sign_ins(tried(true)).to_string().starts_with("ok "));
        assert!(sign_ins(None).to_string().starts_with("ok "));
        let broken = sign_ins(tried(false)).to_string();
        assert!(
            broken.starts_with("warn ") && broken.contains("fleet.sign_in_not_configured"),
            "{broken}"
        );
    }
}
