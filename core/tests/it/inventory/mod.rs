//! Inventory: plans, holds, the rush for one seat, its part in the sagas, what is not sold
//! again by itself.

mod attempts;
mod holds;
mod kept_back;
mod kept_back_guests;
mod kept_back_order;
mod kept_back_shop;
mod laying_out;
mod orders;
mod plans;
mod race;
mod saga;
