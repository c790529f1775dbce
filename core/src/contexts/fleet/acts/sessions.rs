//! Two living processes with one identity: the younger is told to stop, and somebody hears of it
//! (ADMISSION 4.7).

use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::SessionId;
use eventify_protocol::sync::{Config, Down, Hello};
use eventify_sync::core::sessions::{Heard, hear};
use serde_json::json;

use super::{alarms, messages};
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::{nodes, sessions};
use crate::contexts::fleet::{App, NAME};

/// Whether the sender of a `Hello` is the node. A release without sessions is.
pub(super) async fn is_the_node(
    app: &App,
    cause: &Cause,
    node: &Node,
    hello: &Hello,
) -> DbResult<bool> {
    let Some(session) = hello.session else {
        return Ok(true);
    };
    let mut tx = app.db.begin(NAME, cause).await?;
    nodes::lock(&mut tx, node.node_id).await?;
    let known = sessions::list(&mut tx, node.node_id).await?;
    let heard = hear(&known, session, hello.sent_after);
    match &heard {
        Heard::New => sessions::insert(&mut tx, node.node_id, session).await?,
        Heard::Elder(younger) => {
            sessions::mark_duplicates(&mut tx, node.node_id, younger).await?;
            let details = json!({
                "goesOn": session,
                "stops": younger,
            });
            let alarm = Alarm::new(Code::NodeDuplicated).of_node(node.venue_id, node.node_id);
            alarms::raise_in(app, &mut tx, &alarm.with(details)).await?;
        }
        Heard::Current | Heard::Duplicate => {}
    }
    tx.commit().await?;
    if heard == Heard::Duplicate {
        stop(app, node, session).await;
        return Ok(false);
    }
    Ok(true)
}

async fn stop(app: &App, node: &Node, session: SessionId) {
    let config = Config {
        revoked: false,
        duplicate: Some(session),
        scanners: None,
        time_zone: None,
    };
    messages::send(app, node.node_id, Down::Config(config)).await;
}
