//! Structs inserted as rows, without a bind for each column.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{DbError, DbResult};

/// Inserts rows, and returns how many were written. `insert` is the statement up to its columns:
/// `insert into order.orders as stored`; `rest` what follows the rows: `on conflict do nothing`.
///
/// The columns are the fields of the rows. A column that a newer release has added is not named,
/// so while this one still runs, it gets its default and not `null`.
///
/// # Errors
/// The statement failed, or the rows are no structs.
pub async fn insert_rows<Row: Serialize>(
    conn: &mut PgConnection,
    insert: &'static str,
    rows: &[Row],
    rest: &'static str,
) -> DbResult<u64> {
    let Some(first) = rows.first() else {
        return Ok(0);
    };
    let fields: Map<String, Value> = serde_json::to_value(first)
        .and_then(serde_json::from_value)
        .map_err(DbError::impossible_row)?;
    let columns: Vec<_> = fields.keys().map(|name| format!("\"{name}\"")).collect();
    let columns = columns.join(", ");
    let table = insert.split_whitespace().nth(2).unwrap_or_default();
    let done = sqlx::query(AssertSqlSafe(format!(
        "{insert} ({columns}) select {columns} from jsonb_populate_recordset(null::{table}, $1) {rest}"
    )))
    .bind(Json(rows))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
