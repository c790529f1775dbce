//! Ticketing on real PostgreSQL and RabbitMQ: tickets, keys, scans, journals.

mod acts;
mod check_ins;
mod codes;
mod entry_order;
mod issuing;
mod journals;
mod key_window;
mod keys;
mod refunds;
mod rush;
mod scans;
mod shows;
mod told_entries;
pub(crate) mod world;
