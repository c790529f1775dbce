//! Journal rows for reports.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::SealedRow;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_kernel::http::Paging;

/// One row as the API lists it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Listed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) outcome: Option<Json<Value>>,
}

/// A page of a node's rows, in their order.
pub(crate) async fn page(
    conn: &mut PgConnection,
    node: NodeId,
    paging: Paging,
) -> DbResult<(Vec<Listed>, i64)> {
    let rows = sqlx::query_as(
        "select bytes, received_at, outcome
         from journal_rows join journals using (node_id, incarnation)
         where node_id = $1 order by file_number, journal_rows.seq offset $2 limit $3",
    )
    .bind(node.as_uuid())
    .bind(paging.offset())
    .bind(paging.limit())
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar("select count(*) from journal_rows where node_id = $1")
        .bind(node.as_uuid())
        .fetch_one(conn)
        .await?;
    Ok((rows, total))
}

/// All rows of a venue's nodes that were received in a span, node by node, in their order.
pub(crate) async fn of_venue(
    conn: &mut PgConnection,
    venue: VenueId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> DbResult<Vec<(NodeId, Vec<SealedRow>)>> {
    let rows: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
        "select node_id, bytes
         from journal_rows join journals using (node_id, incarnation) join nodes using (node_id)
         where venue_id = $1 and received_at >= $2 and received_at < $3
         order by node_id, file_number, journal_rows.seq",
    )
    .bind(venue.as_uuid())
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    let mut by_node: Vec<(NodeId, Vec<SealedRow>)> = Vec::new();
    for (node, bytes) in rows {
        let row = SealedRow::read(&bytes).map_err(DbError::impossible_row)?;
        match by_node.last_mut() {
            Some((last, rows)) if last.as_uuid() == node => rows.push(row),
            Some(_) | None => by_node.push((NodeId(node), vec![row])),
        }
    }
    Ok(by_node)
}
