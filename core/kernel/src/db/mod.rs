//! PostgreSQL: pools, schema and role per context; transactions that carry their outbox.
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
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use eventify_protocol::money::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres};

use crate::arrivals::Arrivals;
use crate::cause::Cause;
use crate::config;
use crate::connectivity::{CONNECT_TIMEOUT, Connectivity, Pauses};
use crate::outbox_notifier::OutboxNotifier;
use crate::schemas::Schemas;

pub mod alarms;
pub mod epoch;
mod error;
mod grants;
pub mod idempotency;
pub mod inbox;
mod insert;
pub mod lock;
pub mod migrate;
pub mod notify;
pub mod outbox;
mod pooler;
pub mod retention;
mod session;
pub mod tasks;
mod tx;
mod work;

pub use error::{DbError, DbResult};
pub use grants::TooFew;
pub use insert::insert_rows;
pub use sqlx::PgConnection;
pub use tx::Tx;
pub use work::Work;

/// The databases of all contexts, as far as a kind of work reaches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Arc<BTreeMap<(&'static str, Work), Pool>>,
    /// One connection to each database, of the probe alone: it asks whether the database answers, and not how
    /// long the queue for it is.
    probes: Arc<Vec<PgPool>>,
    work: Work,
    /// Without an answer for so long, a line is dead.
    patience: Duration,
    schemas: Schemas,
    notifier: OutboxNotifier,
    arrivals: Arrivals,
}

/// A context's connections. Contexts that share a database share what is known of its line.
#[derive(Debug)]
struct Pool {
    connections: PgPool,
    connectivity: Arc<Connectivity>,
}

impl Db {
    /// Opens the pools of each context, named with how many locks a process holds in it at once;
    /// connections are made when needed.
    ///
    /// # Errors
    /// An URL that doesn't parse.
    pub fn open(
        config: &config::Database,
        contexts: impl IntoIterator<Item = (&'static str, u32)>,
        schemas: Schemas,
        notifier: OutboxNotifier,
    ) -> DbResult<Self> {
        let (mut pools, mut lines) = (BTreeMap::new(), BTreeMap::new());
        let mut probes = Vec::new();
        for (context, elections) in contexts {
            let url = config.url_of(context);
            let options = url.parse::<PgConnectOptions>()?;
            let connectivity = lines.entry(url).or_insert_with(|| {
                probes.push(
                    PgPoolOptions::new()
                        .max_connections(1)
                        .acquire_timeout(config.acquire_timeout())
                        .connect_lazy_with(options.clone().application_name("eventify probe")),
                );
                Arc::new(connectivity(&options))
            });
            let options = options
                .application_name(&format!("eventify {context}"))
                .options([
                    ("role", role_of(context)),
                    ("search_path", format!("\"{context}\",public")),
                ])
                .options(session::limits(config));
            for work in Work::ALL {
                let connections = PgPoolOptions::new()
                    .max_connections(work.connections(config, elections))
                    .acquire_timeout(work.patience(config))
                    .test_before_acquire(false)
                    .before_acquire(|conn, kept| Box::pin(session::is_alive(conn, kept.idle_for)))
                    .after_connect(|conn, _| Box::pin(epoch::remember(conn)))
                    .connect_lazy_with(options.clone());
                let connectivity = Arc::clone(connectivity);
                let pool = Pool {
                    connections,
                    connectivity,
                };
                pools.insert((context, work), pool);
            }
        }
        Ok(Self {
            pools: Arc::new(pools),
            probes: Arc::new(probes),
            work: Work::Ordinary,
            patience: config.statement_timeout().mul_f64(session::PATIENCE),
            schemas,
            notifier,
            arrivals: Arrivals::default(),
        })
    }

    /// Where requests wait for what another part of the core commits.
    #[must_use]
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The same databases, with the connections of this kind of work.
    #[must_use]
    pub fn for_work(&self, work: Work) -> Self {
        Self {
            work,
            ..self.clone()
        }
    }

    /// Begins a context's transaction.
    ///
    /// # Errors
    /// No connection within the acquire timeout.
    pub async fn begin(&self, context: &'static str, cause: &Cause) -> DbResult<Tx> {
        let pool = self.pool(context);
        let begun = pool.begin().await;
        let inner = begun.map_err(|error| self.no_connection(pool, error))?;
        Ok(Tx::new(
            inner,
            context,
            cause.clone(),
            self.schemas.clone(),
            (self.notifier.clone(), self.arrivals.clone()),
        ))
    }

    /// A connection for reading outside a transaction.
    ///
    /// # Errors
    /// No connection within the acquire timeout.
    pub async fn read(&self, context: &'static str) -> DbResult<PoolConnection<Postgres>> {
        let pool = self.pool(context);
        let acquired = pool.acquire().await;
        Ok(acquired.map_err(|error| self.no_connection(pool, error))?)
    }

    /// The contexts that have a pool.
    pub fn contexts(&self) -> impl Iterator<Item = &'static str> + '_ {
        let of_all = self.pools.keys();
        of_all.filter_map(|(context, work)| (*work == Work::Ordinary).then_some(*context))
    }

    /// The schemas of all events.
    #[must_use]
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Whether every database answers.
    ///
    /// # Errors
    /// The first that doesn't.
    pub async fn ping(&self) -> DbResult<()> {
        for probe in &*self.probes {
            sqlx::query("select 1").execute(probe).await?;
        }
        Ok(())
    }

    /// The answer of the server, if the line to it lives: by itself a connection waits for an answer
    /// for ever, also from a server that is gone.
    ///
    /// # Errors
    /// The work's own; no answer in time.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = DbResult<T>>) -> DbResult<T> {
        let late = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into());
        let answer = tokio::time::timeout(self.patience, work).await;
        answer.unwrap_or_else(late)
    }

    /// Whether a context's database answers, which tells a fault of the work from one of the database.
    /// One that doesn't is logged once, and once more when it answers.
    pub async fn answers(&self, context: &'static str) -> bool {
        let connectivity = &self.pool_of(context).connectivity;
        let asked = async {
            let probe = sqlx::query("select 1").execute(self.pool(context));
            Ok(probe.await?)
        };
        match self.in_time(asked).await {
            Ok(_) => {
                connectivity.found();
                true
            }
            Err(error) => {
                connectivity.lost(error);
                false
            }
        }
    }

    /// Closes all pools, waiting for connections in use.
    pub async fn close(&self) {
        for pool in self.pools.values() {
            pool.connections.close().await;
        }
        for probe in &*self.probes {
            probe.close().await;
        }
    }

    /// Waiting in vain for a connection has two reasons: all are in use, or none can be made.
    fn no_connection(&self, pool: &PgPool, error: sqlx::Error) -> sqlx::Error {
        let is_full = pool.size() >= pool.options().get_max_connections();
        let kind = match (&error, self.work) {
            (sqlx::Error::PoolTimedOut, _) if !is_full => ErrorKind::TimedOut,
            (sqlx::Error::PoolTimedOut, Work::Anonymous) => ErrorKind::ResourceBusy,
            _ => return error,
        };
        io::Error::from(kind).into()
    }

    pub(crate) fn pool(&self, context: &'static str) -> &PgPool {
        &self.pool_of(context).connections
    }

    fn pool_of(&self, context: &'static str) -> &Pool {
        self.pools
            .get(&(context, self.work))
            .expect("every registered context has a pool")
    }
}

/// The database answers, and can't be worked with.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It takes no connection from us.
    #[error("the database at {place} refuses the connection: {why}; check database.url")]
    Connection {
        /// Host, port and name.
        place: String,
        /// From the server.
        why: sqlx::Error,
    },
    /// Something stands before it that lends its sessions out.
    #[error(
        "the database at {place} is reached through a pooler (PgBouncer, for example) that {why}; elections, \
         notifications and roles belong to a session of PostgreSQL: let database.url lead to PostgreSQL itself, \
         or to a pooler in session mode that passes `options` on"
    )]
    Pooled {
        /// Host, port and name.
        place: String,
        /// What the pooler does.
        why: String,
    },
}

/// Waits until every context's database takes connections, and looks whether each is a session of its own.
///
/// # Errors
/// [`Refused`]: that does not pass by itself.
pub async fn wait(config: &config::Database, contexts: &[&'static str]) -> Result<(), Refused> {
    let urls: BTreeSet<_> = contexts.iter().map(|name| config.url_of(name)).collect();
    for url in urls {
        let refused = |place: &str, why| Refused::Connection {
            place: place.to_owned(),
            why,
        };
        let options: PgConnectOptions = url.parse().map_err(|why| refused("database.url", why))?;
        let connectivity = connectivity(&options);
        let mut pauses = Pauses::default();
        loop {
            match tokio::time::timeout(CONNECT_TIMEOUT, pooler::find(&options)).await {
                Ok(Ok(None)) => break,
                Ok(Ok(Some(pooled))) => {
                    return Err(Refused::Pooled {
                        place: connectivity.place().to_owned(),
                        why: pooled.to_string(),
                    });
                }
                Ok(Err(error)) if !error::is_line(&error) => {
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

fn connectivity(options: &PgConnectOptions) -> Connectivity {
    Connectivity::of("database", place(options), "database.url")
}

/// Whether a URL can be read. Why not is not said: the reason may quote a password.
#[must_use]
pub(crate) fn is_url(text: &str) -> bool {
    text.parse::<PgConnectOptions>().is_ok()
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
