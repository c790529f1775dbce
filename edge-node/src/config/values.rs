//! Values that are more than a number or any text. An error that begins with "expected" says what
//! the start's message gives as allowed.

use std::{net::Ipv6Addr, path::PathBuf, time::Duration};

use serde::{Deserialize as _, Deserializer, de::Error as _};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

pub(super) fn millis<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    u64::deserialize(value).map(Duration::from_millis)
}

pub(super) fn days<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    const DAY: u64 = 24 * 3_600;
    u64::deserialize(value).map(|days| Duration::from_secs(days.saturating_mul(DAY)))
}

pub(super) fn path<'de, D: Deserializer<'de>>(value: D) -> Result<PathBuf, D::Error> {
    text(value, "a path that is not empty", |text| {
        (!text.is_empty()).then(|| PathBuf::from(text))
    })
}

/// Host and port; none if the text is empty.
pub(super) fn address<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<(String, u16)>, D::Error> {
    text_or_none(value, host_and_port)
}

/// `HOST:PORT` as written; none if the text is empty.
pub(super) fn address_text<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<String>, D::Error> {
    text_or_none(value, |text| host_and_port(text).map(|_| text.to_owned()))
}

pub(super) fn log_filter<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    const EXPECTED: &str =
        "error, warn, info, debug, trace, off, or a list such as \"info,eventify_edge=debug\"";
    text(value, EXPECTED, |text| {
        is_log_filter(text).then(|| text.to_owned())
    })
}

fn text_or_none<'de, D: Deserializer<'de>, T>(
    value: D,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    text(value, "HOST:PORT, or empty", |text| {
        if text.is_empty() {
            Some(None)
        } else {
            read(text).map(Some)
        }
    })
}

fn text<'de, D: Deserializer<'de>, T>(
    value: D,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(value)?;
    read(&text).ok_or_else(|| D::Error::custom(format_args!("expected {expected}")))
}

/// A name or an address, and a port. An IPv6 address stands in brackets.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_good = match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    (is_good && port != 0).then(|| (in_brackets.unwrap_or(host).to_owned(), port))
}

fn is_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.bytes().all(allowed)
}

/// `tracing` takes a misspelt level for the name of a module of which everything is wanted, so here
/// a module must come with its level.
fn is_log_filter(text: &str) -> bool {
    text.split(',').all(has_level) && text.parse::<EnvFilter>().is_ok()
}

fn has_level(directive: &str) -> bool {
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let is_module = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed)
    };
    match directive.rsplit_once('=') {
        None => is_level(directive),
        // A span, `[name{field=value}]=level`, is checked by `tracing`.
        Some((target, level)) => is_level(level) && (target.ends_with(']') || is_module(target)),
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
            assert!(is_log_filter(good), "{good}");
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
            assert!(!is_log_filter(bad), "{bad}");
        }
    }
}
