//! What ticketing consumes: the other contexts' events, and the nodes' scans.

mod events;
mod scans;

use eventify_contracts::uplink::SCAN;
use eventify_kernel::bus::Consumers;

use super::App;

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(events::on_performance_scheduled)
        .on(events::on_performance_rescheduled)
        .on(events::on_performance_cancelled)
        .on(events::on_performance_confirmed)
        .on(events::on_venue_created)
        .on(events::on_venue_updated)
        .on(events::on_order_paid)
        .on(events::on_order_refund_opened)
        .on(events::on_order_refund_given_up)
        .on(events::on_order_refunded)
        .on(events::on_revocation_requested)
        .on(events::on_gate_updated)
        .on(events::on_node_enrolled)
        .on(events::on_node_updated)
        .on(events::on_node_revoked)
        .on(events::on_journal_accepted)
        .on(events::on_tickets_questioned)
        .on(events::on_tickets_doubted)
        .uplink(SCAN, scans::on_scan)
}
