//! Rows of alarms. [`crate::alarms`] says what they are for.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, Postgres};
use uuid::Uuid;

use super::DbResult;
use crate::alarms::{About, Acknowledgement, Alarm, SAME_WITHIN, Stops};

/// What was over so long before anybody could be told is history.
const STALE_AFTER: TimeDelta = TimeDelta::hours(1);

/// An alarm from its begin to its end.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct AlarmRow {
    /// Of this one: one that begins anew has another.
    pub id: Uuid,
    /// Stable.
    pub kind: String,
    /// Of those of a kind, which.
    pub subject: String,
    /// What to do, in words.
    pub act: String,
    /// Ids by name.
    #[sqlx(json)]
    pub about: Value,
    /// Numbers and ids as they were when it occurred last.
    #[sqlx(json)]
    pub details: Value,
    /// Only a person ends it, who says how often it had occurred.
    pub momentary: bool,
    /// What does not go on while it stands: names of [`Stops`].
    pub stops: Vec<String>,
    /// When it began.
    pub first_at: DateTime<Utc>,
    /// When it was seen last.
    pub last_at: DateTime<Utc>,
    /// How often.
    pub occurrences: i64,
    /// When somebody has taken it up, and who.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Their id.
    pub acknowledged_by: Option<Uuid>,
    /// Their name.
    pub acknowledged_name: Option<String>,
    /// When the fact was over, or a momentary one was acknowledged.
    pub ended_at: Option<DateTime<Utc>>,
    /// People know that it began.
    pub begin_sent: bool,
}

/// How far an alarm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It stands, and nobody has taken it up.
    Open,
    /// It stands, and somebody has.
    Acknowledged,
    /// It is over.
    Ended,
}

impl AlarmRow {
    /// How far it is.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.ended_at, self.acknowledged_at) {
            (Some(_), _) => State::Ended,
            (None, Some(_)) => State::Acknowledged,
            (None, None) => State::Open,
        }
    }

    /// What it is about, under this name.
    #[must_use]
    pub fn about(&self, name: &str) -> Option<Uuid> {
        self.about.get(name)?.as_str()?.parse().ok()
    }

    /// Whether it is about one of these, as in [`Filter::visible`].
    #[must_use]
    pub fn is_about_any(&self, of: &[String]) -> bool {
        let Value::Object(about) = &self.about else {
            return false;
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        about
            .iter()
            .any(|(name, value)| of.contains(&format!("{name}={}", text(value))))
    }
}

/// Which alarms are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that are about one of these, `venueId=…` each; `None`: all.
    pub visible: Option<Vec<String>>,
    /// Only those about all of this.
    pub about: About,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only those that stop this.
    pub stops: Option<Stops>,
    /// Only in one of these states; `None`: in all.
    pub states: Option<Vec<State>>,
    /// Only those that occurred, or ended, since then.
    pub since: Option<DateTime<Utc>>,
}

impl Filter {
    fn has(&self, state: State) -> bool {
        self.states
            .as_ref()
            .is_none_or(|states| states.contains(&state))
    }
}

/// What became of an acknowledgement.
#[derive(Clone, Debug, PartialEq)]
pub enum Acknowledged {
    /// So it is now.
    Done(Box<AlarmRow>),
    /// It was not ended: it has occurred so often by now, and there is more to be read.
    OccurredAgain(i64),
    /// It has not occurred so often.
    NotSoOften(i64),
}

macro_rules! columns {
    () => {
        "alarm_id as id, kind, subject, act, about, details, momentary, stops, raised_at as first_at, last_at,
         occurrences, acknowledged_at, acknowledged_by, acknowledged_name, cleared_at as ended_at,
         begin_sent_at is not null as begin_sent"
    };
}

/// $1 visible, $2 about, $3 kind, $4 open, $5 acknowledged, $6 ended, $7 since, $8 stops: [`matching`].
macro_rules! matching {
    () => {
        " from standing_alarms
          where ($1::text[] is null
                 or exists (select from jsonb_each_text(about) where key || '=' || value = any($1)))
              and about @> $2
              and ($3::text is null or kind = $3)
              and case when cleared_at is not null then $6 when acknowledged_at is not null then $5
                  else $4 end
              and ($7::timestamptz is null or coalesce(cleared_at, last_at) >= $7)
              and ($8::text is null or $8 = any(stops))"
    };
}

/// Inserts or counts an alarm; true when it did not stand before. One that has just ended stands again,
/// unless it was ended by hand.
pub(crate) async fn raise(
    conn: &mut PgConnection,
    alarm: &Alarm,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let counted = sqlx::query_scalar::<_, bool>(
        "update standing_alarms as stored
         set act = $3, about = $4, details = $5, stops = $8, last_at = $6, occurrences = occurrences + 1,
             cleared_at = null, end_sent_at = null,
             begin_sent_at = case when end_sent_at is null then begin_sent_at end
         from (select alarm_id, cleared_at from standing_alarms
               where kind = $1 and subject = $2
                   and (cleared_at is null or not momentary and cleared_at > $7)
               order by cleared_at desc nulls first limit 1 for update) as last
         where stored.alarm_id = last.alarm_id
         returning last.cleared_at is null",
    )
    .bind(alarm.kind)
    .bind(&alarm.subject)
    .bind(alarm.act)
    .bind(Json(&alarm.about))
    .bind(Json(&alarm.details))
    .bind(now)
    .bind(now - SAME_WITHIN)
    .bind(stops_of(alarm))
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(stood) = counted {
        return Ok(!stood);
    }
    let occurrences: i64 = sqlx::query_scalar(
        "insert into standing_alarms as stored
             (kind, subject, act, about, details, momentary, raised_at, last_at, occurrences, stops)
         values ($1, $2, $3, $4, $5, $6, $7, $7, 1, $8)
         on conflict (kind, subject) where cleared_at is null do update
         set act = excluded.act, about = excluded.about, details = excluded.details,
             stops = excluded.stops, last_at = excluded.last_at, occurrences = stored.occurrences + 1
         returning occurrences",
    )
    .bind(alarm.kind)
    .bind(&alarm.subject)
    .bind(alarm.act)
    .bind(Json(&alarm.about))
    .bind(Json(&alarm.details))
    .bind(alarm.momentary)
    .bind(now)
    .bind(stops_of(alarm))
    .fetch_one(conn)
    .await?;
    Ok(occurrences == 1)
}

fn stops_of(alarm: &Alarm) -> Vec<&'static str> {
    alarm.stops.iter().map(|stops| stops.name()).collect()
}

/// True when it stood.
pub(crate) async fn clear(
    conn: &mut PgConnection,
    kind: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "update standing_alarms set cleared_at = $3
         where kind = $1 and subject = $2 and cleared_at is null",
    )
    .bind(kind)
    .bind(subject)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The subjects that stood.
pub(crate) async fn clear_others(
    conn: &mut PgConnection,
    kind: &str,
    subjects: &[String],
    now: DateTime<Utc>,
) -> DbResult<Vec<String>> {
    let cleared = sqlx::query_scalar(
        "update standing_alarms set cleared_at = $3
         where kind = $1 and subject <> all($2) and cleared_at is null returning subject",
    )
    .bind(kind)
    .bind(subjects)
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(cleared)
}

/// A statement with [`matching!`], and what the filter puts into it.
fn matching<'q, Row>(
    filter: &'q Filter,
    sql: &'static str,
) -> QueryAs<'q, Postgres, Row, PgArguments>
where
    Row: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(sql)
        .bind(&filter.visible)
        .bind(Json(&filter.about))
        .bind(&filter.kind)
        .bind(filter.has(State::Open))
        .bind(filter.has(State::Acknowledged))
        .bind(filter.has(State::Ended))
        .bind(filter.since)
        .bind(filter.stops.map(Stops::name))
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    limit: i64,
) -> DbResult<Vec<AlarmRow>> {
    let rows = matching(
        filter,
        concat!(
            "select ",
            columns!(),
            matching!(),
            " order by cleared_at is not null, last_at desc, alarm_id limit $9"
        ),
    );
    Ok(rows.bind(limit).fetch_all(conn).await?)
}

pub(crate) async fn count(conn: &mut PgConnection, filter: &Filter) -> DbResult<i64> {
    let count = matching(filter, concat!("select count(*)", matching!()));
    let (count,) = count.fetch_one(conn).await?;
    Ok(count)
}

pub(crate) async fn find(conn: &mut PgConnection, id: Uuid) -> DbResult<Option<AlarmRow>> {
    let row = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from standing_alarms where alarm_id = $1"
    ))
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// One statement, so that nothing occurs between the look and the word. Only what ends an alarm asks how often
/// it had occurred.
pub(crate) async fn acknowledge(
    conn: &mut PgConnection,
    (id, read): (Uuid, Option<i64>),
    by: Acknowledgement<'_>,
) -> DbResult<Option<Acknowledged>> {
    let done: Option<AlarmRow> = sqlx::query_as(concat!(
        "update standing_alarms
         set acknowledged_at = coalesce(acknowledged_at, $3),
             acknowledged_by = coalesce(acknowledged_by, $4),
             acknowledged_name = coalesce(acknowledged_name, $5),
             cleared_at = case when momentary and $2::bigint is not null then coalesce(cleared_at, $3)
                 else cleared_at end
         where alarm_id = $1
             and ($2::bigint is null or occurrences = $2
                 or occurrences > $2 and (not momentary or cleared_at is not null))
         returning ",
        columns!()
    ))
    .bind(id)
    .bind(read)
    .bind(by.at)
    .bind(by.by)
    .bind(by.name)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(alarm) = done {
        return Ok(Some(Acknowledged::Done(Box::new(alarm))));
    }
    let Some(alarm) = find(conn, id).await? else {
        return Ok(None);
    };
    Ok(Some(if read.is_none_or(|read| alarm.occurrences > read) {
        Acknowledged::OccurredAgain(alarm.occurrences)
    } else {
        Acknowledged::NotSoOften(alarm.occurrences)
    }))
}

/// Those that began and nobody was told, and those that ended before this and nobody was told. One that was
/// ended by hand needs no mail. What stops something comes first.
pub(crate) async fn list_unsent(
    conn: &mut PgConnection,
    ended_before: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<AlarmRow>> {
    let rows = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from standing_alarms
          where begin_sent_at is null and (cleared_at is null or not momentary and cleared_at >= $3)
              or begin_sent_at is not null and end_sent_at is null and not momentary
                  and cleared_at <= $1
          order by stops = '{}', raised_at, alarm_id limit $2"
    ))
    .bind(ended_before)
    .bind(i64::from(limit))
    .bind(ended_before - STALE_AFTER)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// An end that was not over long enough when its begin was sent is sent later.
pub(crate) async fn mark_sent(
    conn: &mut PgConnection,
    (id, ended_at): (Uuid, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update standing_alarms
         set begin_sent_at = coalesce(begin_sent_at, $2),
             end_sent_at = case when cleared_at = $3 then $2 else end_sent_at end
         where alarm_id = $1",
    )
    .bind(id)
    .bind(now)
    .bind(ended_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_ended_before(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
) -> DbResult<u64> {
    let done = sqlx::query("delete from standing_alarms where cleared_at < $1")
        .bind(before)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
