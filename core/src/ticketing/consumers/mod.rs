//! What ticketing hears: the other contexts' events, the nodes' scans, and time.

mod facts;
mod scans;
mod upkeep;

use std::time::Duration;

use crate::bus::{Consumers, Pipe};
use crate::jobs::Jobs;

/// The job that issues tickets that are late; what brings the missing piece wakes it.
const ISSUE_MISSING: &str = "issue_missing";
/// Safety net behind the wakes.
const ISSUE_EVERY: Duration = Duration::from_secs(5);

/// How often it is asked whether a venue's tickets are due to be stated.
const STATE_EVERY: Duration = Duration::from_secs(60);

pub(super) fn consumers() -> Consumers {
    Consumers::new()
        .on(facts::on_performance_scheduled)
        .on(facts::on_order_paid)
        .on(facts::on_order_refunded)
        .on(facts::on_gate_updated)
        .on(facts::on_node_enrolled)
        .on(facts::on_node_updated)
        .on(facts::on_node_revoked)
        .on(facts::on_journal_accepted)
        .on(facts::on_tickets_questioned)
        .on(facts::on_tickets_doubted)
        .pipe(Pipe::Scan, scans::on_scan)
}

pub(super) fn jobs() -> Jobs {
    Jobs::new()
        .every(ISSUE_EVERY, upkeep::issue_missing)
        .every(STATE_EVERY, upkeep::state_tickets)
        .service(upkeep::publish_keys)
}
