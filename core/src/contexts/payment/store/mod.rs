//! The tables of payment.

pub(super) mod comparisons;
mod deduplication;
pub(super) mod items;
pub(super) mod ledger;
pub(super) mod orders;
mod payments;
mod refunds;
pub(super) mod unknown;
pub(super) mod webhooks;

pub(super) use deduplication::{delete_webhooks, insert_ended_order, insert_webhook, is_ended};
pub(super) use payments::{
    find, find_by_order, insert, list_silent, lock, lock_by_order, lock_by_reference, update,
    update_answered_at,
};
pub(super) use refunds::{
    find as find_refund, find_by_reference as find_refund_by_reference, insert as insert_refund,
    list_of_payment as list_refunds, lock as lock_refund, spoken_for, update as update_refund,
};
