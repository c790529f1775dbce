//! Watches the gates: whether each would let a guest in.

use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;

use super::alarms;
use crate::contexts::fleet::model::watch::WATCHED;
use crate::contexts::fleet::store::watch;
use crate::contexts::fleet::{App, NAME};

/// Raises an alarm for each node that a show needs and that does not work, and ends those that are over:
/// the node is heard again, or the show has gone by.
pub(crate) async fn watch_gates(app: &App, cause: &Cause) -> DbResult<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let nodes = watch::list(&mut tx, now).await?;
    let found = nodes.iter();
    let found: Vec<_> = found
        .flat_map(|node| node.alarms(app.state.listening_since, now))
        .collect();
    for code in WATCHED {
        let of_code = found.iter().filter(|alarm| alarm.code == code).cloned();
        alarms::set_in(app, &mut tx, code, &of_code.collect::<Vec<_>>()).await?;
    }
    tx.commit().await
}
