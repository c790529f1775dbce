//! Journal rows with numbers and times that no column has a place for.

use eventify_protocol::ids::{ScanId, SessionId};
use eventify_protocol::sync::{Hello, JournalBatch, JournalEntry, Position, Up};
use eventify_protocol::time::WallTime;
use uuid::Uuid;

use crate::fleet::feed::welcome;
use crate::fleet::journal::{Journal, ack, stored};
use crate::fleet::world::{Venue, hello};
use crate::world::until;

/// One row that no column had a place for kept a node's whole journal from the core, without an alarm.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_strange_numbers_is_stored_like_any_other() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    for wall in [i64::MIN, -8_000_000_000_000_000_000, i64::MAX] {
        let voided = JournalEntry::Voided {
            row: u64::MAX,
            scan: ScanId(Uuid::from_u128(400)),
            decided_at: None,
        };
        journal.push_at(WallTime(wall), voided);
    }
    node.send(Up::Journal(journal.batch(1, 4))).await;
    stored(&venue, 4).await;
    let strange = JournalBatch {
        from: u64::MAX,
        ..journal.batch(2, 3)
    };
    node.send(Up::Journal(strange)).await;
    ack(&mut node).await;
    assert_eq!(venue.alarms().await, ["journal_chain_broken"]);
}

/// S25: a position that no column has a place for is no position.
#[tokio::test(flavor = "multi_thread")]
async fn a_hello_of_a_head_that_cannot_be_is_dropped_with_an_alarm_and_leaves_no_row() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let strange = Hello {
        head: Position(u64::MAX),
        session: Some(SessionId(venue.new_id())),
        ..hello(None)
    };
    node.send(Up::Hello(strange)).await;
    until("the alarm", async || !venue.alarms().await.is_empty()).await;
    assert_eq!(venue.alarms().await, ["message_malformed"]);
    let mut conn = venue.core.app().db.read("fleet").await.unwrap();
    let sessions: i64 =
        sqlx::query_scalar("select count(*) from fleet.node_sessions where node_id = $1")
            .bind(node.id)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    assert_eq!(sessions, 0);
    drop(conn);
    // What can be is answered, and leaves its row: the node is welcome.
    welcome(&mut node, None).await;
}
