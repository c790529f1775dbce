//! Attempts of holds. A row is written before its hold is locked, whoever writes it: taking and
//! undoing the same attempt meet at its row, different attempts of a hold at the hold's.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::HoldId;

use crate::contexts::inventory::model::attempts::{AttemptId, AttemptState};

/// Records that an attempt arrived, and returns what was known of it.
pub(crate) async fn record(
    conn: &mut PgConnection,
    (hold, attempt): (HoldId, AttemptId),
    now: DateTime<Utc>,
) -> DbResult<Option<AttemptState>> {
    let first = sqlx::query(
        "insert into inventory.hold_attempts (hold_id, attempt_id, undone, recorded_at)
         values ($1, $2, false, $3) on conflict do nothing",
    )
    .bind(hold)
    .bind(attempt.0)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if first.rows_affected() == 1 {
        return Ok(None);
    }
    // An undoing that commits after this waits for the hold's lock, and then sees what it undoes.
    let undone: bool = sqlx::query_scalar(
        "select undone from inventory.hold_attempts where hold_id = $1 and attempt_id = $2
         for update",
    )
    .bind(hold)
    .bind(attempt.0)
    .fetch_one(conn)
    .await?;
    Ok(Some(if undone {
        AttemptState::Undone
    } else {
        AttemptState::Standing
    }))
}

/// Records that an attempt is undone, also when it has not arrived yet.
pub(crate) async fn undo(
    conn: &mut PgConnection,
    (hold, attempt): (HoldId, AttemptId),
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.hold_attempts (hold_id, attempt_id, undone, recorded_at)
         values ($1, $2, true, $3)
         on conflict (hold_id, attempt_id) do update set undone = true",
    )
    .bind(hold)
    .bind(attempt.0)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether an attempt is left on which a locked hold stands.
pub(crate) async fn any_standing(conn: &mut PgConnection, hold: HoldId) -> DbResult<bool> {
    let standing = sqlx::query_scalar(
        "select exists (select from inventory.hold_attempts where hold_id = $1 and not undone)",
    )
    .bind(hold)
    .fetch_one(conn)
    .await?;
    Ok(standing)
}
