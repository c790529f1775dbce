//! The relay: from a context's outbox to the broker, by one elected process at a time.
//!
//! It works on the very session that holds its lock, so a relay that lost its election can't mark
//! rows. A crash between confirm and mark publishes again; inboxes take care of that.

use tokio_util::sync::CancellationToken;

use super::publisher::{Outgoing, Publisher};
use super::{BusError, DOMAIN_EXCHANGE, RECONNECT_PAUSE, headers};
use crate::app::App;
use crate::db::lock::Elected;
use crate::db::{DbError, outbox};
use crate::flows;

/// How often a process that lost the election stands again.
const ELECTION_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Relays one context's outbox until `stop`; then once more, so that what was written before the
/// stop is out.
pub(crate) async fn run(app: App, context: &'static str, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match app.db.try_elect(context, "relay").await {
            Ok(Some(mut elected)) => {
                app.bell.relay_is_here(context, true);
                let ended = lead(&app, context, &mut elected, &stop).await;
                app.bell.relay_is_here(context, false);
                elected.resign().await;
                match ended {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(context, %error, "relay interrupted");
                        RECONNECT_PAUSE
                    }
                }
            }
            Ok(None) => ELECTION_PAUSE,
            Err(error) => {
                tracing::warn!(context, %error, "relay has no database");
                RECONNECT_PAUSE
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

async fn lead(
    app: &App,
    context: &'static str,
    elected: &mut Elected,
    stop: &CancellationToken,
) -> Result<(), RelayError> {
    let publisher = app.bus.publisher().await?;
    let limit = app.config.relay.batch;
    loop {
        let stopping = stop.is_cancelled();
        let moved = move_batch(elected, &publisher, context, limit).await?;
        if moved == usize::from(limit) {
            continue;
        }
        if stopping {
            return Ok(());
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = app.bell.for_relay(context) => {}
            () = tokio::time::sleep(app.config.relay.poll()) => {}
        }
    }
}

/// Publishes the oldest rows; marks those that the broker has taken.
async fn move_batch(
    elected: &mut Elected,
    publisher: &Publisher,
    context: &'static str,
    limit: u16,
) -> Result<usize, RelayError> {
    let rows = outbox::unpublished(elected.conn(), limit).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut positions = Vec::with_capacity(rows.len());
    let mut batch = Vec::with_capacity(rows.len());
    for row in rows {
        positions.push(row.position);
        let routing_key = row.routing_key.clone();
        let envelope = row.envelope(context);
        batch.push(Outgoing {
            exchange: DOMAIN_EXCHANGE,
            routing_key,
            body: serde_json::to_vec(&envelope).unwrap_or_default(),
            properties: headers::of_event(&envelope),
            must_route: flows::is_awaited(&envelope.kind),
        });
    }
    let outcomes = publisher.publish_all(&batch).await;
    let taken: Vec<i64> = positions
        .iter()
        .zip(&outcomes)
        .filter_map(|(position, outcome)| outcome.is_ok().then_some(*position))
        .collect();
    outbox::mark_published(elected.conn(), &taken).await?;
    match outcomes.into_iter().find_map(Result::err) {
        Some(error) => Err(error.into()),
        None => Ok(positions.len()),
    }
}
