//! Texts that parse but can't work.

use eventify_settings::Settings;

use super::{Config, ConfigError, Issuer};
use crate::{bus, db, http, mail};

/// Slower than that, the daily jobs would run once a quarter.
const MAX_FACTOR: f64 = 100.0;
const ADDRESS: &str = "a mail address, like Eventify <eventify@example.org>";

pub(super) fn kernel(config: &Config, settings: &Settings) -> Result<(), ConfigError> {
    let roles = &config.process.roles;
    let allowed = "one or more of serve, work, relay and migrate";
    settings.require("process.roles", "[]", !roles.is_empty(), allowed)?;
    let factor = config.jobs.interval_factor;
    settings.require(
        "jobs.interval_factor",
        factor,
        (0.0..=MAX_FACTOR).contains(&factor),
        &format!("0 to {MAX_FACTOR}"),
    )?;
    let postgres = &["postgres://", "postgresql://"];
    let whole = "postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    let must_be_database = |key: &str, url: &str| {
        settings.require_url(key, url, postgres)?;
        settings.require(key, "(hidden)", db::is_url(url), whole)
    };
    must_be_database("database.url", &config.database.url)?;
    for (name, own) in &config.database.contexts {
        must_be_database(&format!("database.contexts.{name}.url"), &own.url)?;
    }
    let url = &config.bus.url;
    settings.require_url("bus.url", url, &["amqp://", "amqps://"])?;
    let whole = "amqp://USER:PASSWORD@HOST:PORT/VIRTUAL-HOST";
    settings.require("bus.url", "(hidden)", bus::is_url(url), whole)?;
    settings.require_url(
        "http.public_url",
        &config.http.public_url,
        &["http://", "https://"],
    )?;
    let listen = &config.http.health_listen;
    let fits = listen.is_empty() || config.http.health_listen().is_some();
    let allowed = "empty or an address like 127.0.0.1:8081";
    settings.require("http.health_listen", listen, fits, allowed)?;
    for (index, origin) in config.http.cors_origins.iter().enumerate() {
        let key = format!("http.cors_origins[{index}]");
        let allowed = "an origin like https://shop.example.org, without a path";
        settings.require(&key, origin, http::is_origin(origin), allowed)?;
    }
    issuers(&config.auth.issuers, settings)?;
    alarms(config, settings)
}

/// What one of several issuers may do is said, and not assumed.
fn issuers(issuers: &[Issuer], settings: &Settings) -> Result<(), ConfigError> {
    for (index, issuer) in issuers.iter().enumerate() {
        let key = |name: &str| format!("auth.issuers[{index}].{name}");
        let before = &issuers[..index];
        let urls = &["http://", "https://"];
        settings.require_url(&key("issuer"), &issuer.issuer, urls)?;
        let is_first = before.iter().all(|it| it.issuer != issuer.issuer);
        settings.require(&key("issuer"), &issuer.issuer, is_first, "each issuer once")?;
        let named = !issuer.audiences.is_empty();
        settings.require(&key("audiences"), "[]", named, "one or more")?;
        let said = issuers.len() == 1 || issuer.roles.is_some();
        let allowed = "a list of the roles that its tokens can give, where there are several issuers: an \
                       administrator of one is an administrator of all";
        settings.require(&key("roles"), "(nothing)", said, allowed)?;
        let Some(succeeds) = &issuer.succeeds else {
            continue;
        };
        settings.require_url(&key("succeeds"), succeeds, urls)?;
        let is_other = *succeeds != issuer.issuer;
        let alone = before
            .iter()
            .all(|it| it.succeeds.as_ref() != Some(succeeds));
        let allowed = "another issuer, which no second one succeeds";
        settings.require(&key("succeeds"), succeeds, is_other && alone, allowed)?;
    }
    Ok(())
}

/// Who is to be mailed is known before there is something to be told.
fn alarms(config: &Config, settings: &Settings) -> Result<(), ConfigError> {
    let alarms = &config.alarms;
    if alarms.smtp_url.is_empty() {
        return Ok(());
    }
    settings.require_url(
        "alarms.smtp_url",
        &alarms.smtp_url,
        &["smtp://", "smtps://"],
    )?;
    // A URL is logged. That of the user and password stands in settings of their own.
    let plain = !alarms.smtp_url.contains('@') && mail::is_url(&alarms.smtp_url);
    let whole = "smtps://HOST, smtp://HOST:PORT?tls=required or smtp://HOST:PORT, without user and password";
    settings.require("alarms.smtp_url", "(hidden)", plain, whole)?;
    let from = &alarms.mail_from;
    settings.require("alarms.mail_from", from, mail::is_address(from), ADDRESS)?;
    settings.require(
        "alarms.mail_to",
        "[]",
        !alarms.mail_to.is_empty(),
        "one address or more",
    )?;
    for (index, to) in alarms.mail_to.iter().enumerate() {
        let key = format!("alarms.mail_to[{index}]");
        settings.require(&key, to, mail::is_address(to), ADDRESS)?;
    }
    Ok(())
}
