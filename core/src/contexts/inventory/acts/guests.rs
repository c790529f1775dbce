//! A guest is inside whose money went back: whoever releases the place has to know, and where it was
//! given back before, the venue has to.

use eventify_contracts::inventory::{GuestDisplaced, PlaceState};
use eventify_contracts::ticketing::RefundedAdmitted;
use eventify_kernel::app::App;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{OrderId, SeatId};

use crate::contexts::inventory::store::{guests, kept_back, layout, orders};

/// Stores a version of a finding. A guest whose place was given back is published once.
pub(crate) async fn record(
    app: &App,
    tx: &mut Tx,
    found: &RefundedAdmitted,
    version: i32,
) -> DbResult<()> {
    // A release that does not see the guest is seen here.
    orders::lock(tx, found.order_id).await?;
    let guest = found.guest();
    let state = (version, found.dissolved);
    if !guests::upsert(tx, found.ticket_id, &guest, state).await? || found.dissolved {
        return Ok(());
    }
    let (performance, ticket) = (found.performance_id, found.ticket_id);
    let kept = kept_back::find(tx, performance, ticket).await?;
    let (released_at, seat) = match kept {
        Some(kept) => match kept.released {
            Some(release) => (Some(release.at), kept.ticket.place.seat()),
            None => return Ok(()),
        },
        None if kept_back::is_decided(tx, ticket).await? => {
            let seat = match &found.seat_label {
                Some(label) => guests::find_seat(tx, performance, label).await?,
                None => None,
            };
            (None, seat)
        }
        // It is still its order's.
        None => return Ok(()),
    };
    let place = layout::find_place(tx, performance).await?;
    if place.is_none_or(|it| it.is_cancelled) {
        return Ok(());
    }
    if !guests::claim(tx, ticket, app.clock.now()).await? {
        return Ok(());
    }
    let (place_state, sold_to) = place_state(tx, found, seat).await?;
    let event = GuestDisplaced {
        ticket_id: ticket,
        order_id: found.order_id,
        venue_id: found.venue_id,
        performance_id: performance,
        place: found.place().map(str::to_owned),
        place_state,
        sold_to,
        released_at,
        gate_id: guest.gate_id,
        earliest: guest.earliest,
        latest: guest.latest,
    };
    tx.publish(app.clock.new_id(), version, &event);
    Ok(())
}

async fn place_state(
    tx: &mut Tx,
    found: &RefundedAdmitted,
    seat: Option<SeatId>,
) -> DbResult<(PlaceState, Option<OrderId>)> {
    let Some(seat) = seat else {
        return Ok((PlaceState::Unnumbered, None));
    };
    let taker = guests::find_taker(tx, found.performance_id, seat).await?;
    Ok(match taker {
        None => (PlaceState::Free, None),
        Some((false, _)) => (PlaceState::Held, None),
        Some((true, order)) => (PlaceState::Sold, order),
    })
}
