//! `/tickets`: customers read theirs, organisers and support read and change them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, FixedOffset, Utc};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::http::{
    Answer, ApiError, Caller, Json, Paged, Paging, Path, Policy, Query, Routes, StatusCode,
};
use eventify_protocol::ids::{
    BucketId, GateId, OrderId, PerformanceId, SeatId, TicketId, UserId, VenueId,
};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokens::{qr_url, shown_code, unstored};
use crate::contexts::ticketing::acts::issuing::Tickets;
use crate::contexts::ticketing::acts::tickets::Shows;
use crate::contexts::ticketing::acts::{self, Error};
use crate::contexts::ticketing::model::{FRAUD, Performance, Ticket, date};
use crate::contexts::ticketing::{App, NAME, store};

const ISSUERS: &[Role] = &[Role::Admin, Role::Support];
const READERS: &[Role] = &[
    Role::Customer,
    Role::BoxOffice,
    Role::Organizer,
    Role::Checkin,
    Role::Support,
    Role::Admin,
];
pub(super) const HOLDERS: &[Role] = &[Role::Customer, Role::BoxOffice, Role::Admin];
const REISSUERS: &[Role] = &[Role::Customer, Role::BoxOffice, Role::Support, Role::Admin];
const REVOKERS: &[Role] = &[Role::Organizer, Role::Admin];

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let read =
        Policy::roles(READERS).owner("ticket.customer_id or performance.owner_id or assignment");
    let show = Policy::roles(HOLDERS).owner("ticket.customer_id");
    let reissue = Policy::roles(REISSUERS)
        .owner("ticket.customer_id")
        .strict();
    let revoke = Policy::roles(REVOKERS).owner("performance.owner_id");
    routes
        .post(
            "/tickets/issue",
            Policy::roles(ISSUERS).key_required().secret_answer(),
            issue,
        )
        .get("/tickets", show.query(), list)
        .get("/tickets/{ticket_id}", read, find)
        .post("/tickets/{ticket_id}/revoke", revoke, self::revoke)
        .post("/tickets/{ticket_id}/reissue", reissue, self::reissue)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Issue {
    order_id: OrderId,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    order_id: Option<OrderId>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Refund,
    Fraud,
    EventCancelled,
    Replaced,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Revoke {
    reason: Reason,
}

#[derive(Debug, Serialize)]
struct IssuedTickets {
    tickets: Vec<IssuedTicket>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct IssuedTicket {
    ticket_id: TicketId,
    /// A data URL of the QR code as PNG with the short code under it, for the holder only.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<String>,
    /// For the holder only.
    #[serde(skip_serializing_if = "Option::is_none")]
    short_code: Option<String>,
}

/// What a gate needs of a ticket: nothing that identifies its buyer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GateView {
    ticket_id: TicketId,
    performance_id: PerformanceId,
    venue_id: VenueId,
    seat_id: Option<SeatId>,
    seat_label: Option<String>,
    bucket_id: Option<BucketId>,
    zone: Option<String>,
    price_category: CategoryCode,
    status: &'static str,
    used_at: Option<DateTime<Utc>>,
    used_gate_id: Option<GateId>,
    /// Somebody else was admitted with it too, perhaps earlier.
    order_unknown: bool,
    /// When its performance admits, as it is planned now; none while that is not known.
    valid_from: Option<DateTime<Utc>>,
    valid_until: Option<DateTime<Utc>>,
    /// Of the venue; the same instants as its clocks show them.
    time_zone: TimeZone,
    used_at_local: Option<DateTime<FixedOffset>>,
    valid_from_local: Option<DateTime<FixedOffset>>,
    valid_until_local: Option<DateTime<FixedOffset>>,
    revision: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    #[serde(flatten)]
    gate: GateView,
    order_id: OrderId,
    /// What stands for the QR code, like `7K3QM-01T2B`; for the holder only, while the ticket is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    short_code: Option<String>,
    unit_price: Money,
    revoked_reason: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

/// Issues the tickets of a paid order, or returns those that it has.
async fn issue(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Issue>,
) -> Answer<impl IntoResponse> {
    let mut tx = app.db.begin(NAME, &caller.cause).await?;
    let tickets = acts::issuing::issue(&app, &mut tx, body.order_id).await?;
    tx.commit().await?;
    let tickets = match tickets {
        Tickets::Issued(tickets) => tickets,
        Tickets::Waiting(reason) => return Err(Error::Issue(reason).into()),
        Tickets::Ended(reason) => return Err(Error::NotIssued(reason).into()),
    };
    let tickets = tickets
        .iter()
        .map(|ticket| {
            let is_holder = holds(&caller, ticket)?;
            Ok(IssuedTicket {
                ticket_id: ticket.id,
                qr: is_holder.then(|| qr_url(ticket)).transpose()?,
                short_code: is_holder.then(|| shown_code(ticket)).flatten(),
            })
        })
        .collect::<Answer<_>>()?;
    Ok((StatusCode::CREATED, Json(IssuedTickets { tickets })))
}

/// The caller's own tickets, newest first.
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Paged<View>>> {
    let paging = Paging::of(query.page, query.size)?;
    let customer = caller.principal()?.user_id.into();
    let mut conn = app.db.read(NAME).await?;
    let window = (paging.offset(), paging.limit());
    let (tickets, total) =
        store::list_tickets_of_customer(&mut conn, customer, query.order_id, window).await?;
    let shows = acts::tickets::shows_of(&mut conn, &tickets).await?;
    drop(conn);
    let views = tickets.into_iter().map(|ticket| {
        let short_code = shown_code(&ticket);
        View {
            short_code,
            ..View::of(ticket, &shows)
        }
    });
    Ok(Json(paging.answer(views.collect(), total)))
}

async fn find(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Response> {
    let (ticket, shows) = acts::tickets::find_with_show(&app, id).await?;
    let who = caller.principal()?;
    if holds(&caller, &ticket)? {
        let short_code = shown_code(&ticket);
        let view = View {
            short_code,
            ..View::of(ticket, &shows)
        };
        return Ok(unstored(Json(view)));
    }
    if who.has_role(Role::Support) || organises(&caller, shows.performance(&ticket))? {
        return Ok(Json(View::of(ticket, &shows)).into_response());
    }
    must_check_in(&app, who, id).await?;
    Ok(Json(GateView::of(&ticket, &shows)).into_response())
}

async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
    Json(body): Json<Revoke>,
) -> Answer<Json<View>> {
    let (before, shows) = acts::tickets::find_with_show(&app, id).await?;
    if !organises(&caller, shows.performance(&before))? {
        return Err(ApiError::forbidden(
            "another organiser runs this performance",
        ));
    }
    let ticket = acts::tickets::revoke(&app, &caller.cause, id, body.reason.code()).await?;
    Ok(Json(View::of(ticket, &shows)))
}

/// A new token for a lost or stolen one.
async fn reissue(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
) -> Answer<Json<View>> {
    let (ticket, shows) = acts::tickets::find_with_show(&app, id).await?;
    if !caller.principal()?.has_role(Role::Support) {
        caller.must_own(ticket.customer_id)?;
    }
    let ticket = acts::tickets::reissue(&app, &caller.cause, id).await?;
    Ok(Json(View::of(ticket, &shows)))
}

pub(super) fn holds(caller: &Caller, ticket: &Ticket) -> Answer<bool> {
    Ok(caller.principal()?.user_id == ticket.customer_id.as_uuid())
}

/// Staff at a gate may read the tickets of events to which they are assigned.
async fn must_check_in(app: &App, who: &Principal, id: TicketId) -> Answer<()> {
    if who.has_role(Role::Checkin) {
        let mut conn = app.db.read(NAME).await?;
        if store::is_assigned(&mut conn, UserId(who.user_id), id).await? {
            return Ok(());
        }
    }
    Err(ApiError::forbidden("this ticket belongs to somebody else"))
}

/// Whether the caller is the organiser of a performance, or an administrator.
pub(super) fn organises(caller: &Caller, performance: Option<&Performance>) -> Answer<bool> {
    let who = caller.principal()?;
    if who.has_role(Role::Admin) {
        return Ok(true);
    }
    Ok(who.has_role(Role::Organizer)
        && performance.is_some_and(|performance| {
            performance.owner_id.as_uuid() == who.user_id
                || (who.org_id.is_some() && performance.org_id == who.org_id)
        }))
}

impl Reason {
    fn code(&self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Fraud => FRAUD,
            Self::EventCancelled => "event_cancelled",
            Self::Replaced => "replaced",
        }
    }
}

impl GateView {
    fn of(ticket: &Ticket, shows: &Shows) -> Self {
        let times = shows.performance(ticket).map(|show| &show.times);
        let time_zone = shows.zone(ticket);
        let local = |at| time_zone.local(at);
        let used_at = ticket.check_in.map(|check_in| date(check_in.at.earliest));
        let (valid_from, valid_until) = (
            times.map(|times| times.admits_from),
            times.map(|times| times.admits_until),
        );
        Self {
            ticket_id: ticket.id,
            performance_id: ticket.performance_id,
            venue_id: ticket.venue_id,
            seat_id: ticket.seat_id,
            seat_label: ticket.seat_label.clone(),
            bucket_id: ticket.bucket_id,
            zone: ticket.zone.clone(),
            price_category: ticket.category,
            status: ticket.status().name(),
            used_at,
            used_gate_id: ticket.check_in.map(|check_in| check_in.gate),
            order_unknown: ticket.order_unknown,
            valid_from,
            valid_until,
            time_zone,
            used_at_local: used_at.map(local),
            valid_from_local: valid_from.map(local),
            valid_until_local: valid_until.map(local),
            revision: ticket.revision,
        }
    }
}

impl View {
    pub(super) fn of(ticket: Ticket, shows: &Shows) -> Self {
        Self {
            gate: GateView::of(&ticket, shows),
            order_id: ticket.order_id,
            short_code: None,
            unit_price: ticket.unit_price,
            revoked_reason: ticket.revoked,
            created_at: ticket.created_at,
            updated_at: ticket.updated_at,
            version: ticket.version,
        }
    }
}
