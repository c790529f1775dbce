//! What fleet hears: the other contexts' events, the nodes' messages, and time.

mod facts;
mod uplink;
mod writer;

use std::time::Duration;

use eventify_contracts::uplink::{ASK, CONTROL, JOURNAL};
use eventify_kernel::bus::Consumers;
use eventify_kernel::jobs::{Job, Jobs};

use super::App;
use super::NAME;

/// How soon a statement is looked at again that could not be judged yet.
const COMPARE_EVERY: Duration = Duration::from_secs(2);
/// Safety net behind the wakes.
const WRITE_EVERY: Duration = Duration::from_secs(1);
const KEYS_EVERY: Duration = Duration::from_secs(30);
const WATCH_EVERY: Duration = Duration::from_secs(30);
const COMPACT_EVERY: Duration = Duration::from_secs(3_600);

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(facts::on_venue_created)
        .on(facts::on_venue_updated)
        .on(facts::on_performance_scheduled)
        .on(facts::on_performance_cancelled)
        .grouped(facts::on_tickets_issued)
        .grouped(facts::on_tickets_revoked)
        .grouped(facts::on_tickets_checked_in)
        .grouped(facts::on_check_ins_changed)
        .on(facts::on_keys_changed)
        .on(facts::on_journal_applied)
        .on(facts::on_check_in_conflict)
        .on(facts::on_scan_suspected)
        .on(facts::on_tickets_stated)
        .on(facts::on_tickets_restated)
        .uplink(ASK, uplink::on_ask)
        .uplink(CONTROL, uplink::on_control)
        .uplink(JOURNAL, uplink::on_journal)
}

pub(super) const WRITE_FEED: Job = Job::of(NAME, "write_feed");
pub(super) const PUBLISH_KEY_SET: Job = Job::of(NAME, "publish_key_set");
pub(super) const WATCH_TRUTH: Job = Job::of(NAME, "watch_truth");
pub(super) const COMPARE_FEED: Job = Job::of(NAME, "compare_feed");
pub(super) const COMPACT_FEED: Job = Job::of(NAME, "compact_feed");

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(WRITE_EVERY, WRITE_FEED, writer::write_feed)
        .every(KEYS_EVERY, PUBLISH_KEY_SET, writer::publish_key_set)
        .every(WATCH_EVERY, WATCH_TRUTH, writer::watch_truth)
        .every(COMPARE_EVERY, COMPARE_FEED, writer::compare_feed)
        .every(COMPACT_EVERY, COMPACT_FEED, writer::compact_feed)
}
