//! Whether a connection is a session of PostgreSQL's own. Elections, notifications, prepared statements and
//! a context's role belong to a session, and seem to work through a pooler that lends sessions out for a
//! transaction: until two processes are elected (DECISIONS 66).

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _, SqlSafeStr, raw_sql};

use super::error::code_of;

/// Connections that try to get the session of the first one. A pooler gives away the one that was used last,
/// or the one that has rested longest; then it takes more of them, if others use the pooler too.
const RIVALS: usize = 3;
/// A session of a server, whatever the server: those of two servers may have one process id.
const SESSION: &str = "select pg_backend_pid() || '/' || pg_postmaster_start_time()";
const SESSION_IN_TRANSACTION: &str =
    "begin; select pg_backend_pid() || '/' || pg_postmaster_start_time()";
const OPTION: (&str, &str) = ("eventify.probe", "kept");

/// What a pooler does that can't be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Pooled {
    #[error("gives one session to several connections in turn, as in transaction mode")]
    SharesSessions,
    #[error("does not pass on the `options` with which a connection begins")]
    DropsOptions,
}

/// Asks on several connections at once, in the simple protocol: prepared statements are among what fails.
///
/// # Errors
/// The database doesn't answer, or refuses us.
pub(super) async fn find(options: &PgConnectOptions) -> sqlx::Result<Option<Pooled>> {
    match look(&options.clone().options([OPTION])).await {
        Err(error) if is_violation(&error) => Ok(Some(Pooled::DropsOptions)),
        result => result,
    }
}

async fn look(options: &PgConnectOptions) -> sqlx::Result<Option<Pooled>> {
    let mut first = PgConnection::connect_with(options).await?;
    let own = text(&mut first, SESSION).await?;
    let mut rivals = Vec::new();
    let mut shared = false;
    while rivals.len() < RIVALS && !shared {
        let mut rival = PgConnection::connect_with(options).await?;
        // It keeps its session for as long as its transaction is open.
        shared = match text(&mut rival, SESSION_IN_TRANSACTION).await {
            Ok(got) => got == own || text(&mut first, SESSION).await? != own,
            Err(error) if is_violation(&error) => true,
            Err(error) => return Err(error),
        };
        rivals.push(rival);
    }
    let asked = "select coalesce(current_setting('eventify.probe', true), '')";
    let is_kept = shared || text(&mut first, asked).await? == OPTION.1;
    for connection in rivals.into_iter().chain([first]) {
        let _closed = connection.close().await;
    }
    Ok(match (shared, is_kept) {
        (true, _) => Some(Pooled::SharesSessions),
        (false, false) => Some(Pooled::DropsOptions),
        (false, true) => None,
    })
}

/// PostgreSQL itself says so neither of a startup parameter nor of a transaction: the first is not passed on,
/// the second not had where single statements are lent out.
fn is_violation(error: &sqlx::Error) -> bool {
    code_of(error).as_deref() == Some("08P01")
}

async fn text(conn: &mut PgConnection, sql: impl SqlSafeStr) -> sqlx::Result<String> {
    raw_sql(sql).fetch_one(conn).await?.try_get(0)
}
