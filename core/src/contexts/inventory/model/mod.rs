//! Pure decisions: seating plans, what a performance sells of them, zones in slots, holds, what
//! is not sold again.

pub(super) mod attempts;
pub(super) mod hold;
pub(super) mod kept_back;
pub(super) mod layout;
pub(super) mod plan;
pub(super) mod slots;
pub(super) mod state;
pub(super) mod stock;
pub(super) mod venue;
