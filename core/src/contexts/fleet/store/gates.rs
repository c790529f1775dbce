//! Gates and what may pass them.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::token::CategoryCode;
use uuid::Uuid;

use super::uuids;
use crate::contexts::fleet::model::gate::Gate;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const COLUMNS: &str = "gate_id, venue_id, name, performances, categories, version";

#[derive(sqlx::FromRow)]
struct Row {
    gate_id: Uuid,
    venue_id: Uuid,
    name: String,
    performances: Vec<Uuid>,
    categories: Vec<String>,
    version: i32,
}

impl Row {
    fn gate(self) -> DbResult<Gate> {
        let categories = self
            .categories
            .iter()
            .map(|code| code.parse::<CategoryCode>());
        Ok(Gate {
            gate_id: GateId(self.gate_id),
            venue_id: VenueId(self.venue_id),
            name: self.name,
            performances: self.performances.into_iter().map(PerformanceId).collect(),
            categories: categories
                .collect::<Result<_, _>>()
                .map_err(DbError::impossible_row)?,
            version: self.version,
        })
    }
}

fn codes(gate: &Gate) -> Vec<String> {
    gate.categories.iter().map(ToString::to_string).collect()
}

pub(crate) async fn add(conn: &mut PgConnection, gate: &Gate, now: DateTime<Utc>) -> DbResult<()> {
    sqlx::query(
        "insert into gates (gate_id, venue_id, name, performances, categories, version, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(gate.gate_id.as_uuid())
    .bind(gate.venue_id.as_uuid())
    .bind(&gate.name)
    .bind(uuids(&gate.performances))
    .bind(codes(gate))
    .bind(gate.version)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a gate's next version; false if somebody else has written it.
pub(crate) async fn update(
    conn: &mut PgConnection,
    gate: &Gate,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "update gates set name = $2, performances = $3, categories = $4, version = $5,
             updated_at = $6
         where gate_id = $1 and version = $5 - 1",
    )
    .bind(gate.gate_id.as_uuid())
    .bind(&gate.name)
    .bind(uuids(&gate.performances))
    .bind(codes(gate))
    .bind(gate.version)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn find(conn: &mut PgConnection, gate: GateId) -> DbResult<Option<Gate>> {
    let query = sqlx::AssertSqlSafe(format!("select {COLUMNS} from gates where gate_id = $1"));
    let row: Option<Row> = sqlx::query_as(query)
        .bind(gate.as_uuid())
        .fetch_optional(conn)
        .await?;
    row.map(Row::gate).transpose()
}

/// A venue's gates by name.
pub(crate) async fn of_venue(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<Gate>> {
    let query = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from gates where venue_id = $1 order by name"
    ));
    let rows: Vec<Row> = sqlx::query_as(query)
        .bind(venue.as_uuid())
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(Row::gate).collect()
}
