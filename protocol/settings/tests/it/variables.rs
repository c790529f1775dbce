use crate::{load, mistake};

#[test]
fn a_misspelt_variable_stops_the_start() {
    for name in [
        "EVENTIFY_SHOP_HTTP__LISTEN",
        "EVENTIFY_SHOP_HTTP_LISTEN",
        "EVENTIFY_SHOPHTTP_LISTEN",
        "EVENTIFY_SHPO__HTTP__LISTEN",
        "EVENTIFY__HTTP__LISTEN",
        "EVENTIFY_SHOP_CONFG",
        "EVENTIFY_SHOP_HTTP_PORT",
        "eventify_shop__http__listen",
    ] {
        assert_eq!(
            mistake("", &[(name, "8080")]),
            format!(
                "environment variable {name}: nothing reads it; allowed are \
                 EVENTIFY_SHOP__SECTION__KEY (upper case, two underscores) and EVENTIFY_SHOP_CONFIG"
            )
        );
    }
}

#[test]
fn variables_of_others_are_ignored() {
    for (name, value) in [
        ("PATH", "/bin"),
        ("EVENTIFY_SHOP_CONFIG", "shop.toml"),
        ("EVENTIFY_EDGE__LAN__LISTEN", "0.0.0.0:1"),
        ("EVENTIFY_STACK", "{}"),
        // Kubernetes, for a service named `eventify-shop`.
        ("EVENTIFY_SHOP_SERVICE_HOST", "10.0.0.1"),
        ("EVENTIFY_SHOP_SERVICE_PORT_HTTP", "8080"),
        ("EVENTIFY_SHOP_PORT", "tcp://10.0.0.1:8080"),
        ("EVENTIFY_SHOP_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ] {
        assert!(load("", &[(name, value)]).is_ok(), "{name}");
    }
}
