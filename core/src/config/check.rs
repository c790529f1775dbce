//! Ranges: values that parse but can't work are refused at the start, not met at night.

use super::{Config, ConfigError};

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    at_least(
        "http.max_body_bytes",
        config.http.max_body_bytes as u64,
        1024,
    )?;
    at_least("http.request_timeout_ms", config.http.request_timeout_ms, 1)?;
    let connections = config.http.max_connections;
    require(
        "http.max_connections",
        connections,
        (4..=65_536).contains(&connections),
        "4 to 65536",
    )?;
    let header_timeout = config.http.header_timeout().as_millis();
    require(
        "http.header_timeout_ms",
        header_timeout,
        (100..=300_000).contains(&header_timeout),
        "100 to 300000",
    )?;
    at_least(
        "http.idempotency.lease_ms",
        config.http.idempotency.lease_ms,
        1,
    )?;
    at_least(
        "http.idempotency.keep_days",
        u64::from(config.http.idempotency.keep_days),
        1,
    )?;
    at_least(
        "database.max_connections",
        u64::from(config.database.max_connections),
        2,
    )?;
    at_least(
        "database.acquire_timeout_ms",
        config.database.acquire_timeout_ms,
        1,
    )?;
    at_least("bus.prefetch", u64::from(config.bus.prefetch), 1)?;
    at_least("bus.concurrency", u64::from(config.bus.concurrency), 1)?;
    at_least(
        "bus.retry_short_ms",
        u64::from(config.bus.retry_short_ms),
        1,
    )?;
    at_least("bus.retry_long_ms", u64::from(config.bus.retry_long_ms), 1)?;
    at_least("bus.confirm_timeout_ms", config.bus.confirm_timeout_ms, 1)?;
    at_least("relay.batch", u64::from(config.relay.batch), 1)?;
    at_least("relay.poll_ms", config.relay.poll_ms, 1)?;
    at_least("process.roles", config.process.roles.len() as u64, 1)?;
    let factor = config.jobs.interval_factor;
    require(
        "jobs.interval_factor",
        factor,
        factor >= 0.0 && factor.is_finite(),
        "0 or more",
    )?;
    begins_with(
        "database.url",
        &config.database.url,
        &["postgres://", "postgresql://"],
    )?;
    for (name, own) in &config.database.contexts {
        begins_with(
            &format!("database.contexts.{name}.url"),
            &own.url,
            &["postgres://", "postgresql://"],
        )?;
    }
    begins_with("bus.url", &config.bus.url, &["amqp://", "amqps://"])?;
    begins_with(
        "http.public_url",
        &config.http.public_url,
        &["http://", "https://"],
    )?;
    super::fleet::check(config)?;
    super::sales::check(config)?;
    super::ticketing::check(config)?;
    for (index, issuer) in config.auth.issuers.iter().enumerate() {
        let key = format!("auth.issuers[{index}]");
        begins_with(
            &format!("{key}.issuer"),
            &issuer.issuer,
            &["http://", "https://"],
        )?;
        at_least(
            &format!("{key}.audiences"),
            issuer.audiences.len() as u64,
            1,
        )?;
    }
    Ok(())
}

pub(super) fn at_least(key: &str, value: u64, least: u64) -> Result<(), ConfigError> {
    require(key, value, value >= least, &format!("{least} or more"))
}

pub(super) fn begins_with(key: &str, value: &str, schemes: &[&str]) -> Result<(), ConfigError> {
    let fits = schemes.iter().any(|scheme| value.starts_with(scheme));
    // The value may hold a password: only its scheme is shown.
    let shown = value
        .split_once("://")
        .map_or("(no scheme)", |(scheme, _)| scheme);
    require(
        key,
        shown,
        fits,
        &format!("a URL that begins with {}", schemes.join(" or ")),
    )
}

pub(super) fn require(
    key: &str,
    value: impl std::fmt::Display,
    fits: bool,
    allowed: &str,
) -> Result<(), ConfigError> {
    if fits {
        return Ok(());
    }
    Err(ConfigError::NotAllowed {
        key: key.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}
