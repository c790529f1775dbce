//! `/inventory/performances/{performanceId}/kept-back`: places that nobody buys before the organiser has
//! looked whether somebody sits there.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::KeptBack;
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Paged, Paging, Path, Query};
use eventify_protocol::ids::{BucketId, OrderId, PerformanceId, SeatId, TicketId, UserId};
use serde::{Deserialize, Serialize};

use crate::contexts::inventory::acts::kept_back;
use crate::contexts::inventory::model::kept_back::{KeptPlace, Place, Release};

const MAX_NOTE_CHARS: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReleaseBody {
    /// What the organiser has found, in their own words.
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptBody {
    ticket_id: TicketId,
    order_id: OrderId,
    performance_id: PerformanceId,
    seat_id: Option<SeatId>,
    seat_label: Option<String>,
    bucket_id: Option<BucketId>,
    zone: Option<String>,
    /// Why it is kept back.
    reason: KeptBack,
    since: DateTime<Utc>,
    released_at: Option<DateTime<Utc>>,
    released_by: Option<UserId>,
    /// The words of the release.
    note: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Paged<KeptBody>>> {
    let paging = Paging::of(query.page, query.size)?;
    let and_released = match query.state.as_deref() {
        None | Some("open") => false,
        Some("all") => true,
        Some(_) => return Err(ApiError::invalid("state", "must be open or all")),
    };
    let window = (paging.offset(), paging.limit());
    let principal = caller.principal()?;
    let (kept, total) = kept_back::list(&app, principal, performance, and_released, window).await?;
    let bodies = kept.into_iter().map(KeptBody::from);
    Ok(Json(paging.answer(bodies.collect(), total)))
}

pub(super) async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(which): Path<(PerformanceId, TicketId)>,
    Json(body): Json<ReleaseBody>,
) -> Answer<Json<KeptBody>> {
    let note = body.reason.map(|text| text.trim().to_owned());
    let note = note.filter(|text| !text.is_empty());
    let is_long = |text: &String| text.chars().count() > MAX_NOTE_CHARS;
    if note.as_ref().is_some_and(is_long) {
        let issue = format!("at most {MAX_NOTE_CHARS} characters");
        return Err(ApiError::invalid("reason", issue));
    }
    let principal = caller.principal()?;
    let released = kept_back::release(&app, &caller.cause, principal, which, note).await?;
    Ok(Json(released.into()))
}

impl From<KeptPlace> for KeptBody {
    fn from(kept: KeptPlace) -> Self {
        let (seat_label, zone) = match kept.ticket.place {
            Place::Seat(_) => (Some(kept.label), None),
            Place::Unit(_) => (None, Some(kept.label)),
        };
        let (released_at, released_by, note) = match kept.released {
            Some(Release { at, by, note }) => (Some(at), Some(by), note),
            None => (None, None, None),
        };
        Self {
            ticket_id: kept.ticket.id,
            order_id: kept.ticket.order,
            performance_id: kept.ticket.performance,
            seat_id: kept.ticket.place.seat(),
            seat_label,
            bucket_id: kept.ticket.place.bucket(),
            zone,
            reason: kept.reason,
            since: kept.since,
            released_at,
            released_by,
            note,
        }
    }
}
