//! Gates come first: what a rush in the shop can't take from them (DECISIONS 46).

use eventify_protocol::verdict::Verdict;
use reqwest::Method;
use sqlx::{Connection, PgConnection};

use crate::ticketing::world::Venue;
use crate::ticketing::world::connection::NodeConnection;
use crate::world::house::House;
use crate::world::{TestApp, TestOptions, send, until};

/// C35: customers had all connections of the database, and a guest at the gate waited for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_let_in_while_the_shop_has_taken_all_of_its_connections() {
    let venue = Venue::open().await;
    let (_, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let db = &venue.core.app().db;
    let mut taken = Vec::new();
    for context in ["ticketing", "fleet"] {
        loop {
            match db.read(context).await {
                Ok(conn) => taken.push(conn),
                Err(error) => {
                    assert!(error.is_busy(), "{error}");
                    break;
                }
            }
        }
    }
    let verdict = connection.scan(&venue.scan(0, &token)).await;
    assert_eq!(verdict, Verdict::Admit);
    drop(taken);
}

/// C35: the catalogue's readers took all connections, its messages waited for one, and the readers
/// after them waited three seconds for a fault.
#[tokio::test(flavor = "multi_thread")]
async fn readers_beyond_their_share_are_refused_at_once_and_hold_up_no_message() {
    let share = 2;
    let config = vec![
        ("database.anonymous_connections", share.to_string()),
        // A busy machine needs a while to make a connection.
        ("database.anonymous_wait_ms", "3000".to_owned()),
    ];
    let core = TestApp::with(TestOptions {
        config,
        ..TestOptions::default()
    })
    .await;
    let house = House::open(&core).await;
    let url = core.scope.database.url();
    let mut slow = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql("begin; lock table catalogue.events in access exclusive mode")
        .execute(&mut slow)
        .await
        .expect("the lock");
    // A transaction would see the sessions of its first look for ever.
    let mut watch = PgConnection::connect(url).await.expect("a connection");
    let anybody = core.anybody();
    let read = || send(anybody.request(Method::GET, "/catalog/events"));
    let first = futures_util::future::join_all((0..share).map(|_| read()));
    let others = async {
        until("the share is in use", async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut watch)
            .await
            .expect("the count");
            waiting == share
        })
        .await;
        let refused = read().await;
        assert_eq!(refused.header("retry-after"), "1");
        refused.assert_refused(503, "busy");
        house.held(&["A-1"], 0).await;
        core.settle().await;
        sqlx::raw_sql("rollback")
            .execute(&mut slow)
            .await
            .expect("the unlock");
    };
    let (first, ()) = tokio::join!(first, others);
    for answer in first {
        answer.expect(200);
    }
}
