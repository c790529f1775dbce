//! Alarms: what a person has to look at, and what to do about it.
//!
//! An alarm is one row of the context that raises it, from its begin to its end, in the same form
//! everywhere. It is raised and cleared in the transaction of the fact that it is about. While it stands
//! there is one a kind and subject, which counts; one that begins again soon after its end goes on. One
//! that says that something *has happened* ([`Alarm::momentary`]) is ended by a person who has read all of it:
//! no fact does. `GET /fleet/alarms` lists those of all contexts.
//!
//! Deliberately not here: who is notified (`fleet`'s job does that, with [`list_unsent`]). Kinds are
//! stable, so rules can be built on them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::db::alarms as rows;
use crate::db::{DbResult, PgConnection};

pub use rows::{Acknowledged, AlarmRow, Filter, State};

/// Most alarms that are read of each context for one page: who has more should end some first.
const MAX_LISTED: i64 = 10_000;
/// One that begins again so soon after its end is the same one, and nobody is told of that end.
pub const SAME_WITHIN: TimeDelta = TimeDelta::minutes(2);
/// Ended ones are kept for the report of what has happened.
const KEEP_ENDED: TimeDelta = TimeDelta::days(90);

/// Something that must not stay as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Stable: `payment.refund_refused`.
    pub kind: &'static str,
    /// Of those of a kind, which: an id, or the name of a party.
    pub subject: String,
    /// What to do, in words.
    pub act: &'static str,
    /// What it is about. Who may see that may see the alarm; administrators see all.
    pub about: About,
    /// Ids and numbers, never personal data.
    pub details: Value,
    /// It has happened, and no fact ends it: a person does.
    pub momentary: bool,
    /// What does not go on while it stands.
    pub stops: &'static [Stops],
}

/// The work of the house, as far as an alarm can stop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Stops {
    /// What a customer orders is not paid, or has no tickets.
    Sales,
    /// Nobody is let in at some gates, or soon will be.
    Gates,
}

impl Stops {
    /// As it is stored, and as the API says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Gates => "gates",
        }
    }
}

impl Alarm {
    /// Of the core itself, and ended by the fact.
    #[must_use]
    pub fn new(kind: &'static str, subject: impl Into<String>, act: &'static str) -> Self {
        Self {
            kind,
            subject: subject.into(),
            act,
            about: About::default(),
            details: Value::Object(serde_json::Map::new()),
            momentary: false,
            stops: &[],
        }
    }

    /// While it stands, this does not go on.
    #[must_use]
    pub fn stops(self, stops: &'static [Stops]) -> Self {
        Self { stops, ..self }
    }

    /// With these numbers and ids.
    #[must_use]
    pub fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }

    /// About one thing more.
    #[must_use]
    pub fn about(mut self, name: &'static str, id: &impl ToString) -> Self {
        self.about.insert(name, id.to_string());
        self
    }
}

/// Ids by name, as they stand in the answer: `venueId`.
pub type About = BTreeMap<&'static str, String>;

/// Who acknowledges an alarm.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledgement<'a> {
    /// The user's id.
    pub by: Uuid,
    /// What people call them.
    pub name: &'a str,
    /// When.
    pub at: DateTime<Utc>,
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
        log_cleared(kind, subject);
    }
    Ok(())
}

/// Clears those of a kind that are about none of these subjects.
///
/// # Errors
/// The rows can't be written.
pub async fn clear_others(
    conn: &mut PgConnection,
    kind: &'static str,
    subjects: &[String],
    now: DateTime<Utc>,
) -> DbResult<()> {
    for subject in rows::clear_others(conn, kind, subjects, now).await? {
        log_cleared(kind, &subject);
    }
    Ok(())
}

/// Raises these, which are of one kind, and clears those of the kind that are not among them.
///
/// # Errors
/// The rows can't be written.
pub async fn set(
    conn: &mut PgConnection,
    kind: &'static str,
    alarms: &[Alarm],
    now: DateTime<Utc>,
) -> DbResult<()> {
    for alarm in alarms {
        raise(conn, alarm, now).await?;
    }
    let subjects: Vec<_> = alarms.iter().map(|alarm| alarm.subject.clone()).collect();
    clear_others(conn, kind, &subjects, now).await
}

fn log_cleared(kind: &'static str, subject: &str) {
    tracing::info!(
        code = "alarms.cleared",
        alarm = kind,
        subject,
        "an alarm was cleared"
    );
}

/// A page of the alarms of all contexts, and how many there are: those that stand first, then the
/// newest.
///
/// # Errors
/// A context's database doesn't answer.
pub async fn list(
    app: &App,
    filter: &Filter,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<AlarmRow>, i64)> {
    let (mut found, mut total) = (Vec::new(), 0);
    let most = (offset + limit).min(MAX_LISTED);
    for context in app.db.contexts() {
        let mut conn = app.db.read(context).await?;
        found.extend(rows::list(&mut conn, filter, most).await?);
        total += rows::count(&mut conn, filter).await?;
    }
    found.sort_by_key(|alarm| (alarm.ended_at.is_some(), Reverse(alarm.last_at), alarm.id));
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let kept = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = found.into_iter().skip(skipped).take(kept);
    Ok((page.collect(), total))
}

/// An alarm of any context, with the context.
///
/// # Errors
/// A context's database doesn't answer.
pub async fn find(app: &App, id: Uuid) -> DbResult<Option<(&'static str, AlarmRow)>> {
    for context in app.db.contexts() {
        let mut conn = app.db.read(context).await?;
        if let Some(alarm) = rows::find(&mut conn, id).await? {
            return Ok(Some((context, alarm)));
        }
    }
    Ok(None)
}

/// Somebody takes up an alarm of a context, however often it occurs. With `read`, how often it had occurred
/// when they read it, one that has happened is ended too, unless it has occurred again. Who was first stays named.
///
/// # Errors
/// The row can't be written.
pub async fn acknowledge(
    app: &App,
    context: &'static str,
    (id, read): (Uuid, Option<i64>),
    by: Acknowledgement<'_>,
) -> DbResult<Option<Acknowledged>> {
    let mut conn = app.db.read(context).await?;
    rows::acknowledge(&mut conn, (id, read), by).await
}

/// Alarms whose begin or end nobody was told, with their contexts: those that stop something first, then the oldest.
///
/// # Errors
/// A context's database doesn't answer.
pub async fn list_unsent(
    app: &App,
    now: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<(&'static str, AlarmRow)>> {
    let mut unsent = Vec::new();
    for context in app.db.contexts() {
        let mut conn = app.db.read(context).await?;
        let of_context = rows::list_unsent(&mut conn, now - SAME_WITHIN, limit).await?;
        unsent.extend(of_context.into_iter().map(|alarm| (context, alarm)));
    }
    unsent.sort_by_key(|(_, alarm)| (alarm.stops.is_empty(), alarm.first_at, alarm.id));
    Ok(unsent)
}

/// People were told of these as they were then.
///
/// # Errors
/// A row can't be written: they are told again.
pub async fn mark_sent(
    app: &App,
    sent: &[(&'static str, AlarmRow)],
    now: DateTime<Utc>,
) -> DbResult<()> {
    for (context, alarm) in sent {
        let mut conn = app.db.read(context).await?;
        rows::mark_sent(&mut conn, (alarm.id, alarm.ended_at), now).await?;
    }
    Ok(())
}

/// Deletes what ended long ago.
///
/// # Errors
/// The rows can't be deleted.
pub(crate) async fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> DbResult<u64> {
    rows::delete_ended_before(conn, now - KEEP_ENDED).await
}
