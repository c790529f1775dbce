//! The tables of order.

mod orders;
mod performances;
mod refunds;

pub(super) use orders::{
    find, find_by_payment, find_by_reservation, insert, list, lock, save, unpaid_past_deadline,
    without_intent,
};
pub(super) use performances::{cancel_performance, performances, refundable_orders, schedule};
pub(super) use refunds::{
    RefundRow, add_tickets, begin_refund, end_refund, refund_of, refunds, tickets,
};
