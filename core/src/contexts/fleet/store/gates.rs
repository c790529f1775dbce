//! Gates and who may pass them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows};
use eventify_kernel::http::Paging;
use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::token::CategoryCode;
use serde::Serialize;
use sqlx::types::Json;

use crate::contexts::fleet::model::gate::Gate;

#[derive(Serialize, sqlx::FromRow)]
struct Row {
    gate_id: GateId,
    venue_id: VenueId,
    name: String,
    performances: Vec<PerformanceId>,
    categories: Vec<String>,
    version: i32,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn of(gate: &Gate, updated_at: DateTime<Utc>) -> Self {
        Self {
            gate_id: gate.gate_id,
            venue_id: gate.venue_id,
            name: gate.name.clone(),
            performances: gate.performances.clone(),
            categories: gate.categories.iter().map(ToString::to_string).collect(),
            version: gate.version,
            updated_at,
        }
    }
}

impl TryFrom<Row> for Gate {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let categories = row.categories.iter().map(|code| {
            code.parse::<CategoryCode>()
                .map_err(DbError::impossible_row)
        });
        Ok(Self {
            gate_id: row.gate_id,
            venue_id: row.venue_id,
            name: row.name,
            performances: row.performances,
            categories: categories.collect::<DbResult<_>>()?,
            version: row.version,
        })
    }
}

macro_rules! select_gates {
    ($condition:literal) => {
        concat!(
            "select gate_id, venue_id, name, performances, categories, version, updated_at
             from fleet.gates where ",
            $condition
        )
    };
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    gate: &Gate,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let row = Row::of(gate, now);
    insert_rows(conn, "insert into fleet.gates", &[row], "").await?;
    Ok(())
}

pub(crate) async fn list_names(
    conn: &mut PgConnection,
    ids: &[GateId],
) -> DbResult<BTreeMap<GateId, String>> {
    let rows = sqlx::query_as("select gate_id, name from fleet.gates where gate_id = any($1)")
        .bind(ids)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Writes a gate's next version; false if that version exists already.
pub(crate) async fn update(
    conn: &mut PgConnection,
    gate: &Gate,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "update fleet.gates as stored set name = new.name, performances = new.performances,
             categories = new.categories, version = new.version, updated_at = new.updated_at
         from jsonb_populate_record(null::fleet.gates, $1) as new
         where stored.gate_id = new.gate_id and stored.version = new.version - 1",
    )
    .bind(Json(Row::of(gate, now)))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn find(conn: &mut PgConnection, gate: GateId) -> DbResult<Option<Gate>> {
    let row: Option<Row> = sqlx::query_as(select_gates!("gate_id = $1"))
        .bind(gate)
        .fetch_optional(conn)
        .await?;
    row.map(Gate::try_from).transpose()
}

/// A venue's gates by name.
/// A page of a venue's gates by name, and how many there are.
pub(crate) async fn list_page(
    conn: &mut PgConnection,
    venue: VenueId,
    paging: Paging,
) -> DbResult<(Vec<Gate>, i64)> {
    let rows: Vec<Row> = sqlx::query_as(select_gates!(
        "venue_id = $1 order by name, gate_id limit $2 offset $3"
    ))
    .bind(venue)
    .bind(paging.limit())
    .bind(paging.offset())
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar("select count(*) from fleet.gates where venue_id = $1")
        .bind(venue)
        .fetch_one(conn)
        .await?;
    let gates = rows.into_iter().map(Gate::try_from);
    Ok((gates.collect::<DbResult<_>>()?, total))
}

pub(crate) async fn list(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Gate>> {
    let rows: Vec<Row> = sqlx::query_as(select_gates!("venue_id = $1 order by name"))
        .bind(venue)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(Gate::try_from).collect()
}
