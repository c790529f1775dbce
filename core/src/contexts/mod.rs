//! The bounded contexts: a folder, a PostgreSQL schema and a queue each. All have the same file
//! names; `core/README.md` says what each file holds.

pub mod catalogue;
pub mod event_management;
pub mod fleet;
pub mod identity;
pub mod inventory;
pub mod order;
pub mod payment;
pub mod reservation;
pub mod ticketing;
