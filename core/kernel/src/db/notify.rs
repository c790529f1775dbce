//! Outbox notifications between processes: `NOTIFY` from those that commit, `LISTEN` by those that
//! relay.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;

use super::DbResult;
use crate::app::App;

const CHANNEL: &str = "eventify_outbox";
const PAUSE: Duration = Duration::from_secs(1);

/// Notifies relays elsewhere of commits here, once for many commits where they come fast.
pub async fn send(app: App, context: &'static str, stop: CancellationToken) {
    let remote = || app.outbox.remote(context);
    while stop.run_until_cancelled(remote()).await.is_some() {
        let sent = async {
            let notify = sqlx::query("select pg_notify($1, $2)");
            let notify = notify.bind(CHANNEL).bind(context);
            Ok(notify.execute(app.db.pool(context)).await?)
        };
        if let Err(error) = app.db.in_time(sent).await {
            tracing::warn!(code = "outbox.notify_failed", context, %error,
                "relays in other processes were not notified");
        }
    }
}

/// Receives notifications of commits elsewhere. The context's database may be shared: those of all
/// contexts are passed on.
pub async fn listen(app: App, context: &'static str, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = session(&app, context, &stop).await {
            tracing::warn!(code = "outbox.listen_interrupted", context, %error,
                "receiving outbox notifications was interrupted and starts again");
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
}

async fn session(app: &App, context: &'static str, stop: &CancellationToken) -> DbResult<()> {
    let mut listener = PgListener::connect_with(app.db.pool(context)).await?;
    listener.listen(CHANNEL).await?;
    while let Some(received) = stop.run_until_cancelled(listener.recv()).await {
        app.outbox.committed_elsewhere(received?.payload());
    }
    Ok(())
}
