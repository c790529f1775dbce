//! The tables of payment.

mod deduplication;
mod payments;
mod refunds;

pub(super) use deduplication::{insert_ended_order, insert_webhook, is_ended};
pub(super) use payments::{
    find, find_by_order, insert, list_silent, lock, lock_by_order, lock_by_reference, update,
    update_answered_at,
};
pub(super) use refunds::{
    find as find_refund, insert as insert_refund, list_of_payment as list_refunds, list_pending,
    lock as lock_refund, pending_sum, update as update_refund,
};
