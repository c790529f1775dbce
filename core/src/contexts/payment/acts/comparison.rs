//! The comparison with the provider: what it made and changed within a span is read, and what no
//! webhook told is booked as if one had.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::breaker::CallError;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use serde_json::json;

use super::provider::call;
use super::{AdvanceError, updates};
use crate::contexts::payment::gateway::{Calls, GatewayError, Listing, Made, Subject};
use crate::contexts::payment::jobs::ComparePages;
use crate::contexts::payment::model::LearntBy;
use crate::contexts::payment::store::comparisons::Comparison;
use crate::contexts::payment::{App, NAME, store};

const UNFINISHED: &str = "payment.comparison_unfinished";
const DISPUTE_MISSING: &str = "payment.dispute_missing";

/// Pages that are read in one attempt of a task; then it is its turn again.
const PAGES_AT_ONCE: usize = 10;
/// Disputes that are looked up one by one because they are older than the span.
const DISPUTES_LOOKED_UP: u16 = 100;

/// How far back refunds and disputes can be contradicted: a bank sends a refund back within a month.
fn look_back() -> TimeDelta {
    TimeDelta::days(35)
}

/// How far back an intent can still change: an authorisation lives for a week.
fn intents_look_back() -> TimeDelta {
    TimeDelta::days(8)
}

/// Begins a comparison of what was made since then.
pub(crate) async fn start_comparison(
    app: &App,
    cause: &Cause,
    since: Option<DateTime<Utc>>,
) -> DbResult<Comparison> {
    let now = app.clock.now();
    let parts = [Made::Intents, Made::Refunds, Made::Disputes];
    let mut conn = app.db.read(NAME).await?;
    // Of a database that was restored that is long ago: nobody has read what was made since.
    let read_until = store::comparisons::read_until(&mut conn).await?;
    let read_until = read_until.unwrap_or(now);
    drop(conn);
    let comparison = Comparison {
        comparison_id: app.clock.new_id(),
        since: since.unwrap_or(read_until - look_back()),
        until: now,
        started_at: now,
        parts_left: 3,
        seen: 0,
        booked: 0,
        finished_at: None,
    };
    let mut tx = app.db.begin(NAME, cause).await?;
    store::comparisons::insert(&mut tx, &comparison).await?;
    for made in parts {
        let since = match (since, made) {
            (None, Made::Intents) => read_until - intents_look_back(),
            (_, Made::Intents | Made::Refunds | Made::Disputes) => comparison.since,
        };
        let part = app.clock.new_id();
        let task = ComparePages {
            part,
            comparison_id: comparison.comparison_id,
            made: made.into(),
            since,
            after: None,
        };
        tx.request(app, &task).await?;
    }
    tx.commit().await?;
    Ok(comparison)
}

/// Begins the daily one. One that doesn't come to its end is an alarm, and none begins beside it.
pub(crate) async fn compare_when_due(app: &App, cause: &Cause) -> DbResult<()> {
    let now = app.clock.now();
    let mut conn = app.db.read(NAME).await?;
    let last = store::comparisons::latest(&mut conn).await?;
    let due = match &last {
        Some(last) => Some(last.started_at),
        None => store::comparisons::oldest_payment(&mut conn).await?,
    };
    let due = due.map(|at| at + app.state.settings.compare_every());
    let is_due = due.is_some_and(|due| due <= now);
    match last {
        Some(last) if last.finished_at.is_none() => {
            if is_due {
                let alarm = Alarm::new(UNFINISHED, NAME, "the comparison with the payment provider doesn't come to its end, so that what \
                          no webhook told stays unknown: see eventify-core tasks list for what holds it \
                          up; POST /payments/comparisons begins another one").with(json!({ "comparisonId": last.comparison_id, "partsLeft": last.parts_left }));
                alarms::raise(&mut conn, &alarm, now).await?;
            }
            return Ok(());
        }
        Some(_) | None => alarms::clear(&mut conn, UNFINISHED, NAME, now).await?,
    }
    drop(conn);
    if is_due {
        start_comparison(app, cause, None).await?;
    }
    Ok(())
}

/// Reads and books some pages of a part. Where the next ones begin, `None` at the end.
pub(crate) async fn compare_page(
    app: &App,
    cause: &Cause,
    task: &ComparePages,
) -> Result<Option<String>, AdvanceError> {
    let made = Made::from(task.made);
    let mut after = task.after.clone();
    if made == Made::Disputes && after.is_none() {
        look_disputes_up(app, cause).await?;
    }
    for _ in 0..PAGES_AT_ONCE {
        let listing = Listing {
            made,
            since: task.since,
            after: after.clone(),
        };
        let list = || app.state.gateway.list_made(listing.clone());
        let page = call(app, Calls::Comparisons, list).await?;
        let mut booked = 0;
        for subject in page.subjects {
            booked += i64::from(book(app, cause, subject).await?);
        }
        let ended = page.next.is_none().then(|| app.clock.now());
        let counts = (i64::try_from(page.seen).unwrap_or(i64::MAX), booked);
        let mut conn = app.db.read(NAME).await?;
        store::comparisons::count(&mut conn, task.comparison_id, counts, ended).await?;
        if booked > 0 {
            store::webhooks::note_missed(&mut conn, app.clock.now()).await?;
            tracing::warn!(code = "payment.comparison_booked", comparison_id = %task.comparison_id,
                booked, "the payment provider has done what no webhook told");
        }
        after = page.next;
        if after.is_none() {
            return Ok(None);
        }
    }
    Ok(after)
}

async fn book(app: &App, cause: &Cause, subject: Subject) -> DbResult<bool> {
    if subject == Subject::Ignored {
        return Ok(false);
    }
    let mut tx = app.db.begin(NAME, cause).await?;
    let is_news = updates::apply(app, &mut tx, subject, LearntBy::Comparison).await?;
    tx.commit().await?;
    Ok(is_news)
}

/// A dispute is decided months after it was opened, and lists go by when it was opened.
async fn look_disputes_up(app: &App, cause: &Cause) -> Result<(), AdvanceError> {
    let mut conn = app.db.read(NAME).await?;
    let undecided = store::ledger::list_undecided_disputes(&mut conn, DISPUTES_LOOKED_UP).await?;
    drop(conn);
    for reference in undecided {
        let retrieve = || app.state.gateway.retrieve_dispute(reference.clone());
        match call(app, Calls::Comparisons, retrieve).await {
            Ok(update) => {
                book(app, cause, Subject::Dispute(update)).await?;
                let mut conn = app.db.read(NAME).await?;
                alarms::clear(&mut conn, DISPUTE_MISSING, &reference, app.clock.now()).await?;
            }
            // Of the account before. It holds up no other.
            Err(CallError::Callee(GatewayError::Missing(_))) => {
                let alarm = Alarm::new(
                    DISPUTE_MISSING,
                    reference,
                    "the payment provider doesn't know a dispute that it has told us of: look at \
                          it in the account that payment.stripe.secret_key belonged to then; nobody \
                          else will tell how it ends",
                );
                let mut conn = app.db.read(NAME).await?;
                alarms::raise(&mut conn, &alarm, app.clock.now()).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
