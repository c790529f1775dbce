//! What whoever runs a show does with the places that are kept back.

use std::collections::BTreeMap;

use eventify_kernel::app::App;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_protocol::ids::{GateId, PerformanceId, TicketId};
use eventify_protocol::zone::TimeZone;

use super::sale;
use super::stock::{StockError, must_manage};
use crate::contexts::fleet::api::{self as fleet, SilentNode};
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::kept_back::{Doubt, KeptPlace, Release};
use crate::contexts::inventory::store::layout::{self, Place};
use crate::contexts::inventory::store::{kept_back, orders};

/// Names of the gates where guests were admitted.
pub(crate) type GateNames = BTreeMap<GateId, String>;

/// A page of what is kept back, the oldest first, and how much there is; what was released too, if
/// that is wanted.
pub(crate) async fn list(
    app: &App,
    caller: &Principal,
    performance: PerformanceId,
    and_released: bool,
    window: (i64, i64),
) -> Result<(Vec<KeptPlace>, i64, GateNames), StockError> {
    let mut conn = app.db.read(NAME).await?;
    must_manage(&mut conn, caller, performance).await?;
    let (kept, total) = kept_back::list(&mut conn, performance, and_released, window).await?;
    drop(conn);
    let names = gate_names(app, &kept).await?;
    Ok((kept, total, names))
}

async fn gate_names(app: &App, kept: &[KeptPlace]) -> Result<GateNames, StockError> {
    let guests = kept.iter().filter_map(|it| it.guest.as_ref());
    let gates: Vec<_> = guests.map(|guest| guest.gate_id).collect();
    if gates.is_empty() {
        return Ok(GateNames::default());
    }
    Ok(fleet::gate_names(app, &gates).await?)
}

/// What a release says.
#[derive(Clone, Debug)]
pub(crate) struct ReleaseRequest {
    pub(crate) note: Option<String>,
    /// The second word: somebody has looked, or takes it upon themselves.
    pub(crate) guest_may_be_inside: bool,
}

/// Frees a place. The first release counts; another one changes nothing and is answered with it.
/// Where a guest is known to be inside, or a gate has not said whom it let in, it needs a second word.
///
/// Of a cancelled performance without any: nobody can hold a place there, free or not.
pub(crate) async fn release(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    which: (PerformanceId, TicketId),
    request: ReleaseRequest,
) -> Result<(KeptPlace, GateNames), StockError> {
    let (performance, ticket) = which;
    let mut conn = app.db.read(NAME).await?;
    must_manage(&mut conn, caller, performance).await?;
    let found = kept_back::find(&mut conn, performance, ticket).await?;
    let found = found.ok_or(StockError::NotKeptBack)?;
    let place = layout::find_place(&mut conn, performance).await?;
    drop(conn);
    // Other contexts are asked before the lock.
    let is_cancelled = place.as_ref().is_some_and(|it| it.is_cancelled);
    let zone = place.as_ref().map_or(TimeZone::UTC, Place::time_zone);
    let not_heard = match place {
        Some(place) if !is_cancelled && found.concerns_gates() => {
            fleet::list_silent(app, place.venue_id, found.since, found.gates_since).await?
        }
        Some(_) | None => Vec::new(),
    };
    let mut tx = app.db.begin(NAME, cause).await?;
    // Whatever becomes of places of one order happens one after the other.
    orders::lock(&mut tx, found.ticket.order).await?;
    let found = kept_back::find(&mut tx, performance, ticket).await?;
    let found = found.ok_or(StockError::NotKeptBack)?;
    let doubt = found.doubt(!not_heard.is_empty());
    let doubt = doubt.filter(|_| !is_cancelled && found.released.is_none());
    if !request.guest_may_be_inside
        && let Some(doubt) = doubt
    {
        drop(tx);
        let names = gate_names(app, std::slice::from_ref(&found)).await?;
        return Err(match doubt {
            Doubt::GuestInside => StockError::GuestInside(guest_in_words(&found, &names, zone)),
            Doubt::GatesNotHeard => StockError::GatesNotHeard(nodes_in_words(&not_heard, zone)),
        });
    }
    let release = Release {
        at: app.clock.now(),
        by: caller.user_id.into(),
        note: request.note,
        despite: doubt,
    };
    let place = if kept_back::release(&mut tx, ticket, &release).await? {
        sale::give_back(app, &mut tx, &found.ticket).await?;
        tx.commit().await?;
        tracing::info!(code = "inventory.place_released", ticket_id = %ticket,
            user_id = %release.by, "a place that was kept back can be sold again");
        let released = Some(release);
        KeptPlace { released, ..found }
    } else {
        found
    };
    let names = gate_names(app, std::slice::from_ref(&place)).await?;
    Ok((place, names))
}

fn guest_in_words(kept: &KeptPlace, names: &GateNames, zone: TimeZone) -> String {
    let Some(guest) = &kept.guest else {
        return String::new();
    };
    let gate = names.get(&guest.gate_id).map_or("a gate", String::as_str);
    format!(" at {gate}, {}", zone.minute(guest.earliest))
}

fn nodes_in_words(silent: &[SilentNode], zone: TimeZone) -> String {
    let of = |node: &SilentNode| {
        let gates = match &node.gates[..] {
            [] => String::new(),
            gates => format!(" at {}", gates.join(", ")),
        };
        format!(
            "{}{gates} (last heard {})",
            node.label,
            zone.minute(node.heard_at)
        )
    };
    silent.iter().map(of).collect::<Vec<_>>().join(", ")
}
