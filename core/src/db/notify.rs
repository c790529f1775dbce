//! The bell between processes: `NOTIFY` from those that commit, `LISTEN` by those that relay.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;

use super::{Db, DbResult};
use crate::bell::Bell;

const CHANNEL: &str = "eventify_outbox";
const PAUSE: Duration = Duration::from_secs(1);

/// Tells relays elsewhere of commits here, many commits at once where they come fast.
pub(crate) async fn tell(db: Db, context: &'static str, bell: Bell, stop: CancellationToken) {
    while stop
        .run_until_cancelled(bell.for_others(context))
        .await
        .is_some()
    {
        let told = sqlx::query("select pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(context)
            .execute(db.pool(context))
            .await;
        if let Err(error) = told {
            tracing::warn!(context, %error, "relays elsewhere were not told");
        }
    }
}

/// Hears of commits elsewhere. The context's database may be shared: all names are passed on.
pub(crate) async fn listen(db: Db, context: &'static str, bell: Bell, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = session(&db, context, &bell, &stop).await {
            tracing::warn!(context, %error, "listening interrupted");
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
}

async fn session(
    db: &Db,
    context: &'static str,
    bell: &Bell,
    stop: &CancellationToken,
) -> DbResult<()> {
    let mut listener = PgListener::connect_with(db.pool(context)).await?;
    listener.listen(CHANNEL).await?;
    while let Some(heard) = stop.run_until_cancelled(listener.recv()).await {
        bell.heard_from_afar(heard?.payload());
    }
    Ok(())
}
