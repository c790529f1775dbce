//! `/events`

mod events;
mod performances;

use axum::http::header::LOCATION;
use axum::http::{HeaderName, StatusCode};
use eventify_kernel::auth::Role;
use eventify_kernel::http::{ApiError, Json, Policy, Routes, etag};
use schemars::JsonSchema;
use serde::Deserialize;

use super::App;
use super::acts::ActError;
use super::model::cancellation::Confirmation;
use super::model::event::EventError;
use super::model::performance::ScheduleError;

#[rustfmt::skip]
pub(super) fn routes() -> Routes<App> {
    const ORGANISERS: Policy = Policy::roles(&[Role::Organizer, Role::Admin]);
    const OWNER: Policy = ORGANISERS.owner("event.owner_id");
    Routes::new()
        .post("/events", ORGANISERS, events::create)
        .get("/events", ORGANISERS.query(), events::list)
        .get("/events/{eventId}", OWNER, events::read)
        .put("/events/{eventId}", OWNER, events::edit)
        .post("/events/{eventId}/publish", OWNER, events::publish)
        .post("/events/{eventId}/cancel", OWNER, events::cancel)
        .post("/events/{eventId}/archive", OWNER, events::archive)
        .post("/events/{eventId}/pricing", OWNER, events::price)
        .post("/events/{eventId}/performances", OWNER, performances::schedule)
        .get("/events/{eventId}/performances/{performanceId}", OWNER, performances::read)
        .put("/events/{eventId}/performances/{performanceId}", OWNER.query(), performances::reschedule)
        .post("/events/{eventId}/performances/{performanceId}/cancel", OWNER, performances::cancel)
}

/// Of a cancellation: its reason, and the second word where something is over.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cancellation {
    reason: String,
    #[serde(default)]
    confirm: Option<Confirmation>,
}

type Tagged<T> = ([(HeaderName, String); 1], Json<T>);
type Created<T> = (StatusCode, [(HeaderName, String); 2], Json<T>);

fn created<T>(path: String, version: i32, body: T) -> Created<T> {
    (
        StatusCode::CREATED,
        [(LOCATION, path), etag(version)],
        Json(body),
    )
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        let message = error.to_string();
        match error {
            ActError::UnknownEvent => Self::not_found("event_not_found", message),
            ActError::UnknownPerformance => Self::not_found("performance_not_found", message),
            ActError::Foreign => Self::forbidden(message),
            ActError::Event(error) | ActError::Schedule(ScheduleError::Event(error)) => {
                error.into()
            }
            ActError::Schedule(error) => error.into(),
            ActError::CantSign(error) => error.into(),
            ActError::Confirm(needed) => Self::conflict("confirmation_required", message)
                .field("confirm.orders", needed.orders.to_string())
                .field("confirm.sum", needed.sum)
                .field("tickets", needed.tickets.to_string()),
            ActError::Db(error) => error.into(),
        }
    }
}

impl From<EventError> for ApiError {
    fn from(error: EventError) -> Self {
        let message = error.to_string();
        match error {
            EventError::Invalid { field, issue } => Self::invalid(field, issue),
            EventError::Closed(_) => Self::conflict("event_closed", message),
            EventError::NothingToSell => Self::unprocessable("nothing_to_sell", message),
            EventError::PerformancesAhead => Self::unprocessable("performances_ahead", message),
        }
    }
}

impl From<ScheduleError> for ApiError {
    fn from(error: ScheduleError) -> Self {
        let message = error.to_string();
        match error {
            ScheduleError::Event(error) => error.into(),
            ScheduleError::UnknownVenue => Self::unprocessable("unknown_venue", message),
            ScheduleError::UnknownPlan => Self::unprocessable("unknown_seating_plan", message),
            ScheduleError::PlanNotNamed => Self::unprocessable("seating_plan_not_named", message),
            ScheduleError::ForeignVenue => Self::forbidden(message),
            ScheduleError::UnknownPricing => Self::unprocessable("unknown_pricing", message),
            ScheduleError::TooMany => Self::unprocessable("too_many_performances", message),
            ScheduleError::TooManyVenues => Self::unprocessable("too_many_venues", message),
            ScheduleError::TooMuchAnHour { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_much_scheduled", message)
                    .retry_after(600)
            }
            ScheduleError::Cancelled => Self::conflict("performance_cancelled", message),
            ScheduleError::NothingOnSale => Self::unprocessable("nothing_on_sale", message),
        }
    }
}
