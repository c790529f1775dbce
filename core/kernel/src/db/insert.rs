//! Structs inserted as rows, without a bind for each column.

use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{DbError, DbResult};

/// Inserts rows, and returns how many were written. `insert` is the statement up to its columns:
/// `insert into order.orders as stored`; `rest` what follows the rows: `on conflict do nothing`.
///
/// The columns are the fields of the rows, which all rows have. A column that a newer release has added is not named,
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
    let first = serde_json::to_value(first).map_err(DbError::impossible_row)?;
    let Value::Object(fields) = first else {
        return Err(DbError::impossible_row("a row that is no struct"));
    };
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
