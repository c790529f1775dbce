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

/// S19, C15: what one of several issuers may do is said, and a successor is another one.
#[test]
fn several_issuers_each_name_their_roles_and_one_succeeds_another() {
    let key = "EVENTIFY_CORE__AUTH__ISSUERS";
    let issuer = |name: &str, more: &str| format!("{{ issuer = \"https://{name}\"{more} }}");
    let roles = ", roles = [\"CUSTOMER\"]";
    let after = |name: &str| format!("{roles}, succeeds = \"https://{name}\"");
    for (issuers, words) in [
        (
            vec![issuer("a", roles), issuer("b", "")],
            "auth.issuers[1].roles",
        ),
        (
            vec![issuer("a", roles), issuer("a", roles)],
            "each issuer once",
        ),
        (vec![issuer("a", ", roles = [\"KING\"]")], "KING"),
        (vec![issuer("a", &after("a"))], "auth.issuers[0].succeeds"),
        (
            vec![issuer("a", &after("x")), issuer("b", &after("x"))],
            "no second one",
        ),
    ] {
        let mistake = load(None, &[(key, &format!("[{}]", issuers.join(", ")))]).unwrap_err();
        assert!(
            mistake.contains(words),
            "'{words}' is missing in: {mistake}"
        );
    }
    for right in [
        vec![issuer("a", "")],
        vec![issuer("a", ", succeeds = \"https://gone\"")],
        vec![issuer("a", roles), issuer("b", &after("a"))],
    ] {
        let loaded = load(None, &[(key, &format!("[{}]", right.join(", ")))]);
        assert!(loaded.is_ok(), "{right:?}: {loaded:?}");
    }
}

/// Each of its certificates would be refused by the broker on the day on which it is made.
#[test]
fn an_authority_that_has_ended_stops_the_start_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let key = rcgen::KeyPair::generate().unwrap();
    let ended = |last_year: i32| {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 6, 30);
        params.self_signed(&key).unwrap().pem()
    };
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(path("ended.pem"), ended(2020)).unwrap();
    std::fs::write(path("good.pem"), ended(4000)).unwrap();
    std::fs::write(path("text.pem"), "no certificate").unwrap();
    let start = |device: &str, broker: &str| {
        let files = [
            ("DEVICE_AUTHORITY_CERTIFICATE", path(device)),
            ("DEVICE_AUTHORITY_KEY", path("key.pem")),
            ("MQTT_AUTHORITY", path(broker)),
        ];
        let variables = files.map(|(name, path)| (format!("EVENTIFY_CORE__FLEET__{name}"), path));
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_eventify-core"))
            .arg("run")
            .env_clear()
            .envs(variables)
            .output()
            .unwrap();
        (
            ended.status.code(),
            String::from_utf8(ended.stderr).unwrap(),
        )
    };
    for (device, broker, words) in [
        (
            "ended.pem",
            "good.pem",
            [
                "fleet.device_authority_certificate",
                "ended.pem",
                "2020-06-30",
                "same key",
            ],
        ),
        (
            "good.pem",
            "ended.pem",
            ["fleet.mqtt_authority", "ended.pem", "2020-06-30", "allowed"],
        ),
        (
            "good.pem",
            "text.pem",
            ["fleet.mqtt_authority", "text.pem", "PEM", "allowed"],
        ),
    ] {
        let (code, mistake) = start(device, broker);
        for word in words {
            assert!(mistake.contains(word), "'{word}' is missing in: {mistake}");
        }
        assert_eq!(code, Some(78), "{mistake}");
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
