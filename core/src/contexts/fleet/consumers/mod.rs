//! The other contexts' events, and the nodes' messages.

mod performances;
mod projections;
mod refunded;
mod uplink;

use eventify_contracts::uplink::{ASK, CONTROL, JOURNAL};
use eventify_kernel::bus::Consumers;

use super::App;

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(projections::on_venue_created)
        .on(projections::on_venue_updated)
        .on(performances::on_performance_scheduled)
        .on(performances::on_performance_rescheduled)
        .on(performances::on_performance_cancelled)
        .on(performances::on_event_updated)
        .grouped(projections::on_tickets_issued)
        .grouped(projections::on_tickets_coded)
        .grouped(projections::on_tickets_suspended)
        .grouped(projections::on_tickets_reinstated)
        .grouped(projections::on_tickets_revoked)
        .grouped(projections::on_tickets_checked_in)
        .grouped(projections::on_check_ins_changed)
        .on(projections::on_keys_changed)
        .on(projections::on_journal_applied)
        .on(projections::on_check_in_conflict)
        .on(refunded::on_refunded_admitted)
        .on(refunded::on_guest_displaced)
        .on(projections::on_scan_suspected)
        .on(projections::on_tickets_stated)
        .on(projections::on_tickets_restated)
        .uplink(ASK, uplink::on_ask)
        .uplink(CONTROL, uplink::on_control)
        .uplink(JOURNAL, uplink::on_journal)
}
