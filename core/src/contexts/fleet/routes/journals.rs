//! `/fleet/nodes/{nodeId}/journal`: the rows as the node wrote them.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Paged, Paging, Path};
use eventify_protocol::ids::NodeId;
use eventify_protocol::sync::{JournalRow, SealedRow};
use serde::Serialize;
use serde_json::Value;

use crate::contexts::fleet::acts::nodes;
use crate::contexts::fleet::store::journal_rows;
use crate::contexts::fleet::{App, NAME};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowView {
    #[serde(flatten)]
    row: JournalRow,
    hash: String,
    received_at: DateTime<Utc>,
    /// Ticketing's outcome; none before it is known, and for rows that are no decision.
    outcome: Option<Value>,
}

pub(super) async fn journal(
    State(app): State<App>,
    caller: Caller,
    Path(node): Path<NodeId>,
    paging: Paging,
) -> Answer<Json<Paged<RowView>>> {
    let mut conn = app.db.read(NAME).await?;
    nodes::own(&mut conn, caller.principal()?, node).await?;
    let (rows, total) = journal_rows::list(&mut conn, node, paging).await?;
    let items = rows.into_iter().map(|listed| {
        let sealed = SealedRow::read(&listed.bytes).map_err(ApiError::internal)?;
        Ok(RowView {
            row: sealed.row().clone(),
            hash: sealed.hash().to_string(),
            received_at: listed.received_at,
            outcome: listed.outcome.map(|outcome| outcome.0),
        })
    });
    let items = items.collect::<Result<Vec<_>, ApiError>>()?;
    Ok(Json(paging.answer(items, total)))
}
