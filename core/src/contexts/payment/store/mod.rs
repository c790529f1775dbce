//! The tables of payment.

mod payments;
mod refunds;
mod webhooks;

pub(super) use payments::{
    add, due, find, find_by_order, heard, lock, lock_by_order, lock_by_reference, postpone, save,
    silent,
};
pub(super) use refunds::{
    add as add_refund, due as due_refunds, find as find_refund, hasten, lock as lock_refund,
    of_payment as refunds_of, pending_sum, postpone as postpone_refund, save as save_refund,
};
pub(super) use webhooks::{end_order, first_time, is_ended};
