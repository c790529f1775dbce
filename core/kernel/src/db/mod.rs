//! PostgreSQL: one pool, schema and role per context; transactions that carry their outbox.
//!
//! A connection has the rights of its context's role alone. SQL names tables with their schema; the
//! tables that every context has (outbox, inbox, tasks) are found through the `search_path`. Every
//! write:
//!
//! ```text
//! let mut tx = app.db.begin(NAME, &cause).await?;      // rows + outbox in one transaction
//! store::update(&mut tx, &order).await?;
//! tx.publish(app.clock.new_id(), order.version, &OrderPaid { .. });
//! tx.commit().await?;                                  // notifies the relay
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::Connection as _;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres};

use crate::cause::Cause;
use crate::config;
use crate::connectivity::{CONNECT_TIMEOUT, Connectivity, Pauses};
use crate::outbox_notifier::OutboxNotifier;
use crate::schemas::Schemas;

pub mod alarms;
pub mod epoch;
pub mod idempotency;
pub mod inbox;
mod insert;
pub mod lock;
pub mod migrate;
pub mod notify;
pub mod outbox;
pub mod tasks;
mod tx;

pub use insert::insert_rows;
pub use sqlx::PgConnection;
pub use tx::Tx;

/// A failed statement or connection. Never shown to a client. Cheap to clone: those who shared a
/// transaction share its failure.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct DbError(Arc<sqlx::Error>);

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// What every store function answers.
pub type DbResult<T> = Result<T, DbError>;

impl DbError {
    /// A row that can't exist was read: the code or the data is wrong.
    #[must_use]
    pub fn impossible_row(what: impl std::fmt::Display) -> Self {
        sqlx::Error::Decode(what.to_string().into()).into()
    }

    /// Whether a constraint of this name refused the statement.
    #[must_use]
    pub fn violates(&self, constraint: &str) -> bool {
        self.0
            .as_database_error()
            .and_then(|error| error.constraint())
            .is_some_and(|name| name == constraint)
    }

    /// Whether the database is at fault, and not what was asked of it (SQLSTATE class 22, data
    /// exceptions): only then does a breaker count it.
    #[must_use]
    pub fn is_databases_fault(&self) -> bool {
        let code = self.0.as_database_error().and_then(DatabaseError::code);
        !code.is_some_and(|code| code.starts_with("22"))
    }

    /// Whether trying again can help: deadlock, serialization failure, lost connection.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let code = self.0.as_database_error().and_then(DatabaseError::code);
        matches!(code.as_deref(), Some("40001" | "40P01" | "57P01" | "53300"))
            || matches!(
                &*self.0,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed
            )
    }
}

/// The databases of all contexts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Arc<BTreeMap<&'static str, PgPool>>,
    schemas: Schemas,
    notifier: OutboxNotifier,
}

impl Db {
    /// Opens a pool per context; connections are made when needed.
    ///
    /// # Errors
    /// An URL that doesn't parse.
    pub fn open(
        config: &config::Database,
        contexts: impl IntoIterator<Item = &'static str>,
        schemas: Schemas,
        notifier: OutboxNotifier,
    ) -> DbResult<Self> {
        let mut pools = BTreeMap::new();
        for context in contexts {
            let options = config
                .url_of(context)
                .parse::<PgConnectOptions>()?
                .application_name(&format!("eventify {context}"))
                .options([
                    ("role", role_of(context)),
                    ("search_path", format!("\"{context}\",public")),
                ]);
            let pool = PgPoolOptions::new()
                .max_connections(config.max_connections)
                .acquire_timeout(config.acquire_timeout())
                .test_before_acquire(false)
                .before_acquire(|conn, kept| Box::pin(is_alive(conn, kept.idle_for)))
                .after_connect(|conn, _| Box::pin(epoch::remember(conn)))
                .connect_lazy_with(options);
            pools.insert(context, pool);
        }
        Ok(Self {
            pools: Arc::new(pools),
            schemas,
            notifier,
        })
    }

    /// Begins a context's transaction.
    ///
    /// # Errors
    /// No connection within the acquire timeout.
    pub async fn begin(&self, context: &'static str, cause: &Cause) -> DbResult<Tx> {
        let inner = self.pool(context).begin().await?;
        Ok(Tx::new(
            inner,
            context,
            cause.clone(),
            self.schemas.clone(),
            self.notifier.clone(),
        ))
    }

    /// A connection for reading outside a transaction.
    ///
    /// # Errors
    /// No connection within the acquire timeout.
    pub async fn read(&self, context: &'static str) -> DbResult<PoolConnection<Postgres>> {
        Ok(self.pool(context).acquire().await?)
    }

    /// The contexts that have a pool.
    pub fn contexts(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.pools.keys().copied()
    }

    /// The schemas of all events.
    #[must_use]
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Whether every context's database answers.
    ///
    /// # Errors
    /// The first that doesn't.
    pub async fn ping(&self) -> DbResult<()> {
        for pool in self.pools.values() {
            sqlx::query("select 1").execute(pool).await?;
        }
        Ok(())
    }

    /// Closes all pools, waiting for connections in use.
    pub async fn close(&self) {
        for pool in self.pools.values() {
            pool.close().await;
        }
    }

    pub(crate) fn pool(&self, context: &'static str) -> &PgPool {
        self.pools
            .get(context)
            .expect("every registered context has a pool")
    }
}

/// A connection that was used a moment ago is taken to live; the answer about another costs a round
/// trip, which a restarted database is worth.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

async fn is_alive(conn: &mut PgConnection, idle_for: Duration) -> sqlx::Result<bool> {
    if idle_for > TRUSTED_IDLE {
        conn.ping().await?;
    }
    Ok(true)
}

/// The database answers, and takes no connection from us.
#[derive(Debug, thiserror::Error)]
#[error("the database at {place} refuses the connection: {why}; check database.url")]
pub struct Refused {
    place: String,
    why: sqlx::Error,
}

/// Waits until every context's database takes connections.
///
/// # Errors
/// [`Refused`]: that does not pass by itself.
pub async fn wait(config: &config::Database, contexts: &[&'static str]) -> Result<(), Refused> {
    let urls: BTreeSet<_> = contexts.iter().map(|name| config.url_of(name)).collect();
    for url in urls {
        let refused = |place: &str, why| Refused {
            place: place.to_owned(),
            why,
        };
        let options: PgConnectOptions = url.parse().map_err(|why| refused("database.url", why))?;
        let connectivity = Connectivity::of("database", place(&options), "database.url");
        let mut pauses = Pauses::default();
        loop {
            let connecting = PgConnection::connect_with(&options);
            match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(Ok(taken)) => {
                    let _closed = taken.close().await;
                    break;
                }
                Ok(Err(error)) if !is_line(&error) => {
                    return Err(refused(connectivity.place(), error));
                }
                Ok(Err(error)) => connectivity.lost(error),
                Err(_) => connectivity.lost("no answer in time"),
            };
            tokio::time::sleep(pauses.next()).await;
        }
        connectivity.found();
    }
    Ok(())
}

/// Whether it is the line, or a server that starts, stops or is full, and not what was asked.
fn is_line(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(
        error,
        // Hanging up at once is a protocol error to the library.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_)
    ) || matches!(code.as_deref(), Some("57P01" | "57P02" | "57P03" | "53300"))
}

/// Host, port and name, without the login.
fn place(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_default();
    format!("{}:{}/{name}", options.get_host(), options.get_port())
}

/// An amount from its two columns.
///
/// # Errors
/// [`DbError::impossible_row`].
pub fn money(currency: &str, amount: Decimal) -> DbResult<Money> {
    Currency::parse(currency)
        .and_then(|currency| Money::from_decimal(currency, amount))
        .map_err(DbError::impossible_row)
}

/// The database role that owns a context's schema.
#[must_use]
pub fn role_of(context: &str) -> String {
    format!("eventify_{context}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_database_is_shown_without_the_login() {
        let options = "postgres://user:secret@db:5433/eventify".parse().unwrap();
        assert_eq!(place(&options), "db:5433/eventify");
    }
}
