//! Check-in over REST, and who is assigned to which event.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_kernel::auth::Role;
use eventify_kernel::http::{
    Answer, ApiError, Caller, Json, Paged, Paging, Path, Policy, Routes, StatusCode, not_null,
};
use eventify_protocol::ids::{EventId, GateId, ScanId, ScannerId, TicketId, UserId, VenueId};
use eventify_protocol::text;
use eventify_protocol::time::CoreTime;
use eventify_protocol::token::Parsed;
use eventify_protocol::verdict::{FirstEntry, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tickets::organises;
use crate::contexts::ticketing::acts::{self, Error};
use crate::contexts::ticketing::model::{Presented, ScanAnswer, ScanRequest, date};
use crate::contexts::ticketing::{App, NAME, store};

const CHECKERS: &[Role] = &[
    Role::Checkin,
    Role::Supervisor,
    Role::Organizer,
    Role::Admin,
];
const ORGANISERS: &[Role] = &[Role::Organizer, Role::Admin];
/// Those who answer for letting in outside of a performance's times.
const SUPERVISORS: &[Role] = &[Role::Supervisor, Role::Organizer, Role::Admin];
/// Longest reason.
const MAX_REASON_CHARS: usize = 200;
/// Longest name of a device.
const MAX_DEVICE_CHARS: usize = 100;

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let check_in = Policy::roles(CHECKERS)
        .scopes(&["ticket:checkin"])
        .owner("assignment");
    let assign = Policy::roles(ORGANISERS).owner("performance.owner_id");
    routes
        .post("/tickets/{ticket_id}/check-in", check_in, self::check_in)
        .get(
            "/events/{event_id}/check-in-assignments",
            assign.query(),
            list,
        )
        .put(
            "/events/{event_id}/check-in-assignments/{user_id}",
            assign,
            self::assign,
        )
        .delete(
            "/events/{event_id}/check-in-assignments/{user_id}",
            assign,
            unassign,
        )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CheckIn {
    /// Left out where the venue has no gates: then the venue itself is the only door.
    #[serde(default, deserialize_with = "not_null")]
    gate_id: Option<GateId>,
    /// The same for each repeat of one check-in.
    scan_id: Option<ScanId>,
    device_id: Option<String>,
    /// The scanned token; without it the caller vouches for the ticket.
    #[serde(default, deserialize_with = "not_null")]
    token: Option<String>,
    /// A supervisor's words for letting in outside of the performance's times.
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckedIn {
    status: &'static str,
    at: DateTime<Utc>,
    ticket_id: TicketId,
    gate_id: GateId,
    scan_id: ScanId,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    user_id: UserId,
    assigned_at: DateTime<Utc>,
}

async fn check_in(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
    Json(body): Json<CheckIn>,
) -> Answer<Json<CheckedIn>> {
    let venue = may_check_in(&app, &caller, id).await?;
    let door = door(&app, body.gate_id, venue).await?;
    let request = scan_request(&app, &caller, (id, door), body)?;
    let (gate_id, scan_id) = (request.gate, request.scan);
    let answer = acts::scans::submit(&app, &caller.cause, request).await?;
    if answer.verdict != Verdict::Admit {
        return Err(refusal(&answer.verdict));
    }
    Ok(Json(CheckedIn {
        status: "checked_in",
        at: date(entered_at(&answer)),
        ticket_id: id,
        gate_id,
        scan_id,
    }))
}

/// A gate, and whether it is the venue itself.
type Door = (GateId, bool);

/// The gate that is named; of a venue without gates none need be.
async fn door(app: &App, named: Option<GateId>, venue: VenueId) -> Answer<Door> {
    if let Some(gate) = named {
        return Ok((gate, false));
    }
    let mut conn = app.db.read(NAME).await?;
    if store::has_gates(&mut conn, venue).await? {
        let issue = "must name a gate: the venue has gates (GET /fleet/gates)";
        return Err(ApiError::invalid("gateId", issue));
    }
    Ok((GateId(venue.as_uuid()), true))
}

fn scan_request(
    app: &App,
    caller: &Caller,
    (id, (gate, is_only_door)): (TicketId, Door),
    body: CheckIn,
) -> Answer<ScanRequest> {
    let device = body
        .device_id
        .map(|device| text::line(&device, 0..=MAX_DEVICE_CHARS));
    let device = device.transpose();
    let device = device.map_err(|unfit| ApiError::invalid("deviceId", unfit.to_string()))?;
    let reason = body.reason.map(|reason| supervised(caller, &reason));
    if let Some(text) = &body.token
        && Parsed::read(text).is_ok_and(|token| token.unverified_claims().ticket != id)
    {
        return Err(ApiError::unprocessable(
            "token_mismatch",
            "the token is of another ticket",
        ));
    }
    let of_key = || caller.key.as_ref().map(|key| ScanId(key.inner("scan")));
    let keys = app.keys.in_force().map_err(Error::from)?;
    Ok(ScanRequest {
        scan: body
            .scan_id
            .or_else(of_key)
            .unwrap_or_else(|| ScanId(app.clock.new_id())),
        scanner: ScannerId(caller.principal()?.user_id),
        gate,
        is_only_door,
        node: None,
        device,
        out_of_hours: reason.transpose()?,
        presented: match body.token {
            Some(text) => Presented::token(text, &keys),
            None => Presented::Ticket(id),
        },
        deadline: None,
        replaces: Vec::new(),
    })
}

/// A reason is given by those alone who may decide so.
fn supervised(caller: &Caller, reason: &str) -> Answer<String> {
    let who = caller.principal()?;
    if !SUPERVISORS.iter().any(|role| who.has_role(*role)) {
        return Err(ApiError::forbidden(
            "only a supervisor lets in outside of the performance's times",
        ));
    }
    text::line(reason, 1..=MAX_REASON_CHARS)
        .map_err(|unfit| ApiError::invalid("reason", unfit.to_string()))
}

/// The same for each repeat.
fn entered_at(answer: &ScanAnswer) -> CoreTime {
    let check_in = answer.ticket.as_ref().and_then(|ticket| ticket.check_in);
    check_in.map_or(answer.at, |check_in| check_in.at.earliest)
}

/// Why a guest is not admitted.
fn refusal(verdict: &Verdict) -> ApiError {
    match verdict {
        Verdict::AlreadyUsed { first } => already_used(first),
        Verdict::Revoked => ApiError::conflict("ticket_revoked", "the ticket was revoked"),
        Verdict::NotValidHere { .. } => {
            ApiError::unprocessable("not_valid_here", "the ticket is not for this gate")
        }
        Verdict::NotYet { .. } => ApiError::unprocessable("not_yet", "the doors are not open yet"),
        Verdict::Expired { .. } => ApiError::gone("ticket_expired", "the performance is over"),
        Verdict::Unreadable => {
            ApiError::unprocessable("token_unreadable", "the text is not a ticket token")
        }
        Verdict::Forged => {
            ApiError::unprocessable("token_forged", "the token is not signed by a valid key")
        }
        Verdict::Admit
        | Verdict::UnknownOffline
        | Verdict::ResyncRequired
        | Verdict::TryAgain
        | Verdict::NodeFault => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "try_again",
            "the scan was not decided; scan again",
        )
        .retry_after(1),
    }
}

fn already_used(first: &FirstEntry) -> ApiError {
    let at = date(first.at).to_rfc3339();
    ApiError::conflict(
        "already_used",
        format!("used at {at} at gate {}", first.gate),
    )
    .field("first.at", at)
    .field("first.gateId", first.gate.to_string())
    .field("first.confirmed", first.confirmed.to_string())
}

/// Allowed are those assigned to the event, its organiser and administrators. Answers the ticket's venue.
async fn may_check_in(app: &App, caller: &Caller, id: TicketId) -> Answer<VenueId> {
    let (ticket, shows) = acts::tickets::find_with_show(app, id).await?;
    if organises(caller, shows.performance(&ticket))? {
        return Ok(ticket.venue_id);
    }
    let user = UserId(caller.principal()?.user_id);
    let mut conn = app.db.read(NAME).await?;
    if store::is_assigned(&mut conn, user, id).await? {
        return Ok(ticket.venue_id);
    }
    Err(ApiError::forbidden("you are not assigned to this event"))
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(event): Path<EventId>,
    paging: Paging,
) -> Answer<Json<Paged<Assignment>>> {
    must_organise(&app, &caller, event).await?;
    let mut conn = app.db.read(NAME).await?;
    let (assignments, total) = store::list_assignments(&mut conn, event, paging).await?;
    let items = assignments
        .into_iter()
        .map(|(user_id, assigned_at)| Assignment {
            user_id,
            assigned_at,
        });
    Ok(Json(paging.answer(items.collect(), total)))
}

async fn assign(
    State(app): State<App>,
    caller: Caller,
    Path((event, user)): Path<(EventId, UserId)>,
) -> Answer<StatusCode> {
    let by = must_organise(&app, &caller, event).await?;
    let mut conn = app.db.read(NAME).await?;
    store::insert_assignment(&mut conn, event, user, by, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unassign(
    State(app): State<App>,
    caller: Caller,
    Path((event, user)): Path<(EventId, UserId)>,
) -> Answer<StatusCode> {
    must_organise(&app, &caller, event).await?;
    let mut conn = app.db.read(NAME).await?;
    store::delete_assignment(&mut conn, event, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn must_organise(app: &App, caller: &Caller, event: EventId) -> Answer<UserId> {
    let who = caller.principal()?;
    let mut conn = app.db.read(NAME).await?;
    let (owner, org) = store::find_organiser(&mut conn, event)
        .await?
        .ok_or_else(|| ApiError::not_found("event_not_found", "the event has no performance"))?;
    let is_theirs = owner.as_uuid() == who.user_id || (org.is_some() && org == who.org_id);
    if is_theirs || who.has_role(Role::Admin) {
        return Ok(UserId(who.user_id));
    }
    Err(ApiError::forbidden("another organiser runs this event"))
}
