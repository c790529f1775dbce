//! Journal rows with numbers and times that no column has a place for.

use eventify_protocol::ids::ScanId;
use eventify_protocol::sync::{JournalBatch, JournalEntry, Up};
use eventify_protocol::time::WallTime;
use uuid::Uuid;

use crate::fleet::journal::{Journal, ack, stored};
use crate::fleet::world::Venue;

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
