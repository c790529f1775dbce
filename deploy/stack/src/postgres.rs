//! A private PostgreSQL, and databases for tests cloned from a template.
//!
//! Migrations run once for each template of a run; `CREATE DATABASE … TEMPLATE` then copies the result
//! in tens of milliseconds. Roles belong to the whole server, so a migration that creates roles must
//! accept existing ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::background;
use crate::clock;
use crate::error::{During, Result, StackError};
use crate::ports;
use crate::process::{Program, Server, StopSignal, bound_to_parent, run_to_end};
use crate::scratch::Scratch;

const SUPERUSER: &str = "eventify";
const MAX_CONNECTIONS: u16 = 400;
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Where Debian keeps each major version's programs.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// How to reach the run's PostgreSQL.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Postgres {
    port: u16,
    password: String,
}

impl Postgres {
    /// A superuser's URL of a database of this server.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let Self { port, password } = self;
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// An empty database.
    pub async fn empty_database(&self) -> Result<Database> {
        self.create("template0").await
    }

    /// A clone of the template `key`. The first caller in the run makes the template: `migrate` gets its
    /// URL, and must close all its connections before it returns. Other callers with the same key, in
    /// any process, wait for that.
    pub async fn database<F, Fut, E>(&self, key: &str, migrate: F) -> Result<Database>
    where
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = std::result::Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut admin = self.admin().await?;
        let hash: i64 = sqlx::query_scalar("SELECT hashtextextended($1, 0)")
            .bind(key)
            .fetch_one(&mut admin)
            .await?;
        let template = format!("template_{hash:016x}");
        // The session holds the lock, so it is released if the caller dies.
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(hash)
            .execute(&mut admin)
            .await?;
        let complete: Option<bool> =
            sqlx::query_scalar("SELECT datistemplate FROM pg_database WHERE datname = $1")
                .bind(&template)
                .fetch_optional(&mut admin)
                .await?;
        if complete != Some(true) {
            let drop = format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)");
            admin.execute(AssertSqlSafe(drop)).await?;
            admin
                .execute(AssertSqlSafe(format!("CREATE DATABASE {template}")))
                .await?;
            migrate(self.url(&template))
                .await
                .map_err(|e| StackError::Migration(e.into()))?;
            let seal =
                format!("ALTER DATABASE {template} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false");
            admin.execute(AssertSqlSafe(seal)).await?;
        }
        admin.close().await?;
        self.create(&template).await
    }

    async fn create(&self, template: &str) -> Result<Database> {
        let name = format!("test_{}", clock::random_name::<8>());
        let mut admin = self.admin().await?;
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        admin.execute(AssertSqlSafe(create)).await?;
        admin.close().await?;
        Ok(Database {
            url: self.url(&name),
            name,
            server: self.clone(),
        })
    }

    async fn admin(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.url("postgres")).await?)
    }
}

/// A database that is dropped with this value, with all its connections; if that fails, at the end
/// of the run.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: String,
    server: Postgres,
}

impl Database {
    /// A superuser's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (name, server) = (std::mem::take(&mut self.name), self.server.clone());
        background::spawn(async move {
            let dropped = async {
                let mut admin = server.admin().await?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                admin.execute(AssertSqlSafe(drop)).await?;
                admin.close().await?;
                Ok::<_, StackError>(())
            };
            if let Err(error) = dropped.await {
                tracing::debug!(database = name, %error, "The database stays until the run ends.");
            }
        });
    }
}

/// Makes the cluster and starts it. `durable` keeps `fsync` as in production, which benchmarks need;
/// without it tests are faster, and data is lost only if the machine stops.
pub(crate) async fn start(scratch: &Scratch, durable: bool) -> Result<(Postgres, Server)> {
    let programs = newest_version()?;
    // PostgreSQL refuses to run as root.
    let user = geteuid().is_root().then_some("postgres");
    let data = scratch.path().join("postgres");
    let postgres = Postgres {
        port: ports::free()?,
        password: clock::random_name::<16>(),
    };
    initialise(&programs, scratch, &data, user, &postgres.password).await?;

    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    let mut set =
        |name: &str, value: &str| arguments.extend(["-c".into(), format!("{name}={value}")]);
    set("listen_addresses", "127.0.0.1");
    set("port", &postgres.port.to_string());
    set("unix_socket_directories", "");
    set("max_connections", &MAX_CONNECTIONS.to_string());
    set("shared_buffers", "256MB");
    set("max_wal_size", "2GB");
    if !durable {
        set("fsync", "off");
        set("full_page_writes", "off");
    }
    let mut server = Server::start(Program {
        name: "PostgreSQL",
        executable: &programs.join("postgres"),
        arguments,
        environment: Vec::new(),
        stop: StopSignal::Quit,
        user,
        log: scratch.path().join("postgres.log"),
    })?;
    server
        .ready(READY_LIMIT, || async {
            let mut admin = postgres.admin().await.map_err(|e| e.to_string())?;
            admin.execute("SELECT 1").await.map_err(|e| e.to_string())?;
            admin.close().await.map_err(|e| e.to_string())
        })
        .await?;
    Ok((postgres, server))
}

async fn initialise(
    programs: &Path,
    scratch: &Scratch,
    data: &Path,
    user: Option<&str>,
    password: &str,
) -> Result<()> {
    fs::create_dir(data).during(|| format!("creating {}", data.display()))?;
    let password_file = scratch.private_file("postgres.password", password)?;
    if let Some(user) = user {
        let mut give = std::process::Command::new("chown");
        give.arg(user).args([data, &password_file]);
        run_to_end(give, "making PostgreSQL the owner of its folder").await?;
    }
    let mut initdb = bound_to_parent(&programs.join("initdb"), StopSignal::Kill, user);
    initdb
        .current_dir(scratch.path())
        .env("LANG", "C.UTF-8")
        .arg("--pgdata")
        .arg(data)
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--username", SUPERUSER])
        // Not SCRAM: its 4,096 hashes for each connection took half of the core tests' processor time.
        .args(["--auth", "md5"])
        .args(["--encoding", "UTF8"])
        .args(["--locale", "C.UTF-8", "--no-sync"]);
    run_to_end(initdb, "initdb").await
}

fn newest_version() -> Result<PathBuf> {
    let newest = fs::read_dir(DEBIAN_ROOT)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max();
    let missing = || StackError::Missing {
        missing: format!("PostgreSQL (in {DEBIAN_ROOT})"),
        remedy: "run `make deps`, or install the Debian package `postgresql`",
    };
    let version = newest.ok_or_else(missing)?;
    Ok(PathBuf::from(format!("{DEBIAN_ROOT}/{version}/bin")))
}
