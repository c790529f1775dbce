//! What fleet hears: the other contexts' events, the nodes' messages, and time.

mod facts;
mod uplink;
mod writer;

use std::time::Duration;

use crate::bus::{Consumers, Pipe};
use crate::jobs::Jobs;

/// The feed's writer; whoever notes something for the feed wakes it.
pub(super) const WRITER: &str = "write_feed";

/// What judges ticketing's statements; one that comes wakes it, and it waits for what is on its way.
pub(super) const COMPARISON: &str = "compare_feed";

/// How soon a statement is looked at again that could not be judged yet.
const COMPARE_EVERY: Duration = Duration::from_secs(2);
/// Safety net behind the wakes.
const WRITE_EVERY: Duration = Duration::from_secs(1);
const KEYS_EVERY: Duration = Duration::from_secs(30);
const WATCH_EVERY: Duration = Duration::from_secs(30);
const COMPACT_EVERY: Duration = Duration::from_secs(3_600);

pub(super) fn consumers() -> Consumers {
    Consumers::new()
        .on(facts::on_venue_created)
        .on(facts::on_venue_updated)
        .on(facts::on_performance_scheduled)
        .on(facts::on_performance_cancelled)
        .together(facts::on_tickets_issued)
        .together(facts::on_tickets_revoked)
        .together(facts::on_tickets_checked_in)
        .together(facts::on_check_ins_changed)
        .on(facts::on_keys_changed)
        .on(facts::on_journal_applied)
        .on(facts::on_check_in_conflict)
        .on(facts::on_scan_suspected)
        .on(facts::on_tickets_stated)
        .on(facts::on_tickets_restated)
        .pipe(Pipe::Ask, uplink::on_ask)
        .pipe(Pipe::Control, uplink::on_control)
        .pipe(Pipe::Journal, uplink::on_journal)
}

pub(super) fn jobs() -> Jobs {
    Jobs::new()
        .every(WRITE_EVERY, writer::write_feed)
        .every(KEYS_EVERY, writer::publish_key_set)
        .every(WATCH_EVERY, writer::watch_truth)
        .every(COMPARE_EVERY, writer::compare_feed)
        .every(COMPACT_EVERY, writer::compact_feed)
}
