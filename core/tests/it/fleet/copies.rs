//! Two processes with one identity: a disk was copied, and both copies were switched on.

use eventify_protocol::ids::SessionId;
use eventify_protocol::sync::{Down, Hello, Up};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::{Mode, Verdict};
use uuid::Uuid;

use crate::fleet::import::{import, lines};
use crate::fleet::journal::{Journal, stored};
use crate::fleet::world::{Node, Venue, hello};

const ELDER: SessionId = SessionId(Uuid::from_u128(1));
const COPY: SessionId = SessionId(Uuid::from_u128(2));

/// Whether the core welcomes a session, or tells it to stop.
async fn is_welcome(node: &mut Node, session: SessionId, sent_after: Option<CoreTime>) -> bool {
    let hello = Hello {
        session: Some(session),
        sent_after,
        ..hello(None)
    };
    let id = node.send(Up::Hello(hello)).await;
    node.receive("an answer", |message| match message {
        Down::Welcome(welcome) => (welcome.answers == id).then_some(true),
        Down::Config(config) => (config.duplicate == Some(session)).then_some(false),
        _ => None,
    })
    .await
}

/// C10: both were welcomed in turns, every few seconds, and no alarm named them.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_node_with_one_identity_is_told_to_stop_and_named() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let later = Some(CoreTime(i64::MAX));
    assert!(is_welcome(&mut node, ELDER, None).await);
    assert!(
        is_welcome(&mut node, COPY, later).await,
        "it may be a restart"
    );
    assert!(
        is_welcome(&mut node, ELDER, Some(CoreTime(0))).await,
        "held up on its way"
    );
    assert_eq!(venue.alarms().await, Vec::<String>::new());
    assert!(
        is_welcome(&mut node, ELDER, later).await,
        "it stands at its gate"
    );
    assert_eq!(venue.alarms().await, ["node_duplicated"]);
    assert!(!is_welcome(&mut node, COPY, later).await);
    assert!(is_welcome(&mut node, ELDER, later).await);
}

/// C10: what the copy has decided is kept, and counts.
#[tokio::test(flavor = "multi_thread")]
async fn whom_the_copy_let_in_is_imported_beside_the_nodes_own_journal() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    journal.scan(501, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    let mut copy = Journal::open(node.id, 1);
    copy.scan(502, Verdict::Admit, Mode::Degraded);
    copy.scan(503, Verdict::Admit, Mode::Degraded);
    let path = format!("/fleet/nodes/{}/journal/import", node.id);
    let admin = venue.core.user("ada").role("ADMIN");
    let early = import(&admin, &path, lines(&copy.rows)).await;
    early.assert_refused(409, "journal_not_joined");

    let later = Some(CoreTime(i64::MAX));
    for session in [ELDER, COPY, ELDER] {
        assert!(is_welcome(&mut node, session, later).await);
    }
    for _ in 0..2 {
        let done = import(&admin, &path, lines(&copy.rows)).await;
        assert_eq!(done.expect(200)["rows"], 3);
        stored(&venue, 5).await;
    }
    venue.core.settle().await;
}
