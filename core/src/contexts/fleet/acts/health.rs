//! Health reports of nodes, and the changes of mode in them.

use eventify_contracts::fleet::NodeModeChanged;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::sync::Health;
use serde_json::json;

use super::alarms;
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::health::{bounded, mode_name};
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::health::{self, NodeHealth};
use crate::contexts::fleet::{App, NAME};

/// Changes of a node's mode that are kept and published within a day: far more than the worst line
/// makes. Of more, the last report alone tells.
const MAX_CHANGES_A_DAY: i64 = 2_000;

/// Stores a report, and publishes that the mode has changed.
pub(crate) async fn record(app: &App, cause: &Cause, node: &Node, report: &Health) -> DbResult<()> {
    let report = bounded(report);
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let before = health::lock(&mut tx, node.node_id).await?;
    let mode = mode_name(report.mode);
    let health = NodeHealth::new(node.node_id, &report, before.as_ref(), now)?;
    health::upsert(&mut tx, &health).await?;
    let changes = before.as_ref().map(|before| before.mode_changes);
    let is_change = changes != Some(health.mode_changes);
    if is_change && health::changes_of_day(&mut tx, node.node_id).await? >= MAX_CHANGES_A_DAY {
        let details = json!({ "topic": "mode changes", "aDay": MAX_CHANGES_A_DAY });
        let alarm = Alarm::new(Code::NodeFloods).of_node(node.venue_id, node.node_id);
        alarms::raise_in(app, &mut tx, &alarm.with(details)).await?;
    } else if is_change {
        health::insert_change(&mut tx, &health).await?;
        let event = NodeModeChanged {
            node_id: node.node_id,
            venue_id: node.venue_id,
            from: before.map(|before| before.mode),
            to: mode.to_owned(),
            at: now,
        };
        tx.publish(app.clock.new_id(), health.mode_changes, &event);
    }
    tx.commit().await
}
