//! What fleet says about gates and nodes, and who may check in over REST.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, GateId, PerformanceId, TicketId, UserId};
use uuid::Uuid;

use eventify_contracts::fleet::{GateUpdated, NodeFacts};
use eventify_kernel::db::{DbResult, PgConnection};

/// Notes a gate; an older version says nothing.
pub(crate) async fn note_gate(conn: &mut PgConnection, gate: &GateUpdated) -> DbResult<()> {
    sqlx::query(
        "insert into gates as held (gate_id, venue_id, name, performances, categories, version)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (gate_id) do update set name = excluded.name,
             performances = excluded.performances, categories = excluded.categories,
             version = excluded.version
         where held.version < excluded.version",
    )
    .bind(gate.gate_id.as_uuid())
    .bind(gate.venue_id.as_uuid())
    .bind(&gate.name)
    .bind(
        gate.performances
            .iter()
            .copied()
            .map(PerformanceId::as_uuid)
            .collect::<Vec<_>>(),
    )
    .bind(&gate.categories)
    .bind(gate.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes a node; an older version says nothing.
pub(crate) async fn note_node(conn: &mut PgConnection, node: &NodeFacts) -> DbResult<()> {
    sqlx::query(
        "insert into nodes as held (node_id, venue_id, gates, revoked, version)
         values ($1, $2, $3, $4, $5)
         on conflict (node_id) do update set gates = excluded.gates, revoked = excluded.revoked,
             version = excluded.version
         where held.version < excluded.version",
    )
    .bind(node.node_id.as_uuid())
    .bind(node.venue_id.as_uuid())
    .bind(
        node.gates
            .iter()
            .copied()
            .map(GateId::as_uuid)
            .collect::<Vec<_>>(),
    )
    .bind(node.revoked)
    .bind(node.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Who is assigned to an event, in the order of their ids.
pub(crate) async fn assigned(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Vec<(UserId, DateTime<Utc>)>> {
    let rows: Vec<(Uuid, DateTime<Utc>)> = sqlx::query_as(
        "select user_id, assigned_at from checkin_assignments where event_id = $1
         order by user_id",
    )
    .bind(event.as_uuid())
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(user, at)| (user.into(), at))
        .collect())
}

/// Whether a user is assigned to the event that a ticket is for.
pub(crate) async fn is_assigned(
    conn: &mut PgConnection,
    user: UserId,
    ticket: TicketId,
) -> DbResult<bool> {
    let is_assigned = sqlx::query_scalar(
        "select exists (select from tickets join performances using (performance_id)
             join checkin_assignments using (event_id)
             where ticket_id = $1 and user_id = $2)",
    )
    .bind(ticket.as_uuid())
    .bind(user.as_uuid())
    .fetch_one(conn)
    .await?;
    Ok(is_assigned)
}

pub(crate) async fn assign(
    conn: &mut PgConnection,
    event: EventId,
    user: UserId,
    by: UserId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into checkin_assignments (event_id, user_id, assigned_by, assigned_at)
         values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(event.as_uuid())
    .bind(user.as_uuid())
    .bind(by.as_uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn unassign(
    conn: &mut PgConnection,
    event: EventId,
    user: UserId,
) -> DbResult<()> {
    sqlx::query("delete from checkin_assignments where event_id = $1 and user_id = $2")
        .bind(event.as_uuid())
        .bind(user.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}
