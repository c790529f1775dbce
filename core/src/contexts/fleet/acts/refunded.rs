//! A guest is inside, and the money goes back: it stands in the report, and the venue is alarmed.

use eventify_contracts::ticketing::RefundedAdmitted;
use eventify_kernel::db::{DbResult, Tx};
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
    let mut gates = gates::list(tx, new.venue_id).await?.into_iter();
    let gate = gates.find(|gate| gate.gate_id == new.admission.gate_id);
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
            "gateName": gate.map(|gate| gate.name),
            "nodeId": new.admission.node_id,
            "scanId": new.admission.scan_id,
            "earliest": new.admission.earliest,
            "latest": new.admission.latest,
        }));
    alarms::raise_in(app, tx, &alarm).await
}
