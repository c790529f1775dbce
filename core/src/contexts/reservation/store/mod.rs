//! The tables of reservation.

mod carts;
mod offers;

pub(super) use carts::{
    count_open, delete_item, find, insert, insert_items, list_overdue, lock, update,
};
pub(super) use offers::{
    PerformanceRow, PriceRow, find_offer, insert_cancelled_performance, insert_published_event,
    upsert_performance,
};
