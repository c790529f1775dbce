//! Migrations: forward only, one numbered series per context, under an advisory lock.
//!
//! A context's schema and its role are made first; then the shared tables, then the context's own
//! files. What has been applied is noted with its hash, and a file that changed afterwards stops
//! the migration: write a new one.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::role_of;
use crate::config;

/// One file of `core/migrations/<context>/`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// File name without `.sql`: `0001_seats`.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
}

/// Embeds files: `migrations!("identity": "0001_users")`.
#[macro_export]
macro_rules! migrations {
    ($context:literal: $($name:literal),* $(,)?) => {
        &[$($crate::db::migrate::Migration {
            name: $name,
            sql: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/migrations/", $context, "/", $name, ".sql"
            )),
        }),*]
    };
}

/// The tables that every context has. A context's own files have other names: both are noted in one
/// table.
pub const SHARED: &[Migration] = crate::migrations!(
    "shared": "0000_messaging", "0001_refused_rows", "0002_tasks", "0003_standing_alarms",
    "0004_alarm_rows", "0005_projections", "0006_what_stops",
    "0007_refused_keys"
);

/// Everybody who migrates this database waits for this lock.
const LOCK: i64 = 0x6576_656e_7469_6679;

/// Why the schemas are not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A file was edited after it had been applied.
    #[error("{context}/{name} changed after it was applied; write a new migration instead")]
    Changed {
        /// Context.
        context: String,
        /// File.
        name: String,
    },
    /// A statement failed.
    #[error("migrating {context}{}: {source}", name.map(|name| format!("/{name}")).unwrap_or_default())]
    Statement {
        /// Context.
        context: String,
        /// File, where one was running.
        name: Option<&'static str>,
        /// PostgreSQL's answer.
        source: sqlx::Error,
    },
}

/// Brings one context's schema up to date; answers how many files were applied.
///
/// # Errors
/// [`MigrateError`]; each file is one transaction, so those before it stay applied.
pub async fn migrate(
    config: &config::Database,
    context: &'static str,
    own: &[Migration],
) -> Result<usize, MigrateError> {
    let failed = |source| MigrateError::Statement {
        context: context.to_owned(),
        name: None,
        source,
    };
    let mut conn = PgConnection::connect(config.url_of(context))
        .await
        .map_err(failed)?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut conn)
        .await
        .map_err(failed)?;
    prepare(&mut conn, context).await.map_err(failed)?;
    let mut applied = 0;
    for migration in SHARED.iter().chain(own) {
        applied += usize::from(apply(&mut conn, context, migration).await?);
    }
    conn.close().await.map_err(failed)?;
    Ok(applied)
}

/// Role, schema and the list of what has been applied.
async fn prepare(conn: &mut PgConnection, context: &str) -> Result<(), sqlx::Error> {
    let role = role_of(context);
    // Roles belong to the whole cluster: another database's migration may make it at the same time.
    let statements = format!(
        "do $$ begin
            if not exists (select from pg_roles where rolname = '{role}') then
                create role \"{role}\" nologin;
            end if;
         exception when duplicate_object or unique_violation then null;
         end $$;
         do $$ begin
            if not pg_has_role(current_user, '{role}', 'member') then
                execute format('grant \"{role}\" to %I', current_user);
            end if;
         end $$;
         create extension if not exists unaccent with schema public;
         create extension if not exists pg_trgm with schema public;
         create schema if not exists \"{context}\" authorization \"{role}\";
         set role \"{role}\";
         set search_path to \"{context}\", public;
         create table if not exists applied_migrations (
            name text primary key,
            hash bytea not null,
            applied_at timestamptz not null default now()
         );"
    );
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(conn)
        .await?;
    Ok(())
}

async fn apply(
    conn: &mut PgConnection,
    context: &'static str,
    migration: &Migration,
) -> Result<bool, MigrateError> {
    let name = migration.name;
    let failed = |source| MigrateError::Statement {
        context: context.to_owned(),
        name: Some(name),
        source,
    };
    let hash = Sha256::digest(migration.sql.as_bytes()).to_vec();
    let known: Option<Vec<u8>> =
        sqlx::query_scalar("select hash from applied_migrations where name = $1")
            .bind(name)
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
    match known {
        Some(applied) if applied == hash => return Ok(false),
        Some(_) => {
            return Err(MigrateError::Changed {
                context: context.to_owned(),
                name: name.to_owned(),
            });
        }
        None => {}
    }
    let mut tx = conn.begin().await.map_err(failed)?;
    sqlx::raw_sql(AssertSqlSafe(migration.sql))
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    sqlx::query("insert into applied_migrations (name, hash) values ($1, $2)")
        .bind(name)
        .bind(hash)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(true)
}
