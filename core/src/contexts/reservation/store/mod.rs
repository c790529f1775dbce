//! The tables of reservation.

mod carts;
mod releases;
mod sales;

pub(super) use carts::{add_items, find, insert, lock, open_carts, overdue, remove_item, save};
pub(super) use releases::{Part, Release, done, due, enqueue, postpone};
pub(super) use sales::{Sale, cancel_performance, on_sale, publish_event, schedule};
