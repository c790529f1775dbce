//! Check-in over REST, and who is assigned to it.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, GateId, ScanId, ScannerId, TicketId, UserId};
use eventify_protocol::token::Parsed;
use eventify_protocol::verdict::{FirstEntry, Verdict};
use serde::{Deserialize, Serialize};

use super::tickets::organises;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::api::admission::{self, Answered, Asked, Presented};
use crate::contexts::ticketing::model::date;
use crate::contexts::ticketing::{NAME, api, store};
use eventify_kernel::auth::Role;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path, Policy, Routes, StatusCode};

const CHECKERS: &[Role] = &[
    Role::Checkin,
    Role::Supervisor,
    Role::Organizer,
    Role::Admin,
];
const ORGANISERS: &[Role] = &[Role::Organizer, Role::Admin];
/// Longest name of a device.
const MAX_DEVICE_CHARS: usize = 100;

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let check_in = Policy::roles(CHECKERS)
        .scopes(&["ticket:checkin"])
        .owner("assignment");
    let assign = Policy::roles(ORGANISERS).owner("performance.owner_id");
    routes
        .post("/tickets/{ticket_id}/check-in", check_in, self::check_in)
        .get("/events/{event_id}/check-in-assignments", assign, list)
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CheckIn {
    gate_id: GateId,
    /// The same for each repeat of one check-in.
    scan_id: Option<ScanId>,
    device_id: Option<String>,
    /// The scanned token; without it the caller vouches for the ticket.
    token: Option<String>,
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

#[derive(Debug, Serialize)]
struct Assignments {
    items: Vec<Assignment>,
}

async fn check_in(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<TicketId>,
    Json(body): Json<CheckIn>,
) -> Answer<Json<CheckedIn>> {
    may_check_in(&app, &caller, id).await?;
    let asked = asked(&app, &caller, id, body)?;
    let answered = admission::decide(&app, &caller.cause, &asked).await?;
    match checked_in(id, &asked, &answered) {
        Some(checked_in) => Ok(Json(checked_in)),
        None => Err(refusal(&answered.verdict)),
    }
}

fn asked(app: &App, caller: &Caller, id: TicketId, body: CheckIn) -> Answer<Asked> {
    let user = caller.principal()?.user_id;
    if body
        .device_id
        .as_ref()
        .is_some_and(|device| device.chars().count() > MAX_DEVICE_CHARS)
    {
        return Err(ApiError::invalid(
            "deviceId",
            format!("at most {MAX_DEVICE_CHARS} characters"),
        ));
    }
    if let Some(text) = &body.token
        && Parsed::read(text).is_ok_and(|token| token.unverified_claims().ticket != id)
    {
        return Err(ApiError::unprocessable(
            "token_mismatch",
            "the token is of another ticket",
        ));
    }
    let of_key = || caller.key.as_ref().map(|key| ScanId(key.inner("scan")));
    Ok(Asked {
        scan: body
            .scan_id
            .or_else(of_key)
            .unwrap_or_else(|| ScanId(app.clock.new_id())),
        scanner: ScannerId(user),
        gate: body.gate_id,
        node: None,
        device: body.device_id,
        presented: body.token.map_or(Presented::Ticket(id), Presented::Text),
        deadline: None,
        replaces: Vec::new(),
    })
}

fn checked_in(id: TicketId, asked: &Asked, answered: &Answered) -> Option<CheckedIn> {
    if answered.verdict != Verdict::Admit {
        return None;
    }
    let entry = answered.ticket.as_ref().and_then(|ticket| ticket.check_in);
    Some(CheckedIn {
        status: "checked_in",
        at: date(entry.map_or(answered.at, |entry| entry.at.earliest)),
        ticket_id: id,
        gate_id: asked.gate,
        scan_id: asked.scan,
    })
}

/// Why a guest is not let in, in the words of HTTP.
fn refusal(verdict: &Verdict) -> ApiError {
    match verdict {
        Verdict::AlreadyUsed { first } => already_used(first),
        Verdict::Revoked => ApiError::conflict("ticket_revoked", "the ticket was revoked"),
        Verdict::NotValidHere { .. } => {
            ApiError::unprocessable("not_valid_here", "the ticket is not for this gate")
        }
        Verdict::NotYet { .. } => ApiError::unprocessable("not_yet", "the doors are not open yet"),
        Verdict::Expired { .. } => ApiError::gone("ticket_expired", "the performance is over"),
        Verdict::Unreadable => ApiError::unprocessable("token_unreadable", "this is no ticket"),
        Verdict::Forged => ApiError::unprocessable("token_forged", "nobody of us signed this"),
        Verdict::Admit
        | Verdict::UnknownOffline
        | Verdict::ResyncRequired
        | Verdict::TryAgain
        | Verdict::NodeFault => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "try_again",
            "not decided; scan again",
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

/// Those assigned to the event, its organiser, administrators.
async fn may_check_in(app: &App, caller: &Caller, id: TicketId) -> Answer<()> {
    let (_, performance) = api::tickets::with_performance(app, id).await?;
    if organises(caller, performance.as_ref())? {
        return Ok(());
    }
    let user = UserId(caller.principal()?.user_id);
    let mut conn = app.db.read(NAME).await?;
    if store::is_assigned(&mut conn, user, id).await? {
        return Ok(());
    }
    Err(ApiError::forbidden("you are not assigned to this event"))
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(event): Path<EventId>,
) -> Answer<Json<Assignments>> {
    must_organise(&app, &caller, event).await?;
    let mut conn = app.db.read(NAME).await?;
    let assigned = store::assigned(&mut conn, event).await?;
    let items = assigned
        .into_iter()
        .map(|(user_id, assigned_at)| Assignment {
            user_id,
            assigned_at,
        })
        .collect();
    Ok(Json(Assignments { items }))
}

async fn assign(
    State(app): State<App>,
    caller: Caller,
    Path((event, user)): Path<(EventId, UserId)>,
) -> Answer<StatusCode> {
    let by = must_organise(&app, &caller, event).await?;
    let mut conn = app.db.read(NAME).await?;
    store::assign(&mut conn, event, user, by, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unassign(
    State(app): State<App>,
    caller: Caller,
    Path((event, user)): Path<(EventId, UserId)>,
) -> Answer<StatusCode> {
    must_organise(&app, &caller, event).await?;
    let mut conn = app.db.read(NAME).await?;
    store::unassign(&mut conn, event, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn must_organise(app: &App, caller: &Caller, event: EventId) -> Answer<UserId> {
    let who = caller.principal()?;
    let mut conn = app.db.read(NAME).await?;
    let (owner, org) = store::organiser_of_event(&mut conn, event)
        .await?
        .ok_or_else(|| ApiError::not_found("event_not_found", "no performance of it is known"))?;
    let is_theirs = owner.as_uuid() == who.user_id || (org.is_some() && org == who.org_id);
    if is_theirs || who.has_role(Role::Admin) {
        return Ok(UserId(who.user_id));
    }
    Err(ApiError::forbidden("this event is somebody else's"))
}
