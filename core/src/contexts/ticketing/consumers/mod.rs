//! What ticketing hears: the other contexts' events, the nodes' scans, and time.

mod facts;
mod scans;
mod upkeep;

use std::time::Duration;

use eventify_contracts::uplink::SCAN;
use eventify_kernel::bus::Consumers;
use eventify_kernel::jobs::{Job, Jobs};

use super::App;
use super::NAME;

/// Safety net behind the wakes.
const ISSUE_EVERY: Duration = Duration::from_secs(5);

/// How often it is asked whether a venue's tickets are due to be stated.
const STATE_EVERY: Duration = Duration::from_secs(60);

pub(super) fn consumers() -> Consumers<App> {
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
        .uplink(SCAN, scans::on_scan)
}

pub(super) const ISSUE_MISSING: Job = Job::of(NAME, "issue_missing");
pub(super) const STATE_TICKETS: Job = Job::of(NAME, "state_tickets");

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(ISSUE_EVERY, ISSUE_MISSING, upkeep::issue_missing)
        .every(STATE_EVERY, STATE_TICKETS, upkeep::state_tickets)
        .service(upkeep::publish_keys)
}
