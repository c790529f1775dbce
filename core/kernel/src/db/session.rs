//! How long server and client wait for each other, and how a connection that was left alone is tried.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::config;

/// A statement is given up by the server first, and only a dead line by us: so much of its timeout.
pub(super) const PATIENCE: f64 = 1.25;
/// The server looks after a client that says nothing for so many seconds: one that lost its power
/// holds locks and elections, else for two hours.
const CLIENT_SILENCE: u32 = 15;

/// How long the server waits for us, and for itself.
pub(super) fn limits(config: &config::Database) -> [(&'static str, String); 6] {
    let statement = config.statement_timeout().as_millis().to_string();
    [
        ("statement_timeout", statement.clone()),
        ("idle_in_transaction_session_timeout", statement),
        ("tcp_keepalives_idle", CLIENT_SILENCE.to_string()),
        ("tcp_keepalives_interval", "5".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        // The same for what was sent and not acknowledged, in milliseconds.
        ("tcp_user_timeout", (2_000 * CLIENT_SILENCE).to_string()),
    ]
}

/// A connection that was used a moment ago is taken to live; the answer about another costs a round
/// trip, which a restarted database is worth.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

pub(super) async fn is_alive(conn: &mut PgConnection, idle_for: Duration) -> sqlx::Result<bool> {
    if idle_for > TRUSTED_IDLE {
        conn.ping().await?;
    }
    Ok(true)
}
