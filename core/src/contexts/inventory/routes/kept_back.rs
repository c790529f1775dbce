//! `/inventory/performances/{performanceId}/kept-back`: places that nobody buys before the organiser has
//! looked whether somebody sits there.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::KeptBack;
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, Caller, Json, Paged, Paging, Path, Query, Words};
use eventify_protocol::ids::{BucketId, GateId, OrderId, PerformanceId, SeatId, TicketId, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contexts::inventory::acts::kept_back::{self, GateNames};
use crate::contexts::inventory::model::kept_back::{Doubt, KeptPlace, Place};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<Listed>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Listed {
    Open,
    All,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReleaseBody {
    /// What the organiser has found, in their own words. `reason` is the name that it had.
    #[serde(default, alias = "reason")]
    note: Words,
    /// The second word, where a guest is inside or a gate has not said whom it let in.
    #[serde(default)]
    guest_may_be_inside: bool,
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
    /// Who was admitted with the ticket, as far as that is known.
    guest: Option<GuestBody>,
    released_at: Option<DateTime<Utc>>,
    released_by: Option<UserId>,
    /// The words of the release.
    note: Option<String>,
    /// What the release was warned of.
    released_despite: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GuestBody {
    gate_id: GateId,
    gate_name: Option<String>,
    earliest: DateTime<Utc>,
    latest: DateTime<Utc>,
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(performance): Path<PerformanceId>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Paged<KeptBody>>> {
    let paging = Paging::of(query.page, query.size)?;
    let and_released = matches!(query.state, Some(Listed::All));
    let window = (paging.offset(), paging.limit());
    let principal = caller.principal()?;
    let listed = kept_back::list(&app, principal, performance, and_released, window).await?;
    let (kept, total, names) = listed;
    let bodies = kept.into_iter().map(|it| KeptBody::of(it, &names));
    Ok(Json(paging.answer(bodies.collect(), total)))
}

pub(super) async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(which): Path<(PerformanceId, TicketId)>,
    Json(body): Json<ReleaseBody>,
) -> Answer<Json<KeptBody>> {
    let principal = caller.principal()?;
    let request = kept_back::ReleaseRequest {
        note: body.note.0,
        guest_may_be_inside: body.guest_may_be_inside,
    };
    let released = kept_back::release(&app, &caller.cause, principal, which, request).await?;
    let (place, names) = released;
    Ok(Json(KeptBody::of(place, &names)))
}

impl KeptBody {
    fn of(kept: KeptPlace, names: &GateNames) -> Self {
        let (seat_label, zone) = match kept.ticket.place {
            Place::Seat(_) => (Some(kept.label), None),
            Place::Unit(_) => (None, Some(kept.label)),
        };
        let guest = kept.guest.map(|guest| GuestBody {
            gate_id: guest.gate_id,
            gate_name: names.get(&guest.gate_id).cloned(),
            earliest: guest.earliest,
            latest: guest.latest,
        });
        let released = kept.released.as_ref();
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
            guest,
            released_at: released.map(|it| it.at),
            released_by: released.map(|it| it.by),
            released_despite: released.and_then(|it| it.despite).map(Doubt::name),
            note: kept.released.and_then(|it| it.note),
        }
    }
}
