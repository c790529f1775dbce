//! Layers, and the one line that a mistake is reported with.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mistakes;
mod variables;

use std::{collections::BTreeMap, net::SocketAddr};

use eventify_settings::{File, Program, Settings, SettingsError};
use serde::Deserialize;

static PROGRAM: Program = Program {
    defaults: r#"
[http]
listen = "127.0.0.1:80"
public_url = "http://127.0.0.1"
max_connections = 64

[jobs]
roles = ["serve"]
factor = 1.0

[payment]
secret_key = "sk_unset"
webhook_secrets = []

[database.contexts]
"#,
    prefix: "EVENTIFY_SHOP__",
    file_variable: "EVENTIFY_SHOP_CONFIG",
    neighbours: &["EVENTIFY_EDGE__"],
    open_tables: &["database.contexts"],
    secrets: &[
        "payment.secret_key",
        "payment.webhook_secrets",
        "database.contexts",
    ],
    limits: &[("http.max_connections", 1..=1_024)],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    http: Http,
    jobs: Jobs,
    payment: Payment,
    database: Database,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    listen: SocketAddr,
    public_url: String,
    max_connections: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    roles: Vec<Role>,
    factor: f64,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    Serve,
    Work,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    secret_key: String,
    webhook_secrets: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    contexts: BTreeMap<String, Context>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    url: String,
}

fn settings(text: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let name = "shop.toml";
    PROGRAM.load(Some(File { name, text }), variables)
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, SettingsError> {
    settings(text, variables)?.read()
}

fn mistake(text: &str, variables: &[(&str, &str)]) -> String {
    load(text, variables).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_complete() {
    let config = load("", &[("PATH", "/bin")]).unwrap();
    assert_eq!(config.http.listen.port(), 80);
    assert_eq!(config.http.public_url, "http://127.0.0.1");
    assert_eq!(config.payment.secret_key, "sk_unset");
    assert_eq!(config.payment.webhook_secrets, Vec::<String>::new());
    assert!(config.database.contexts.is_empty());
    let limited = PROGRAM.limits.iter().map(|(key, _)| (*key).to_owned());
    assert_eq!(PROGRAM.number_keys(), limited.collect());
}

#[test]
fn variables_replace_the_file_and_the_file_replaces_the_defaults() {
    let file = "[http]\nlisten = '127.0.0.1:1'\nmax_connections = 9\n\
                [database.contexts.order]\nurl = 'postgres://other/order'\n";
    let config = load(
        file,
        &[
            ("EVENTIFY_SHOP__HTTP__LISTEN", "127.0.0.1:2"),
            ("EVENTIFY_SHOP__JOBS__ROLES", "[\"work\"]"),
            ("EVENTIFY_SHOP__JOBS__FACTOR", "2"),
            (
                "EVENTIFY_SHOP__DATABASE__CONTEXTS__PAYMENT__URL",
                "postgres://other/payment",
            ),
        ],
    )
    .unwrap();
    assert_eq!(config.http.listen.port(), 2);
    assert_eq!(config.http.max_connections, 9);
    assert_eq!(config.jobs.roles, [Role::Work]);
    assert!((config.jobs.factor - 2.0).abs() < f64::EPSILON);
    let url = |context: &str| config.database.contexts[context].url.clone();
    assert_eq!(url("order"), "postgres://other/order");
    assert_eq!(url("payment"), "postgres://other/payment");
}

#[test]
fn debug_output_shows_no_values() {
    let settings = settings("", &[("EVENTIFY_SHOP__PAYMENT__SECRET_KEY", "sk_live_1")]).unwrap();
    let shown = format!("{settings:?}");
    assert!(shown.contains("payment.secret_key") && !shown.contains("sk_live_1"));
}
