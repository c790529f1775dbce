//! Inventory: plans, holds, the rush for one seat, its part in the sagas.

mod attempts;
mod holds;
mod plans;
mod race;
mod saga;
