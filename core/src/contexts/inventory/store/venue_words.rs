//! Which performances their venues have declined (DECISIONS 48).

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{HoldId, PerformanceId};

/// A version of a performance's plan, and what has become of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Planned(i32),
    Confirmed(i32),
    Declined(i32),
}

/// The venue has declined the performance as it is planned now, and not confirmed it since: of a row `word`.
macro_rules! declined {
    () => {
        "word.declined > word.confirmed and word.declined >= word.planned"
    };
}
pub(super) use declined;

/// An older version than the known one changes nothing.
pub(crate) async fn upsert(
    conn: &mut PgConnection,
    performance: PerformanceId,
    word: Word,
) -> DbResult<()> {
    let (planned, confirmed, declined) = match word {
        Word::Planned(version) => (version, 0, 0),
        Word::Confirmed(version) => (0, version, 0),
        Word::Declined(version) => (0, 0, version),
    };
    sqlx::query(
        "insert into inventory.venue_words as known (performance_id, planned, confirmed, declined)
         values ($1, $2, $3, $4)
         on conflict (performance_id) do update set
             planned = greatest(known.planned, excluded.planned),
             confirmed = greatest(known.confirmed, excluded.confirmed),
             declined = greatest(known.declined, excluded.declined)",
    )
    .bind(performance)
    .bind(planned)
    .bind(confirmed)
    .bind(declined)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether one of these holds is for a performance that its venue has declined.
pub(crate) async fn is_declined_any(conn: &mut PgConnection, holds: &[HoldId]) -> DbResult<bool> {
    let is_declined = sqlx::query_scalar(concat!(
        "select exists (select from inventory.holds
             join inventory.venue_words as word using (performance_id)
             where hold_id = any($1) and ",
        declined!(),
        ")"
    ))
    .bind(holds)
    .fetch_one(conn)
    .await?;
    Ok(is_declined)
}
