//! The least and the most that each number may be: what parses but can't work, or was meant
//! otherwise, is refused at the start and not met at night.
//!
//! The table is complete: a test compares it with `default.toml`.

use std::ops::RangeInclusive;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
const DAY_MINUTES: i64 = 24 * 60;
const YEAR_DAYS: i64 = 365;
/// Requests a second that no process answers: a limit beyond is none.
const MAX_RATE: i64 = 1_000_000;
/// Certificates that live longer are refused by many clients.
const MAX_CERTIFICATE_DAYS: i64 = 825;

/// Key, least and most.
#[rustfmt::skip]
pub(super) const LIMITS: &[(&str, RangeInclusive<i64>)] = &[
    ("process.stop_grace_ms", 0..=10 * MINUTE_MS),
    ("http.max_body_bytes", 1_024..=16 << 20),
    ("http.request_timeout_ms", 1..=10 * MINUTE_MS),
    ("http.max_connections", 4..=65_536),
    ("http.max_connections_per_address", 1..=65_536),
    ("http.anonymous_at_once", 1..=65_536),
    ("http.header_timeout_ms", 100..=5 * MINUTE_MS),
    ("http.write_timeout_ms", 100..=5 * MINUTE_MS),
    ("http.rate_limits.normal_per_second", 0..=MAX_RATE),
    ("http.rate_limits.normal_burst", 0..=MAX_RATE),
    ("http.rate_limits.strict_per_second", 0..=MAX_RATE),
    ("http.rate_limits.strict_burst", 0..=MAX_RATE),
    ("http.idempotency.lease_ms", 1..=HOUR_MS),
    ("http.idempotency.keep_days", 1..=YEAR_DAYS),
    ("auth.leeway_seconds", 0..=300),
    ("auth.jwks_cache_seconds", 1..=DAY_SECONDS),
    ("auth.jwks_refresh_seconds", 1..=HOUR_SECONDS),
    ("event_management.admit_before_doors_minutes", 0..=DAY_MINUTES),
    ("event_management.admit_after_start_minutes", 1..=DAY_MINUTES),
    ("ticketing.token_weeks", 1..=52),
    // ADMISSION 5.2
    ("ticketing.compare_every_hours", 1..=24),
    ("ticketing.compare_before_doors_minutes", 0..=DAY_MINUTES),
    ("ticketing.keep_scans_days", 60..=10 * YEAR_DAYS),
    ("database.max_connections", 2..=1_000),
    ("database.gate_connections", 2..=1_000),
    ("database.anonymous_connections", 1..=1_000),
    ("database.acquire_timeout_ms", 1..=5 * MINUTE_MS),
    ("database.statement_timeout_ms", 1_000..=HOUR_MS),
    ("database.anonymous_wait_ms", 1..=MINUTE_MS),
    ("bus.prefetch", 1..=10_000),
    ("bus.concurrency", 1..=1_000),
    ("bus.retry_short_ms", 1..=HOUR_MS),
    ("bus.retry_long_ms", 1..=DAY_MS),
    ("bus.confirm_timeout_ms", 1..=5 * MINUTE_MS),
    ("relay.batch", 1..=10_000),
    ("relay.poll_ms", 1..=HOUR_MS),
    ("alarms.mail_every_seconds", 1..=HOUR_SECONDS),
    ("retention.messages_days", 7..=YEAR_DAYS),
    ("fleet.code_seconds", 1..=DAY_SECONDS),
    ("fleet.certificate_days", 1..=MAX_CERTIFICATE_DAYS),
    ("fleet.mqtt_port", 1..=65_535),
    ("reservation.hold_seconds", 1..=DAY_SECONDS),
    ("reservation.pay_seconds", 1..=7 * DAY_SECONDS),
    ("reservation.max_open_per_customer", 1..=1_000),
    ("reservation.max_places_per_customer", 1..=100_000),
    ("order.wait_seconds", 1..=7 * DAY_SECONDS),
    ("payment.reconcile_after_ms", 1..=DAY_MS),
    ("payment.compare_every_hours", 1..=7 * 24),
    ("payment.keep_webhooks_days", 7..=10 * YEAR_DAYS),
    ("payment.stripe.request_timeout_ms", 1..=5 * MINUTE_MS),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Config, PROGRAM};

    #[test]
    fn every_number_has_its_limits() {
        let limited: BTreeSet<_> = LIMITS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(limited, PROGRAM.number_keys());
    }

    #[test]
    fn a_number_is_taken_up_to_its_limits_and_refused_beyond() {
        for (key, allowed) in LIMITS {
            let load = |value: i64| {
                let variable = format!("EVENTIFY_CORE__{}", key.to_uppercase().replace('.', "__"));
                let loaded = Config::load(None, [(variable.clone(), value.to_string())]);
                (variable, loaded)
            };
            for good in [*allowed.start(), *allowed.end()] {
                assert!(load(good).1.is_ok(), "{key} = {good}");
            }
            for bad in [allowed.start() - 1, allowed.end() + 1, i64::MIN, i64::MAX] {
                let (variable, refused) = load(bad);
                let message = refused.unwrap_err().to_string();
                let (least, most) = (allowed.start(), allowed.end());
                let expected = format!("{variable}: {key} = {bad}: allowed is {least} to {most}");
                assert_eq!(message, expected);
            }
        }
    }
}
