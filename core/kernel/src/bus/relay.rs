//! The relay: from a context's outbox to the broker, by one elected process at a time.
//!
//! It works on the very session that holds its lock, so a relay that lost its election can't mark
//! rows. A crash between confirm and mark publishes again; inboxes take care of that.
//!
//! A row that the broker refuses does not block the others: it is retried alone, with growing pauses.
//! Some messages make the broker close the channel or the connection instead of refusing them, and
//! their whole batch fails: after that, rows are published one by one until the one at fault is found.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::publisher::{Outgoing, Publisher};
use super::{Bus, BusError, DOMAIN_EXCHANGE, headers};
use crate::app::App;
use crate::connectivity::Pauses;
use crate::db::lock::Elected;
use crate::db::outbox::{self, Unpublished};
use crate::db::{Db, DbError, PgConnection};
use crate::group_commit;

/// How often a process that is not elected tries again.
const ELECTION_PAUSE: Duration = Duration::from_secs(1);
/// How often refused rows are looked for.
const SECOND_CHANCES: Duration = Duration::from_secs(1);
/// From so many refusals on, each one is an alarm.
const MAX_REFUSALS: i32 = 5;

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl RelayError {
    /// As [`BusError::pause`]. It is the database that elected the relay, so it answered just now.
    fn pause(&self, pauses: &mut Pauses) -> (Duration, bool) {
        match self {
            Self::Bus(error) => error.pause(pauses),
            Self::Db(_) => {
                pauses.reset();
                (pauses.next(), true)
            }
        }
    }
}

/// Relays one context's outbox until `stop`; then once more, so that what was written before the
/// stop is out.
pub async fn run(app: App, context: &'static str, stop: CancellationToken) {
    // Where the last run ended with a panic.
    app.outbox.relay_is_here(context, false);
    let mut one_by_one = 0;
    let mut pauses = Pauses::default();
    while !stop.is_cancelled() {
        let pause = match app.db.try_elect(context, "relay").await {
            Ok(Some(mut elected)) => {
                app.outbox.relay_is_here(context, true);
                let ended = lead(&app, context, &mut elected, &mut one_by_one, &stop).await;
                app.outbox.relay_is_here(context, false);
                elected.resign().await;
                match ended {
                    Ok(()) => return,
                    Err(error) => {
                        let (pause, is_news) = error.pause(&mut pauses);
                        if is_news {
                            tracing::warn!(code = "relay.interrupted", context, %error,
                                "the relay was interrupted and starts again");
                        }
                        pause
                    }
                }
            }
            Ok(None) => {
                pauses.reset();
                ELECTION_PAUSE
            }
            Err(error) => {
                tracing::warn!(code = "relay.no_database", context, %error,
                    "the relay has no connection to the database");
                pauses.next()
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// `one_by_one`: how many rows are still to be published each alone.
async fn lead(
    app: &App,
    context: &'static str,
    elected: &mut Elected,
    one_by_one: &mut u16,
    stop: &CancellationToken,
) -> Result<(), RelayError> {
    let publisher = app.bus.publisher().await?;
    let relay = Relay {
        db: app.db.clone(),
        bus: app.bus.clone(),
        publisher,
        context,
    };
    let mut looked_at: Option<Instant> = None;
    loop {
        let stopping = stop.is_cancelled();
        let begun = app.clock.instant();
        let limit = match *one_by_one {
            0 => app.config.relay.batch,
            _ => 1,
        };
        let rows = outbox::unpublished(elected.conn(), limit);
        let rows = app.db.in_time(rows).await?;
        let moved = rows.len();
        if let Err(error) = relay.publish(elected.conn(), rows).await {
            if matches!(error, RelayError::Bus(BusError::Amqp(_))) {
                *one_by_one = app.config.relay.batch;
            }
            return Err(error);
        }
        app.faults.progressed();
        *one_by_one = one_by_one.saturating_sub(1);
        let now = app.clock.instant();
        if looked_at.is_none_or(|last| now >= last + SECOND_CHANCES) {
            looked_at = Some(now);
            let row = app.db.in_time(outbox::refused(elected.conn())).await?;
            relay.publish(elected.conn(), Vec::from_iter(row)).await?;
            app.faults.progressed();
        }
        if moved == usize::from(limit) {
            continue;
        }
        if stopping {
            return Ok(());
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = app.outbox.local(context) => {}
            () = tokio::time::sleep(app.config.relay.poll()) => {}
        }
        if moved > 0 {
            let pace = tokio::time::sleep_until((begun + group_commit::PACE).into());
            stop.run_until_cancelled(pace).await;
        }
    }
}

struct Relay {
    db: Db,
    bus: Bus,
    publisher: Publisher,
    context: &'static str,
}

impl Relay {
    /// Publishes rows; marks those that the broker has taken, and puts aside those that it refuses.
    async fn publish(
        &self,
        conn: &mut PgConnection,
        rows: Vec<Unpublished>,
    ) -> Result<(), RelayError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (positions, batch): (Vec<_>, Vec<_>) =
            rows.into_iter().map(|row| self.outgoing(row)).unzip();
        let outcomes = self.publisher.publish_all(&batch).await;
        let alone = outcomes.len() == 1;
        let (mut taken, mut broken) = (Vec::with_capacity(positions.len()), None);
        for (position, outcome) in positions.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => taken.push(position),
                Err(BusError::Refused(reason)) => self.put_aside(conn, position, &reason).await?,
                Err(error) => {
                    // It was alone, so it is the reason why the channel was closed.
                    if alone && matches!(error, BusError::Amqp(_)) {
                        self.put_aside(conn, position, &error.to_string()).await?;
                    }
                    broken = broken.or(Some(error));
                }
            }
        }
        let marked = outbox::mark_published(conn, &taken);
        self.db.in_time(marked).await?;
        match broken {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    fn outgoing(&self, row: Unpublished) -> (i64, Outgoing) {
        let (position, routing_key) = (row.position, row.routing_key.clone());
        let envelope = row.envelope(self.context);
        let message = Outgoing {
            exchange: DOMAIN_EXCHANGE,
            routing_key,
            body: serde_json::to_vec(&envelope).unwrap_or_default(),
            properties: headers::of_event(&envelope),
            must_route: self.bus.is_awaited(&envelope.kind),
        };
        (position, message)
    }

    async fn put_aside(
        &self,
        conn: &mut PgConnection,
        position: i64,
        reason: &str,
    ) -> Result<(), RelayError> {
        let refused = outbox::refuse(conn, position, reason);
        let refused = self.db.in_time(refused).await?;
        let (context, message) = (self.context, refused.message_id);
        let (kind, refusals) = (refused.kind, refused.refusals);
        if refusals >= MAX_REFUSALS {
            tracing::error!(code = "relay.row_keeps_being_refused", context, message_id = %message,
                kind, refusals, error = reason, "the broker keeps refusing an outbox row");
        } else {
            tracing::warn!(code = "relay.row_refused", context, message_id = %message, kind, refusals,
                error = reason, "the broker refused an outbox row; it is tried again by itself");
        }
        Ok(())
    }
}
