//! Elections by PostgreSQL's advisory locks: held by a session, gone with it.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::{Db, DbResult};

/// The one process that may do a thing; lost when dropped or when the connection breaks.
///
/// Work that must be done by one process alone runs on [`Elected::conn`], so that it fails
/// together with the lock.
#[derive(Debug)]
pub struct Elected {
    conn: Option<PoolConnection<Postgres>>,
}

impl Elected {
    /// The session that holds the lock.
    ///
    /// # Panics
    /// Never: the connection leaves only in [`Elected::resign`] and drop.
    pub fn conn(&mut self) -> &mut PgConnection {
        self.conn
            .as_mut()
            .expect("the connection is held until the end")
    }

    /// Gives the lock back. The session goes back to its pool: jobs run often, and a new one costs
    /// more than what most of them do.
    pub async fn resign(mut self) {
        let unlocked = sqlx::query("select pg_advisory_unlock_all()");
        match unlocked.execute(self.conn()).await {
            Ok(_) => drop(self.conn.take()),
            // Its session ends, and the lock with it, as when this is not awaited to its end.
            Err(error) => tracing::debug!(%error, "a lock ends with its session"),
        }
    }
}

impl Drop for Elected {
    fn drop(&mut self) {
        // A connection that holds a session lock must not go back to the pool.
        if let Some(conn) = self.conn.take() {
            drop(conn.detach());
        }
    }
}

impl Db {
    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// No connection.
    pub async fn try_elect(&self, context: &'static str, what: &str) -> DbResult<Option<Elected>> {
        let mut conn = self.read(context).await?;
        let won: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended($1, 0))")
            .bind(format!("{context}/{what}"))
            .fetch_one(&mut *conn)
            .await?;
        Ok(won.then_some(Elected { conn: Some(conn) }))
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// No connection.
    pub async fn elect(&self, context: &'static str, what: &str) -> DbResult<Elected> {
        let mut conn = self.read(context).await?;
        sqlx::query("select pg_advisory_lock(hashtextextended($1, 0))")
            .bind(format!("{context}/{what}"))
            .execute(&mut *conn)
            .await?;
        Ok(Elected { conn: Some(conn) })
    }
}
