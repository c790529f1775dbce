//! The routes of inventory: venues and plans for organisers, holds for service accounts.

use std::sync::Arc;

use eventify_kernel::auth::Role;
use eventify_kernel::http::{Policy, Routes};

mod holds;
mod kept_back;
mod plans;
mod stock;
mod venues;

const ORGANISERS: Policy = Policy::roles(&[Role::Organizer, Role::Admin]);

#[rustfmt::skip]
pub(super) fn routes() -> Routes {
    const HOLDS: Policy = Policy::signed_in().scopes(&["inventory:hold"]).strict();
    Routes::new()
        .post("/venues", ORGANISERS, venues::create)
        .get("/venues", ORGANISERS.query(), venues::list)
        .get("/venues/{venueId}", ORGANISERS.owner("venue.owner_id, or shared"), venues::read)
        .put("/venues/{venueId}", ORGANISERS.owner("venue.owner_id"), venues::edit)
        .post("/venues/{venueId}/seating-plans", ORGANISERS.owner("venue.owner_id").strict(), plans::define)
        .get("/venues/{venueId}/seating-plans", ORGANISERS.owner("venue.owner_id, or shared").query(), plans::list)
        .get("/inventory/performances/{performanceId}", ORGANISERS.owner("event.owner_id"), stock::read)
        .post("/inventory/performances/{performanceId}/capacity", ORGANISERS.owner("event.owner_id"), stock::adjust)
        .get("/inventory/performances/{performanceId}/kept-back", ORGANISERS.owner("event.owner_id").query(), kept_back::list)
        .post("/inventory/performances/{performanceId}/kept-back/{ticketId}/release", ORGANISERS.owner("event.owner_id"), kept_back::release)
        .post("/inventory/holds", HOLDS, holds::take)
        .get("/inventory/holds/{holdId}", HOLDS.owner("hold.holder_id"), holds::read)
        .post("/inventory/holds/{holdId}/release", HOLDS.owner("hold.holder_id"), holds::give_back)
        .and(plans::kept().capture(&Arc::default()))
}
