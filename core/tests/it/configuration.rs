//! A configuration mistake stops the start with the key, the value and what is allowed.

use eventify_core::config::Config;
use eventify_kernel::config::Role;

use crate::world::{made, product};

fn load(file: Option<&str>, env: &[(&str, &str)]) -> Result<Config, String> {
    let env = env
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Config::load(file, env).map_err(|error| error.to_string())
}

#[test]
fn the_default_is_complete_and_good() {
    let config = load(None, &[]).unwrap();
    assert!(config.kernel.process.has(Role::Serve) && config.kernel.process.has(Role::Relay));
    assert_eq!(
        config.kernel.database.url_of("order"),
        config.kernel.database.url
    );
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_default() {
    let file = "[http]\nlisten = '127.0.0.1:1'\n[bus]\nprefetch = 3\n\
                [database.contexts.order]\nurl = 'postgres://other/order'";
    let config = load(
        Some(file),
        &[
            ("EVENTIFY_CORE__HTTP__LISTEN", "127.0.0.1:2"),
            ("EVENTIFY_CORE__PROCESS__ROLES", "[\"serve\"]"),
            ("EVENTIFY_CORE__JOBS__INTERVAL_FACTOR", "2"),
            (
                "EVENTIFY_CORE__DATABASE__CONTEXTS__PAYMENT__URL",
                "postgres://other/payment",
            ),
            (
                "EVENTIFY_CORE__AUTH__ISSUERS",
                "[{ issuer = \"https://idp.example\" }]",
            ),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.kernel.http.listen.port(), 2);
    assert_eq!(config.kernel.bus.prefetch, 3);
    assert_eq!(config.kernel.process.roles, [Role::Serve]);
    assert_eq!(
        config.kernel.database.url_of("order"),
        "postgres://other/order"
    );
    assert_eq!(
        config.kernel.database.url_of("payment"),
        "postgres://other/payment"
    );
    assert_eq!(config.kernel.auth.issuers[0].audiences, ["eventify-core"]);
}

#[test]
fn mistakes_are_named_with_key_value_and_what_is_allowed() {
    for (file, env, words) in [
        (
            "[http]\nlisten_on = 'x'",
            ("", ""),
            vec!["http.listen_on", "allowed", "listen"],
        ),
        (
            "[http]\nlisten = 5",
            ("", ""),
            vec!["http.listen", "5", "string"],
        ),
        (
            "[bus]\nprefetch = 0",
            ("", ""),
            vec!["bus.prefetch", "0", "1 to 10000"],
        ),
        (
            "",
            ("EVENTIFY_CORE__BUS__PREFETCH", "many"),
            vec!["bus.prefetch", "many", "integer"],
        ),
        (
            "",
            ("EVENTIFY_CORE__BUZ__PREFETCH", "1"),
            vec!["buz", "bus"],
        ),
        (
            "",
            (
                "EVENTIFY_CORE__DATABASE__URL",
                "mysql://user:secret@host/db",
            ),
            vec!["database.url", "mysql", "postgres://"],
        ),
        (
            "",
            ("EVENTIFY_CORE__HTTP__LISTEN", "nowhere"),
            vec!["nowhere", "http.listen", "allowed is ADDRESS:PORT"],
        ),
        (
            "",
            ("EVENTIFY_CORE__PROCESS__ROLES", "[\"dance\"]"),
            vec!["dance", "process.roles", "allowed is one of", "`serve`"],
        ),
        ("not toml", ("", ""), vec!["TOML"]),
    ] {
        let mistake = load(Some(file), &[env]).unwrap_err();
        for word in words {
            assert!(mistake.contains(word), "'{word}' is missing in: {mistake}");
        }
        assert!(!mistake.contains("secret"), "{mistake}");
    }
}

/// S12: with an empty secret anybody could sign, so nothing starts with one.
#[test]
fn an_empty_webhook_secret_stops_the_start() {
    let key = "EVENTIFY_CORE__PAYMENT__STRIPE__WEBHOOK_SECRETS";
    let good = "whsec_0123456789abcdef01";
    assert_eq!(good.len(), 24);
    for wrong in [
        r#"[""]"#.to_owned(),
        r#"["whsec_"]"#.to_owned(),
        r#"["whsec_of_23_characters_"]"#.to_owned(),
        r#"["sk_live_0123456789abcdef0123456789"]"#.to_owned(),
        format!(r#"["{good}", ""]"#),
    ] {
        let mistake = load(None, &[(key, &wrong)]).unwrap_err();
        for word in ["payment.stripe.webhook_secrets", "whsec_", "24 characters"] {
            assert!(mistake.contains(word), "'{word}' is missing in: {mistake}");
        }
        for secret in ["of_23", "sk_live", "0123456789"] {
            assert!(!mistake.contains(secret), "{mistake}");
        }
    }
    for right in ["[]".to_owned(), format!(r#"["{good}"]"#)] {
        assert!(load(None, &[(key, &right)]).is_ok(), "{right}");
    }
}

#[test]
fn an_address_that_can_not_be_read_is_named_without_its_password() {
    let whole_database = "postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    for (file, key, allowed) in [
        (
            "[database]\nurl = 'postgres://user:secret@host:port/db'",
            "database.url",
            whole_database,
        ),
        (
            "[database.contexts.order]\nurl = 'postgres://u:secret@host/db?sslmode=secret'",
            "database.contexts.order.url",
            whole_database,
        ),
        (
            "[bus]\nurl = 'amqp://user:secret@host:port/%2f'",
            "bus.url",
            "amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST",
        ),
        (
            "[database.contexts]\norder = 'postgres://user:secret@host/db'",
            "database.contexts.order",
            "a table",
        ),
    ] {
        let mistake = load(Some(file), &[]).unwrap_err();
        let end = format!("{key} = (hidden): allowed is {allowed}");
        assert!(mistake.ends_with(&end), "{mistake}");
    }
}

#[test]
fn a_database_is_given_to_contexts_that_exist() {
    let file = "[database.contexts.ticketting]\nurl = 'postgres://other/tickets'";
    let config = load(Some(file), &[]).unwrap();
    let names: Vec<_> = made(product).iter().map(|context| context.name).collect();
    let mistake = config
        .kernel
        .database
        .must_know(&names)
        .unwrap_err()
        .to_string();
    for word in ["database.contexts.ticketting", "allowed", "ticketing"] {
        assert!(mistake.contains(word), "'{word}' is missing in: {mistake}");
    }
    let good = file.replace("ticketting", "ticketing");
    let config = load(Some(&good), &[]).unwrap();
    assert!(config.kernel.database.must_know(&names).is_ok());
}
