//! A guest is inside, and the money goes back: it stands in the report, and the venue is alarmed.

use eventify_contracts::inventory::GuestDisplaced;
use eventify_contracts::ticketing::RefundedAdmitted;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{GateId, VenueId};
use serde_json::json;

use super::alarms;
use crate::contexts::fleet::App;
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::store::{gates, refunded};

/// Stores a version of a finding, and alarms the venue once.
pub(crate) async fn record(
    app: &App,
    tx: &mut Tx,
    finding: &RefundedAdmitted,
    version: i32,
) -> DbResult<()> {
    refunded::upsert(tx, finding, version).await?;
    let Some(new) = refunded::claim_alarm(tx, finding.ticket_id, app.clock.now()).await? else {
        return Ok(());
    };
    let gate_name = gate_name(tx, new.venue_id, new.admission.gate_id).await?;
    let alarm = Alarm::new(Code::RefundedGuestAdmitted)
        .of_venue(new.venue_id)
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

/// None for a gate of another venue.
async fn gate_name(tx: &mut Tx, venue: VenueId, gate: GateId) -> DbResult<Option<String>> {
    let mut gates = gates::list(tx, venue).await?.into_iter();
    Ok(gates.find(|it| it.gate_id == gate).map(|it| it.name))
}
