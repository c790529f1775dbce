//! Requests that are made to meet at one place, so that a race is run every time.

use eventify_kernel::db::PgConnection;
use sqlx::Connection;

use super::{TestApp, until};

/// A table into which nobody writes, though everybody reads it, until the gate is opened.
#[derive(Debug)]
pub struct TableGate {
    conn: PgConnection,
}

impl TableGate {
    pub async fn close(core: &TestApp, schema: &str, table: &str) -> Self {
        let url = core.scope.database.url();
        let mut conn = PgConnection::connect(url).await.expect("a connection");
        let lock = format!("begin; lock table {schema}.{table} in share row exclusive mode");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
            .execute(&mut conn)
            .await
            .expect("the lock");
        Self { conn }
    }

    /// Lets everybody on once so many sessions wait, here or for one that waits here.
    pub async fn open_when_waiting(mut self, sessions: i64) {
        until("everybody waits", async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(distinct pid) from pg_locks
                 where not granted and database =
                     (select oid from pg_database where datname = current_database())",
            )
            .fetch_one(&mut self.conn)
            .await
            .expect("the count");
            waiting == sessions
        })
        .await;
        sqlx::raw_sql("rollback")
            .execute(&mut self.conn)
            .await
            .expect("the end of the lock");
    }
}
