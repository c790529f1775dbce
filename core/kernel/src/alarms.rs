//! Standing alarms: what a person has to look at, and what to do about it, until it is over.
//!
//! An alarm is a row of the context that raises it, one a kind and subject. It is raised and cleared in
//! the transaction of the fact that it is about. `GET /fleet/alarms` lists those of all contexts.
//!
//! Deliberately not here: who is notified, and how. Kinds are stable, so rules can be built on them.

use crate::db::PgConnection;
use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::app::App;
use crate::db::DbResult;
use crate::db::alarms::{self as rows, StandingAlarm};

/// Most alarms that are read of each context: who has more should clear some first.
const MAX_LISTED: u16 = 200;

/// Something that must not stay as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Stable: `payment.refund_refused`.
    pub kind: &'static str,
    /// What it is about: an id, or the name of a party.
    pub subject: String,
    /// What to do, in words.
    pub act: &'static str,
    /// Ids and numbers, never personal data.
    pub details: Value,
}

/// Raises an alarm, or counts it if it stands.
///
/// # Errors
/// The row can't be written.
pub async fn raise(conn: &mut PgConnection, alarm: &Alarm, now: DateTime<Utc>) -> DbResult<()> {
    if rows::raise(conn, alarm, now).await? {
        tracing::error!(code = "alarms.raised", alarm = alarm.kind, subject = alarm.subject,
            act = alarm.act, details = %alarm.details, "an alarm was raised");
    }
    Ok(())
}

/// Clears an alarm, if it stands.
///
/// # Errors
/// The row can't be written.
pub async fn clear(
    conn: &mut PgConnection,
    kind: &'static str,
    subject: &str,
    now: DateTime<Utc>,
) -> DbResult<()> {
    if rows::clear(conn, kind, subject, now).await? {
        tracing::info!(
            code = "alarms.cleared",
            alarm = kind,
            subject,
            "an alarm was cleared"
        );
    }
    Ok(())
}

/// The alarms that stand, of all contexts, the newest first.
///
/// # Errors
/// A context's database doesn't answer.
pub async fn list_standing(app: &App) -> DbResult<Vec<StandingAlarm>> {
    let mut standing = Vec::new();
    for context in app.db.contexts() {
        let mut conn = app.db.read(context).await?;
        standing.extend(rows::list_standing(&mut conn, MAX_LISTED).await?);
    }
    standing.sort_by_key(|alarm| Reverse(alarm.last_at));
    Ok(standing)
}
