//! Settings that are text of a certain form.

use std::net::Ipv6Addr;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// `HOST:PORT`, or nothing.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the text is allowed"
)]
pub(super) fn host_and_port_if_any(text: &str) -> Option<Option<(String, u16)>> {
    if text.is_empty() {
        return Some(None);
    }
    host_and_port(text).map(Some)
}

/// A name or an address, and a port. An IPv6 address stands in brackets.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_good = match bare {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    (is_good && port != 0).then(|| (bare.unwrap_or(host).to_owned(), port))
}

fn is_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.bytes().all(allowed)
}

/// A filter that says what it seems to. `tracing` takes a misspelt level for the name of a module
/// of which everything is wanted, so a module must come with its level here.
pub(super) fn log_filter(text: &str) -> Option<String> {
    let good = text.split(',').all(says_level) && text.parse::<EnvFilter>().is_ok();
    good.then(|| text.to_owned())
}

fn says_level(directive: &str) -> bool {
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let is_module = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed)
    };
    match directive.rsplit_once('=') {
        None => is_level(directive),
        // A span, `[name{field=value}]=level`, is for `tracing` to judge.
        Some((what, level)) => is_level(level) && (what.ends_with(']') || is_module(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_and_nothing_more() {
        for (text, host) in [
            ("gate.example.org:8443", "gate.example.org"),
            ("10.0.0.1:8443", "10.0.0.1"),
            ("[fd00::1]:8443", "fd00::1"),
        ] {
            assert_eq!(host_and_port(text), Some((host.to_owned(), 8443)), "{text}");
        }
        for text in [
            "gate",
            ":8443",
            "gate:0",
            "gate:65536",
            "https://gate:8443",
            "//gate:8443",
            "user@gate:8443",
            "gate :8443",
            "gate:8443/",
            "fd00::1:8443",
            "[gate]:8443",
        ] {
            assert_eq!(host_and_port(text), None, "{text}");
        }
        assert_eq!(host_and_port_if_any(""), Some(None));
    }

    #[test]
    fn a_filter_with_a_misspelt_word_is_refused() {
        for good in [
            "info",
            "off",
            "info,rusqlite_migration=warn",
            "warn,eventify_edge::link=trace",
            "[scan{gate=1}]=debug,info",
        ] {
            assert!(log_filter(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "infoo",
            "eventify_edge",
            "info,",
            "info, eventify_edge=debug",
            "info;eventify_edge=debug",
            "info,eventify_edge=debgu",
            "info eventify_edge=debug",
        ] {
            assert!(log_filter(bad).is_none(), "{bad}");
        }
    }
}
