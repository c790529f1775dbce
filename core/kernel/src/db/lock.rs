//! Elections by PostgreSQL's advisory locks: held by a session, gone with it.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::{Db, DbResult, Work};

/// How often an elected process looks whether it still is.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The one process that may do a thing; lost when dropped or when the connection breaks.
///
/// Work that must be done by one process alone runs on [`Elected::conn`], so that it fails
/// together with the lock, or in [`Elected::while_held`].
#[derive(Debug)]
pub struct Elected {
    db: Db,
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

    /// Works until the work is done or the lock is lost: then another process may be at the same, and
    /// what was begun here may wait for a server that is gone.
    ///
    /// # Errors
    /// The session that held the lock doesn't answer; the work was dropped.
    pub async fn while_held<T>(&mut self, work: impl Future<Output = T>) -> DbResult<T> {
        let db = self.db.clone();
        let lost = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let looked = async {
                    let look = sqlx::query("select 1").execute(self.conn());
                    Ok(look.await?)
                };
                if let Err(error) = db.in_time(looked).await {
                    return error;
                }
            }
        };
        tokio::select! {
            done = work => Ok(done),
            error = lost => Err(error),
        }
    }

    /// Gives the lock back. The session goes back to its pool: jobs run often, and a new one costs
    /// more than what most of them do.
    pub async fn resign(mut self) {
        let db = self.db.clone();
        let unlocked = async {
            let unlock = sqlx::query("select pg_advisory_unlock_all()");
            Ok(unlock.execute(self.conn()).await?)
        };
        match db.in_time(unlocked).await {
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
        let mut elected = self.candidate(context).await?;
        let asked = async {
            let ask = sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended($1, 0))");
            let ask = ask.bind(format!("{context}/{what}"));
            Ok(ask.fetch_one(elected.conn()).await?)
        };
        if self.in_time(asked).await? {
            return Ok(Some(elected));
        }
        drop(elected.conn.take());
        Ok(None)
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// No connection.
    pub async fn elect(&self, context: &'static str, what: &str) -> DbResult<Elected> {
        let mut elected = self.candidate(context).await?;
        loop {
            let asked = async {
                let ask = sqlx::query("select pg_advisory_lock(hashtextextended($1, 0))");
                let ask = ask.bind(format!("{context}/{what}"));
                Ok(ask.execute(elected.conn()).await?)
            };
            match self.in_time(asked).await {
                Ok(_) => return Ok(elected),
                // Another process has been at it for that long.
                Err(error) if error.took_too_long() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn candidate(&self, context: &'static str) -> DbResult<Elected> {
        let elections = self.for_work(Work::Elections);
        Ok(Elected {
            conn: Some(elections.read(context).await?),
            db: self.clone(),
        })
    }
}
