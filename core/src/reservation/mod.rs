//! Reservation: carts whose places are held from the moment they are put in.
//!
//! ```text
//!            add, remove items
//!               ┌────┐
//! start ──▶ pending ──┴── confirm ──▶ confirmed ──(order.paid: the order goes on from here)
//!               │                        │
//!               ├── 10 minutes ──▶ expired
//!               └── customer ────▶ cancelled ◀── order.cancelled
//! ```
//!
//! Places are held at inventory, synchronously, behind the breaker `rsv_inventory`; prices are the
//! core's own, from `performance.scheduled`. Releasing is not waited for: what is to be given back
//! is noted with the cart's end and done by a job.
//!
//! Deliberately not here: stock (inventory), money (order, payment), payment of a part of a cart.

pub mod api;
mod consumers;
pub mod events;
mod model;
mod routes;
mod store;

use crate::context::Context;

/// Folder, schema and queue.
pub const NAME: &str = "reservation";

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        events: events::schemas(),
        routes: routes::routes(),
        consumers: consumers::consumers(),
        jobs: consumers::jobs(),
        ..Context::new(
            NAME,
            crate::migrations!("reservation": "0001_reservations", "0002_release_owners"),
        )
    }
}
