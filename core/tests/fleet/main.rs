//! The venues' side of the core on real servers: enrolment over HTTPS, nodes over MQTT with their
//! own certificates, feed, sync points, journals, reports.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on fails; helpers count as no tests"
)]

mod alarms;
mod comparison;
mod enrolment;
mod feed;
mod import;
mod journal;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod world;
