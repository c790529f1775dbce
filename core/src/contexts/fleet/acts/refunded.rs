//! A guest is inside, and the money goes back: it stands in the report, and the venue is alarmed.

use eventify_contracts::inventory::GuestDisplaced;
use eventify_contracts::ticketing::RefundedAdmitted;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use serde_json::json;

use super::alarms;
use crate::contexts::fleet::App;
use crate::contexts::fleet::model::alarm::{
    Alarm, Code, ORGANISATION, ORGANISER, PERFORMANCE, TICKET,
};
use crate::contexts::fleet::store::{gates, performances, refunded};

/// Stores a version of a finding, and alarms the venue once.
pub(crate) async fn record(
    app: &App,
    tx: &mut Tx,
    finding: &RefundedAdmitted,
    version: i32,
) -> DbResult<()> {
    refunded::upsert(tx, finding, version).await?;
    let Some(new) = refunded::claim_alarm(tx, finding.ticket_id, app.clock.now()).await? else {
        if refunded::is_dissolved(tx, finding.ticket_id).await? {
            alarms::end_in(app, tx, Code::RefundedGuestAdmitted, &finding.ticket_id).await?;
        }
        return Ok(());
    };
    let gate_name = gate_name(tx, new.venue_id, new.admission.gate_id).await?;
    let alarm = Alarm::new(Code::RefundedGuestAdmitted)
        .of_venue(new.venue_id)
        .of(TICKET, &new.ticket_id)
        .also(PERFORMANCE, &new.performance_id);
    let alarm = of_organiser(tx, alarm, new.performance_id)
        .await?
        .with(json!({
            "ticketId": new.ticket_id,
            "orderId": new.order_id,
            "performanceId": new.performance_id,
            "place": new.place(),
            "amount": new.amount,
            "refundId": new.refund_id,
            "state": new.state(),
            "gateId": new.admission.gate_id,
            "gateName": gate_name,
            "nodeId": new.admission.node_id,
            "scanId": new.admission.scan_id,
            "earliest": new.admission.earliest,
            "latest": new.admission.latest,
        }));
    alarms::raise_in(app, tx, &alarm).await
}

/// The guest's place was given back before anybody knew of the guest: two people may want it.
pub(crate) async fn alarm_displaced(app: &App, tx: &mut Tx, told: &GuestDisplaced) -> DbResult<()> {
    let gate_name = gate_name(tx, told.venue_id, told.gate_id).await?;
    let alarm = Alarm::new(Code::GuestDisplaced)
        .of_venue(told.venue_id)
        .of(TICKET, &told.ticket_id)
        .also(PERFORMANCE, &told.performance_id);
    let alarm = of_organiser(tx, alarm, told.performance_id)
        .await?
        .with(json!({
            "ticketId": told.ticket_id,
            "orderId": told.order_id,
            "performanceId": told.performance_id,
            "place": told.place,
            "placeState": told.place_state,
            "soldTo": told.sold_to,
            "releasedAt": told.released_at,
            "gateId": told.gate_id,
            "gateName": gate_name,
            "earliest": told.earliest,
            "latest": told.latest,
        }));
    alarms::raise_in(app, tx, &alarm).await
}

/// The show's organiser decides with the venue, and reads the same.
async fn of_organiser(tx: &mut Tx, alarm: Alarm, show: PerformanceId) -> DbResult<Alarm> {
    let known = performances::find_organiser(tx, show).await?;
    let (owner, org) = known.unwrap_or_default();
    let owned = owner
        .into_iter()
        .fold(alarm, |alarm, id| alarm.also(ORGANISER, &id));
    Ok(org
        .into_iter()
        .fold(owned, |alarm, id| alarm.also(ORGANISATION, &id)))
}

/// None for a gate of another venue.
async fn gate_name(tx: &mut Tx, venue: VenueId, gate: GateId) -> DbResult<Option<String>> {
    let mut gates = gates::list(tx, venue).await?.into_iter();
    Ok(gates.find(|it| it.gate_id == gate).map(|it| it.name))
}
