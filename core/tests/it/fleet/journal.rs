//! Journals at the core: stored once, in order, without gaps; contradictions are stored and named.

use eventify_contracts::ticketing::{JournalApplied, RowOutcome, TicketState as State};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{BootId, GateId, IncarnationId, NodeId, PersonId, ScanId, ScannerId};
use eventify_protocol::sync::{
    Ask, Decision, Down, Envelope, Health, JournalAck, JournalBatch, JournalEntry, JournalHead,
    JournalRow, Moment, Nonce, Position, SealedRow, Sender, Up,
};
use eventify_protocol::time::{BootTime, CoreInterval, CoreTime, WallTime};
use eventify_protocol::verdict::{DecidedBy, Mode, Verdict};
use serde_json::json;
use uuid::Uuid;

use crate::fleet::world::{Node, Venue, ticket};
use crate::world::replies::{NodeShown, Page};
use crate::world::until;

/// A node's journal file, growing.
pub(crate) struct Journal {
    node: NodeId,
    pub(crate) file: IncarnationId,
    pub(crate) rows: Vec<SealedRow>,
    /// At the scanner.
    pub(crate) on_shift: Option<PersonId>,
}

impl Journal {
    pub(crate) fn open(node: NodeId, file: u128) -> Self {
        Self::begin(node, file, None, None)
    }

    /// A file that goes on from another one.
    pub(crate) fn begin(
        node: NodeId,
        file: u128,
        succeeds: Option<JournalHead>,
        after_loss: Option<JournalHead>,
    ) -> Self {
        let file = IncarnationId(Uuid::from_u128(file));
        let mut journal = Self {
            node,
            file,
            rows: Vec::new(),
            on_shift: None,
        };
        journal.push(JournalEntry::Opened {
            node,
            succeeds,
            after_loss,
        });
        journal
    }

    pub(crate) fn push(&mut self, entry: JournalEntry) {
        let seq = self.rows.len() as u64 + 1;
        let micros = 1_900_000_000_000_000 + i64::try_from(seq).unwrap() * 1_000_000;
        self.push_at(WallTime(micros), entry);
    }

    /// By a clock of the node that stands somewhere.
    pub(crate) fn push_at(&mut self, wall: WallTime, entry: JournalEntry) {
        let seq = self.rows.len() as u64 + 1;
        let micros = 1_900_000_000_000_000 + i64::try_from(seq).unwrap() * 1_000_000;
        let at = Moment {
            boot: BootId(Uuid::nil()),
            boottime: BootTime(seq),
            wall,
            core: Some(CoreInterval::exact(CoreTime(micros))),
        };
        let previous = self.rows.last().map_or(Hash32::ZERO, SealedRow::hash);
        let row = JournalRow {
            incarnation: self.file,
            seq,
            previous,
            at,
            entry,
        };
        self.rows.push(SealedRow::seal(row));
    }

    /// A scan that was decided.
    pub(crate) fn scan(&mut self, scan: u128, verdict: Verdict, mode: Mode) {
        self.push(JournalEntry::Decision(Decision {
            scan: ScanId(Uuid::from_u128(scan)),
            scanner: ScannerId(Uuid::from_u128(11)),
            gate: GateId(Uuid::from_u128(12)),
            token: Hash32([1; 32]),
            ticket: None,
            performance: None,
            verdict,
            mode,
            decided_by: if mode == Mode::Online {
                DecidedBy::Core
            } else {
                DecidedBy::Edge
            },
            cache_age_ms: Some(1_000),
            point: None,
            replaces: Vec::new(),
            asked_until: None,
            person: self.on_shift,
        }));
    }

    pub(crate) fn batch(&self, from: u64, to: u64) -> JournalBatch {
        let rows = &self.rows[usize::try_from(from - 1).unwrap()..usize::try_from(to).unwrap()];
        JournalBatch {
            incarnation: self.file,
            from,
            rows: rows.iter().map(|row| row.bytes().to_vec().into()).collect(),
        }
    }

    /// Ticketing has done what these rows ask for.
    pub(crate) fn applied(&self, from: u64, through: u64) -> JournalApplied {
        let outcomes = (from..=through)
            .map(|seq| RowOutcome {
                seq,
                class: "admitted".to_owned(),
                conflict_id: None,
            })
            .collect();
        let (node_id, incarnation) = (self.node, self.file);
        JournalApplied {
            node_id,
            incarnation,
            from,
            through,
            outcomes,
            tickets: Vec::new(),
        }
    }
}

pub(crate) async fn ack(node: &mut Node) -> JournalAck {
    node.receive("an acknowledgement", |message| match message {
        Down::JournalAck(ack) => Some(ack),
        _ => None,
    })
    .await
}

pub(crate) async fn stored(venue: &Venue, rows: i64) {
    until("the rows are stored", async || {
        let sql =
            "select count(*) from journal_rows join nodes using (node_id) where venue_id = $1";
        venue.value::<i64>(sql).await == rows
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_acknowledged_when_their_effects_are_in_the_feed() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    journal.scan(101, Verdict::Admit, Mode::Degraded);
    journal.scan(102, Verdict::Forged, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    node.send(Up::Journal(journal.batch(3, 3))).await;
    stored(&venue, 3).await;
    venue.core.settle().await;
    assert!(
        node.received()
            .iter()
            .all(|message| !matches!(message, Down::JournalAck(_)))
    );

    // The second batch is applied first: nothing is acknowledged over the gap.
    venue.publish("ticketing", 1, &journal.applied(3, 3)).await;
    venue.core.settle().await;
    assert_eq!(ack(&mut node).await.seq, 0);
    let mut applied = journal.applied(1, 2);
    let mut used = ticket(venue.id, 1);
    used.version = 2;
    used.state = State::Used {
        scan_id: ScanId(Uuid::from_u128(101)),
        gate_id: GateId(Uuid::from_u128(12)),
        at: venue.core.clock.now(),
        confirmed: true,
    };
    applied.tickets = vec![used];
    venue.publish("ticketing", 1, &applied).await;
    venue.core.settle().await;
    let done = ack(&mut node).await;
    let end = journal.rows[2].head();
    assert_eq!(
        (done.incarnation, done.seq, done.hash),
        (end.incarnation, end.seq, end.hash)
    );
    let head: i64 = venue
        .value("select head from venues where venue_id = $1")
        .await;
    assert_eq!(
        done.position,
        Position(head as u64),
        "the used ticket stands at or before it"
    );

    // The acknowledgement was lost, the node sends again: the same answer, nothing stored twice.
    node.send(Up::Journal(journal.batch(1, 3))).await;
    assert_eq!(ack(&mut node).await, done);
    stored(&venue, 3).await;

    let path = format!("/fleet/nodes/{}/journal?size=2&page=1", node.id);
    let page = venue.owner().get(&path).await.expect(200);
    assert_eq!(page["total"], 3);
    assert_eq!(page["items"][1]["entry"]["kind"], "decision");
    assert_eq!(page["items"][1]["outcome"]["class"], "admitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_from_the_future_is_answered_with_the_present_end() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    (0..4).for_each(|scan| journal.scan(200 + scan, Verdict::Admit, Mode::Degraded));
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    venue.publish("ticketing", 1, &journal.applied(1, 2)).await;
    venue.core.settle().await;
    let present = ack(&mut node).await;
    assert_eq!(present.seq, 2);
    node.send(Up::Journal(journal.batch(4, 5))).await;
    assert_eq!(ack(&mut node).await, present);
    node.send(Up::Journal(journal.batch(3, 5))).await;
    stored(&venue, 5).await;
    assert_eq!(venue.alarms().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_fork_are_stored_and_the_node_gets_ours() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    let mut other = Journal::open(node.id, 1);
    journal.scan(301, Verdict::Admit, Mode::Degraded);
    other.scan(302, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    venue.publish("ticketing", 1, &journal.applied(1, 2)).await;
    venue.core.settle().await;
    assert_eq!(ack(&mut node).await.seq, 2);
    for _ in 0..2 {
        node.send(Up::Journal(other.batch(2, 2))).await;
        let shown = ack(&mut node).await;
        assert_eq!((shown.seq, shown.hash), (2, journal.rows[1].hash()));
    }
    assert_eq!(
        venue.alarms().await,
        ["journal_fork"],
        "one alarm for one fork"
    );
    let sql = "select count(*) from journal_forks join nodes using (node_id) where venue_id = $1";
    assert_eq!(venue.value::<i64>(sql).await, 1);

    // The node begins a new file that names the end that it was shown.
    let succeeds = Some(journal.rows[1].head());
    let next = Journal::begin(node.id, 2, succeeds, None);
    node.send(Up::Journal(next.batch(1, 1))).await;
    stored(&venue, 3).await;
    let head: JournalHead = next.rows[0].head();
    assert_ne!(head.incarnation, journal.file);
}

/// An answer to a late batch, or to a copy of the node's disk, finds the node that wrote what is stored.
/// It would take a row for acknowledged that is not in the feed, and let its guest in a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_acknowledges_nothing_that_is_only_stored() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    let mut copy = Journal::open(node.id, 1);
    journal.scan(311, Verdict::Admit, Mode::Degraded);
    copy.scan(312, Verdict::Admit, Mode::Degraded);
    let unknown = JournalHead::empty(IncarnationId(Uuid::from_u128(3)));
    let mut lost = Journal::begin(node.id, 2, Some(unknown), None);
    lost.scan(313, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    for refused in [copy.batch(2, 2), lost.batch(2, 2)] {
        node.send(Up::Journal(refused)).await;
        let told = ack(&mut node).await;
        assert_eq!((told.incarnation, told.seq), (journal.file, 0));
    }
    assert_eq!(
        venue.alarms().await,
        ["journal_fork"],
        "one line of the node"
    );

    // The copy finds out as soon as the rows are in the feed.
    venue.publish("ticketing", 1, &journal.applied(1, 2)).await;
    venue.core.settle().await;
    assert_eq!(ack(&mut node).await.seq, 2);
    node.send(Up::Journal(copy.batch(2, 2))).await;
    let told = ack(&mut node).await;
    assert_eq!((told.seq, told.hash), (2, journal.rows[1].hash()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_revoked_node_are_evidence_until_they_are_accepted() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let journal = Journal::open(node.id, 1);
    let path = format!("/fleet/nodes/{}/revoke", node.id);
    venue.owner().post(&path, json!({})).await.expect(200);
    node.send_late(&venue, Up::Journal(journal.batch(1, 1)))
        .await;
    stored(&venue, 1).await;
    let sent = async || {
        let mut conn = venue.core.app().db.read("fleet").await.unwrap();
        sqlx::query_scalar::<_, i64>(
            "select count(*) from outbox where kind = 'fleet.journal.accepted'",
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap()
    };
    assert_eq!(sent().await, 0);
    let accept = format!("/fleet/nodes/{}/journal/accept", node.id);
    assert_eq!(
        venue.owner().post(&accept, json!({})).await.status,
        403,
        "an administrator's act"
    );
    let admin = venue.core.user("ada").role("ADMIN");
    assert_eq!(
        admin.post(&accept, json!({})).await.expect(200)["batches"],
        1
    );
    assert_eq!(sent().await, 1);
    venue.core.settle().await;
    venue.publish("ticketing", 1, &journal.applied(1, 1)).await;
    venue.core.settle().await;
    assert_eq!(ack(&mut node).await.seq, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_with_a_wrong_sender_or_kind_are_dropped_with_an_alarm() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let topic = |kind: &str| format!("ev1/up/{}/{kind}", node.id);
    let ask = Up::Ask(Ask {
        nonce: Nonce([1; 16]),
    });
    let forged = |sender: NodeId| {
        let id = eventify_protocol::ids::MessageId(venue.new_id());
        Envelope::new(id, Sender::Node(sender), ask.clone()).to_bytes()
    };
    node.send_raw(&topic("ask"), vec![0xff; 40]).await;
    node.send_raw(&topic("ask"), forged(NodeId(Uuid::from_u128(9))))
        .await;
    node.send_raw(&topic("hello"), forged(node.id)).await;
    until("three alarms", async || venue.alarms().await.len() == 3).await;
    let mut codes = venue.alarms().await;
    codes.sort();
    assert_eq!(
        codes,
        [
            "message_malformed",
            "uplink_kind_mismatch",
            "uplink_sender_mismatch"
        ]
    );

    // The process is up and answers.
    let keys = venue.core.app().keys.ring().unwrap().set.clone();
    crate::fleet::feed::ask(&mut node, &keys, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_a_node_is_listed_and_changes_of_mode_are_published() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let health = |mode, unacknowledged| {
        Up::Health(Health {
            mode,
            cache_age_ms: Some(1_500),
            head: Position(3),
            unacknowledged,
            free_bytes: 1 << 30,
            software: "1.0".to_owned(),
            mode_number: None,
            unreadable: None,
            journal_fault: None,
        })
    };
    let path = format!("/fleet/nodes?venueId={}", venue.id);
    let shown = async || {
        let nodes: Page<NodeShown> = venue.owner().get(&path).await.read(200);
        nodes.items[0].clone()
    };
    for (mode, unacknowledged) in [(Mode::Degraded, 4), (Mode::Degraded, 5), (Mode::Online, 6)] {
        node.send(health(mode, unacknowledged)).await;
        until("the report is in", async || {
            let health = shown().await.health;
            health.is_some_and(|it| it.unacknowledged == i64::try_from(unacknowledged).unwrap())
        })
        .await;
    }
    let shown = shown().await;
    assert_eq!(shown.status, "enrolled");
    assert_eq!(shown.health.unwrap().mode, "Online");
    let mut conn = venue.core.app().db.read("fleet").await.unwrap();
    let published: i64 =
        sqlx::query_scalar("select count(*) from outbox where kind = 'node.mode_changed'")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    assert_eq!(published, 2, "one for each change, and the first is one");
}
