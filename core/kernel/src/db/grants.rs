//! Whether the database grants as many connections as this process may open. If it doesn't, that shows in
//! the first rush, as refusals to whoever asks last.

use std::collections::BTreeMap;

use sqlx::PgPool;

use super::{Db, DbError, DbResult, Pool, place};
use crate::config::{Process, Role};

/// Beside its pools a process has one connection to each database for the probe …
const PROBES: u32 = 1;
/// … and, where it relays, one that listens for commits of other processes.
const LISTENERS: u32 = 1;

/// The database grants fewer connections than this process may open.
#[derive(Debug, thiserror::Error)]
pub enum TooFew {
    #[error(
        "the database at {place} grants {granted} connections (its {limit}), and this process alone may open \
         {needed}: raise that, or lower database.max_connections, gate_connections and anonymous_connections \
         (OPERATING.md, \"What the database must grant\")"
    )]
    Connections {
        place: String,
        granted: i64,
        limit: &'static str,
        needed: u32,
    },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a server or a database grants to our login; none: as many as there are.
#[derive(Debug, sqlx::FromRow)]
struct Granted {
    /// To all but superusers.
    server: i64,
    role: Option<i64>,
    database: Option<i64>,
}

impl Db {
    /// Compares what the servers grant with what the pools of this process may take.
    ///
    /// # Errors
    /// [`TooFew`] names the limit.
    pub async fn check_grants(&self, process: &Process) -> Result<(), TooFew> {
        let beside = if process.has(Role::Relay) {
            PROBES + LISTENERS
        } else {
            PROBES
        };
        let mut databases = BTreeMap::<_, u32>::new();
        for probe in &*self.probes {
            *databases.entry(place_of(probe)).or_default() += beside;
        }
        for Pool { connections, .. } in self.pools.values() {
            let needed = databases.entry(place_of(connections)).or_default();
            *needed += connections.options().get_max_connections();
        }
        let mut servers = BTreeMap::<_, u32>::new();
        for ((server, _), needed) in &databases {
            *servers.entry(server).or_default() += *needed;
        }
        for probe in &*self.probes {
            let place = place_of(probe);
            let granted = granted(probe).await?;
            for (granted, limit, needed) in [
                (Some(granted.server), "max_connections", servers[&place.0]),
                (granted.role, "role's CONNECTION LIMIT", servers[&place.0]),
                (
                    granted.database,
                    "database's CONNECTION LIMIT",
                    databases[&place],
                ),
            ] {
                if let Some(granted) = granted.filter(|granted| *granted < i64::from(needed)) {
                    return Err(TooFew::Connections {
                        place: place.1,
                        granted,
                        limit,
                        needed,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Server and database of a pool.
fn place_of(connections: &PgPool) -> ((String, u16), String) {
    let options = connections.connect_options();
    let server = (options.get_host().to_owned(), options.get_port());
    (server, place(&options))
}

async fn granted(connections: &PgPool) -> DbResult<Granted> {
    // `reserved_connections` is of PostgreSQL 16.
    let granted = sqlx::query_as(
        "select current_setting('max_connections')::bigint
                 - current_setting('superuser_reserved_connections')::bigint
                 - coalesce(current_setting('reserved_connections', true)::bigint, 0) as server,
             (select nullif(rolconnlimit, -1)::bigint from pg_roles where rolname = session_user) as role,
             (select nullif(datconnlimit, -1)::bigint from pg_database where datname = current_database())
                 as database",
    )
    .fetch_one(connections)
    .await?;
    Ok(granted)
}
