//! The tables of order.

mod guests;
mod orders;
mod performances;
mod refunds;
mod sales;
mod tickets;

pub(super) use guests::{find_guest_name, list_holders, now, update_guest_name};
pub(super) use orders::{
    find, find_by_reservation, insert, list, list_unpaid_past_deadline, lock, lock_by_payment,
    update, update_elsewhere,
};
pub(super) use performances::{
    PerformanceRow, insert_cancelled_performance, list_performances, list_refundable_orders,
    upsert_performance,
};
pub(super) use refunds::{
    OPENED, PARKED, REQUESTED, RETURNED, Refund, count_stuck, find_refund, insert_refund, is_newer,
    leave_out, list_refunds, list_stuck, mark_refund, mark_refund_failed, mark_refund_succeeded,
};
pub(super) use sales::count_sold;
pub(super) use tickets::{
    has_paid_tickets, insert_revoked, insert_tickets, list_revoked, list_tickets,
    list_tickets_of_refund,
};
