//! Gates and nodes, as fleet publishes them.

use eventify_contracts::fleet::{GateUpdated, NodeFacts};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::VenueId;

/// An older version than the stored one changes nothing.
pub(crate) async fn upsert_gate(conn: &mut PgConnection, gate: &GateUpdated) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.gates as stored
             (gate_id, venue_id, name, performances, categories, version)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (gate_id) do update set name = excluded.name,
             performances = excluded.performances, categories = excluded.categories,
             version = excluded.version
         where stored.version < excluded.version",
    )
    .bind(gate.gate_id)
    .bind(gate.venue_id)
    .bind(&gate.name)
    .bind(&gate.performances)
    .bind(&gate.categories)
    .bind(gate.version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn has_gates(conn: &mut PgConnection, venue: VenueId) -> DbResult<bool> {
    let found =
        sqlx::query_scalar("select exists (select from ticketing.gates where venue_id = $1)")
            .bind(venue)
            .fetch_one(conn)
            .await?;
    Ok(found)
}

/// An older version than the stored one changes nothing.
pub(crate) async fn upsert_node(conn: &mut PgConnection, node: &NodeFacts) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.nodes as stored (node_id, venue_id, gates, revoked, version)
         values ($1, $2, $3, $4, $5)
         on conflict (node_id) do update set gates = excluded.gates, revoked = excluded.revoked,
             version = excluded.version
         where stored.version < excluded.version",
    )
    .bind(node.node_id)
    .bind(node.venue_id)
    .bind(&node.gates)
    .bind(node.revoked)
    .bind(node.version)
    .execute(conn)
    .await?;
    Ok(())
}
