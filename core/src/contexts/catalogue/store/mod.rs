//! The tables of the catalogue: what is heard goes in, what is asked for comes out.

pub(super) mod hear;
pub(super) mod read;
