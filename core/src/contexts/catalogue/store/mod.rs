//! The tables of the catalogue: events write them, customers' requests read them.

pub(super) mod projections;
pub(super) mod read;
