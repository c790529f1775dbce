use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load_file(None, variables)
}

fn load_file(file: Option<&Path>, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(file, variables)
}

fn mistake(name: &str, value: &str) -> String {
    load(&[(name, value)]).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_allowed_values() {
    let config = load(&[("PATH", "/bin")]).unwrap();
    assert_eq!(config.admission.max_cache_age, MAX_CACHE_AGE);
    assert_eq!(config.lan.listen.port(), 8443);
    let limited = LIMITS.iter().map(|(key, _)| (*key).to_owned());
    assert_eq!(PROGRAM.number_keys(), limited.collect());
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    let text = "[lan]\nlisten = \"127.0.0.1:1\"\nmax_connections = 9\n";
    std::fs::write(&path, text).unwrap();
    let variable = ("EVENTIFY_EDGE__LAN__LISTEN", "127.0.0.1:2");
    let config = load_file(Some(&path), &[variable]).unwrap();
    assert_eq!(config.lan.listen.port(), 2);
    assert_eq!(config.lan.max_connections, 9);
}

#[test]
fn the_setting_of_the_broker_replaces_the_address_of_the_enrolment() {
    assert_eq!(load(&[]).unwrap().broker, None);
    let set = load(&[("EVENTIFY_EDGE__LINK__BROKER", "tunnel.example.org:9883")]).unwrap();
    assert_eq!(set.broker, Some(("tunnel.example.org".to_owned(), 9883)));
    assert!(load(&[("EVENTIFY_EDGE__LINK__BROKER", "tunnel.example.org")]).is_err());
}

#[test]
fn the_limit_can_be_lowered_and_never_raised() {
    let lowered = load(&[("EVENTIFY_EDGE__ADMISSION__MAX_CACHE_AGE_MS", "20000")]).unwrap();
    assert_eq!(lowered.admission.max_cache_age, Duration::from_secs(20));
    let raised = mistake("EVENTIFY_EDGE__ADMISSION__MAX_CACHE_AGE_MS", "300001");
    for part in [
        "admission.max_cache_age_ms",
        "300001",
        "MAX_CACHE_AGE_MS",
        "0 to 300000",
    ] {
        assert!(raised.contains(part), "{raised}");
    }
}

#[test]
fn mistakes_name_key_value_and_what_is_allowed() {
    for (name, value, parts) in [
        ("LAN__LISTENER", "x", ["lan.listener", "lan.listen,"]),
        ("LAN__MAX_CONNECTIONS", "many", ["\"many\"", "8 to 4096"]),
        ("LAN__LISTEN", "here", ["\"here\"", "ADDRESS:PORT"]),
        ("LOG__FORMAT", "xml", ["\"xml\"", "`json`"]),
    ] {
        let message = mistake(&format!("EVENTIFY_EDGE__{name}"), value);
        for part in parts {
            assert!(message.contains(part), "'{part}' is missing in: {message}");
        }
    }
}

#[test]
fn what_can_not_have_been_meant_stops_the_start() {
    for (name, value, parts) in [
        (
            "EVENTIFY_EDGE__JOURNAL__MAX_BYTES",
            "1048576",
            ["journal.reserve_bytes", "16777216", "less than"],
        ),
        (
            "EVENTIFY_EDGE__LOG__FILTER",
            "infoo",
            ["log.filter", "infoo", "eventify_edge=debug"],
        ),
        (
            "EVENTIFY_EDGE__LAN__ADVERTISE",
            "https://gate:8443",
            ["lan.advertise", "https://gate:8443", "HOST:PORT"],
        ),
        (
            "EVENTIFY_EDGE_LAN__LISTEN",
            "0.0.0.0:1",
            [
                "EVENTIFY_EDGE_LAN__LISTEN",
                "nothing reads it",
                "EVENTIFY_EDGE__SECTION__KEY",
            ],
        ),
        (
            "EVENTIFY_EGDE__LAN__LISTEN",
            "0.0.0.0:1",
            [
                "EVENTIFY_EGDE__LAN__LISTEN",
                "nothing reads it",
                "EVENTIFY_EDGE_CONFIG",
            ],
        ),
        (
            "eventify_edge__lan__listen",
            "0.0.0.0:1",
            [
                "eventify_edge__lan__listen",
                "upper case",
                "two underscores",
            ],
        ),
    ] {
        let message = mistake(name, value);
        for part in parts {
            assert!(message.contains(part), "'{part}' is missing in: {message}");
        }
    }
    for name in [
        "EVENTIFY_EDGE_CONFIG",
        "EVENTIFY_CORE__HTTP__LISTEN",
        "EVENTIFY_STACK",
    ] {
        assert!(load(&[(name, "x")]).is_ok(), "{name}");
    }
}

#[test]
fn a_file_with_an_unknown_section_or_a_wrong_type_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    for (text, expected) in [
        ("[lann]\nlisten = \"x\"\n", "lann: there is no such setting"),
        ("lan = 3\n", "lan = 3: allowed is a value of type table"),
        ("[lan]\nmax_connections = \"9\"\n", "lan.max_connections"),
        ("[lan\n", "not valid TOML at line 1"),
    ] {
        std::fs::write(&path, text).unwrap();
        let message = load_file(Some(&path), &[]).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("edge.toml"), "{message}");
    }
}
