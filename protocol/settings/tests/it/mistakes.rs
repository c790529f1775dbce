use std::path::Path;

use eventify_settings::read_file;

use crate::{mistake, settings};

#[test]
fn a_mistake_names_where_it_was_made_key_value_and_what_is_allowed() {
    for (file, variable, expected) in [
        (
            "[http]\nlisten_on = 'x'",
            None,
            "shop.toml: http.listen_on: there is no such setting; allowed here: http.listen, \
             http.max_connections, http.public_url",
        ),
        (
            "[htp]\nlisten = 'x'",
            None,
            "shop.toml: htp: there is no such setting; allowed here: database, http, jobs, payment",
        ),
        (
            "",
            Some(("EVENTIFY_SHOP__HTP__LISTEN", "x")),
            "EVENTIFY_SHOP__HTP__LISTEN: htp: there is no such setting; allowed here: database, http, \
             jobs, payment",
        ),
        (
            "http = 3",
            None,
            "shop.toml: http = 3: allowed is a value of type table",
        ),
        (
            "[http]\nlisten = 5",
            None,
            "shop.toml: http.listen = 5: allowed is a value of type string",
        ),
        (
            "[http]\nlisten = 'here'",
            None,
            "shop.toml: http.listen = \"here\": allowed is ADDRESS:PORT, such as 0.0.0.0:8080",
        ),
        (
            "",
            Some(("EVENTIFY_SHOP__HTTP__MAX_CONNECTIONS", "many")),
            "EVENTIFY_SHOP__HTTP__MAX_CONNECTIONS: http.max_connections = \"many\": allowed is an \
             integer from 1 to 1024",
        ),
        (
            "",
            Some(("EVENTIFY_SHOP__HTTP__MAX_CONNECTIONS", "70000")),
            "EVENTIFY_SHOP__HTTP__MAX_CONNECTIONS: http.max_connections = 70000: allowed is 1 to \
             1024",
        ),
        (
            "",
            Some(("EVENTIFY_SHOP__JOBS__ROLES", "[\"serve\", \"dance\"]")),
            "EVENTIFY_SHOP__JOBS__ROLES: jobs.roles[1] = \"dance\": allowed is `serve` or `work`",
        ),
        (
            "[http]\nlisten = '[::]:1'\nlisten",
            None,
            "shop.toml: not valid TOML at line 3, column 7: key with no value, expected `=`",
        ),
    ] {
        let variables: Vec<_> = variable.into_iter().collect();
        assert_eq!(mistake(file, &variables), expected);
    }
    let absent = read_file(Path::new("/nowhere/shop.toml")).unwrap_err();
    assert!(
        absent
            .to_string()
            .starts_with("reading /nowhere/shop.toml: ")
    );
}

#[test]
fn conditions_of_the_program_are_reported_in_the_same_way() {
    let variables = [("EVENTIFY_SHOP__HTTP__PUBLIC_URL", "ftp://user:pass@shop")];
    let settings = settings("", &variables).unwrap();
    let refused =
        |result: Result<(), eventify_settings::SettingsError>| result.unwrap_err().to_string();
    let url = settings.require_url(
        "http.public_url",
        "ftp://user:pass@shop",
        &["http://", "https://"],
    );
    assert_eq!(
        refused(url),
        "EVENTIFY_SHOP__HTTP__PUBLIC_URL: http.public_url = ftp: allowed is a URL that begins with \
         http:// or https://"
    );
    let factor = settings.require("jobs.factor", 1.0, false, "0 to 0.5");
    assert_eq!(
        refused(factor),
        "the defaults: jobs.factor = 1: allowed is 0 to 0.5"
    );
    assert!(
        settings
            .require("jobs.factor", 1.0, true, "anything")
            .is_ok()
    );
}

#[test]
fn a_secret_is_never_shown() {
    const SECRET: &str = "sk_live_1";
    for (file, variable) in [
        // A list that was written as text, and the other way round.
        (
            "",
            Some(("EVENTIFY_SHOP__PAYMENT__WEBHOOK_SECRETS", SECRET)),
        ),
        ("[payment]\nsecret_key = ['sk_live_1']", None),
        // One level too high, one too low.
        ("payment = 'sk_live_1'", None),
        ("[payment]\nwebhook_secrets = [['sk_live_1']]", None),
        ("[database.contexts]\norder = 'sk_live_1'", None),
        ("[database.contexts.order]\nurl = ['sk_live_1']", None),
        ("", Some(("EVENTIFY_SHOP__PAYMENT__SECRET_KEY__X", SECRET))),
        // The line itself does not stand in the message.
        ("[payment]\nsecret_key = \"sk_live_1", None),
        ("[payment]\nsecret_key = sk_live_1", None),
    ] {
        let variables: Vec<_> = variable.into_iter().collect();
        let message = mistake(file, &variables);
        assert!(!message.contains(SECRET), "{message}");
        assert!(
            message.contains("payment") || message.contains("database") || message.contains("line"),
            "{message}"
        );
    }
}
