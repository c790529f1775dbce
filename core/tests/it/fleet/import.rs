//! Journals that an administrator imports as `eventify-edge export-journal` has written them.

use eventify_protocol::sync::{SealedRow, Up};
use eventify_protocol::verdict::{Mode, Verdict};
use serde_json::{Value, json};

use crate::fleet::journal::{Journal, stored};
use crate::fleet::world::Venue;
use crate::world::{Answer, User, send};

/// As the node writes them: the row, and the hash of its bytes beside it.
pub(crate) fn lines(rows: &[SealedRow]) -> String {
    let line = |row: &SealedRow| {
        let mut line = serde_json::to_value(row.row()).unwrap();
        line["hash"] = json!(row.hash());
        line.to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

pub(crate) async fn import(user: &User<'_>, path: &str, lines: String) -> Answer {
    let request = user.request(reqwest::Method::POST, path);
    send(request.body(lines)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_journal_joins_on_to_what_is_held() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    for scan in 501..509 {
        journal.scan(scan, Verdict::Admit, Mode::Degraded);
    }
    node.send(Up::Journal(journal.batch(1, 3))).await;
    stored(&venue, 3).await;

    let path = format!("/fleet/nodes/{}/journal/import", node.id);
    let admin = venue.core.user("ada").role("ADMIN");
    let owner = import(&venue.owner(), &path, lines(&journal.rows)).await;
    assert_eq!(owner.status, 403, "an administrator's act");

    // A part that begins beyond the end is refused, and changes nothing.
    let late = import(&admin, &path, lines(&journal.rows[5..])).await;
    late.assert_refused(409, "journal_not_joined");
    stored(&venue, 3).await;

    let all = import(&admin, &path, lines(&journal.rows))
        .await
        .expect(200);
    assert_eq!(all["rows"], 9);
    stored(&venue, 9).await;
    let again = import(&admin, &path, lines(&journal.rows[4..])).await;
    assert_eq!(again.expect(200)["rows"], 5, "known already");
    stored(&venue, 9).await;

    // What was imported goes on to ticketing, as if the node had sent it.
    let sent: Value = venue
        .value::<sqlx::types::Json<Value>>(
            "select payload from outbox where kind = 'fleet.journal.accepted'
                 and $1::uuid is not null order by position desc limit 1",
        )
        .await
        .0;
    assert_eq!((&sent["from"], &sent["to"]), (&json!(4), &json!(9)));
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_what_was_written_are_refused() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    journal.scan(501, Verdict::Revoked, Mode::Degraded);
    let path = format!("/fleet/nodes/{}/journal/import", node.id);
    let admin = venue.core.user("ada").role("ADMIN");

    let polished = lines(&journal.rows).replace("Revoked", "Admit");
    assert_ne!(polished, lines(&journal.rows));
    for body in [polished, "{}\n".to_owned(), "HELLO".to_owned()] {
        let refused = import(&admin, &path, body).await;
        assert_eq!(refused.status, 400, "{:#}", refused.body);
    }
    // The same rows, sealed anew by somebody else, are another chain than the one that is held.
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    let mut other = Journal::open(node.id, 1);
    other.scan(501, Verdict::Admit, Mode::Degraded);
    let refused = import(&admin, &path, lines(&other.rows)).await;
    refused.assert_refused(409, "journal_not_joined");
    assert_eq!(venue.alarms().await, ["journal_fork"]);
    stored(&venue, 2).await;
}
