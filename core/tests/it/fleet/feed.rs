//! The feed: nothing lost, nothing twice, in one order; and its sync points are true.

use std::collections::BTreeMap;
use std::time::Duration;

use eventify_contracts::ticketing::{TicketRevoked, TicketState as State};
use eventify_kernel::cause::Cause;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{OrderId, PerformanceId, SnapshotId, TicketId};
use eventify_protocol::keys::KeySet;
use eventify_protocol::short_code::CodeTag;
use eventify_protocol::sync::{
    Ask, Delta, Digest, DigestKey, Down, Epoch, FeedEntry, Nonce, Plan, Position, Pull, Subject,
    SyncPoint, TicketEntry, TicketState, Up, Value, Welcome,
};
use eventify_protocol::token::TokenHash;
use eventify_sync::digest;
use sha2::{Digest as _, Sha256};

use crate::fleet::world::{Node, Venue, alarms_of, contexts, hello, issue, performance, ticket};
use crate::world::until;

/// A node that got no answer asks again after this.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// A replica as a node builds it.
#[derive(Debug, Default)]
pub(crate) struct Replica {
    pub(crate) position: u64,
    pub(crate) rows: BTreeMap<Subject, FeedEntry>,
}

impl Replica {
    fn apply(&mut self, entry: FeedEntry) {
        match entry.value {
            Some(_) => self.rows.insert(entry.subject, entry),
            None => self.rows.remove(&entry.subject),
        };
    }

    pub(crate) fn join(&mut self, delta: Delta) {
        assert_eq!(
            (delta.from.0, delta.to.0),
            (self.position, self.position + delta.entries.len() as u64)
        );
        self.position = delta.to.0;
        for entry in delta.entries {
            self.apply(entry);
        }
    }

    pub(crate) fn digest(&self, key: &DigestKey) -> Digest {
        let rows: Vec<_> = self.rows.values().map(FeedEntry::to_bytes).collect();
        digest::of_rows(key, rows.iter().map(Vec::as_slice))
    }
}

pub(crate) async fn welcome(node: &mut Node, held: Option<(Epoch, Position, Digest)>) -> Welcome {
    let id = node.send(Up::Hello(hello(held))).await;
    node.receive("a welcome", |message| match message {
        Down::Welcome(welcome) => (welcome.answers == id).then_some(welcome),
        Down::Point(_)
        | Down::Verdict(_)
        | Down::Delta(_)
        | Down::Chunk(_)
        | Down::JournalAck(_)
        | Down::Config(_)
        | Down::SnapshotGone(_)
        | Down::Staff(_)
        | Down::HolderKeys(_) => None,
    })
    .await
}

/// The core's sync point for a nonce.
///
/// Asks again as a node does: a core that took too long to read the watermark sends no answer.
pub(crate) async fn ask(node: &mut Node, keys: &KeySet, nonce: u8) -> SyncPoint {
    let nonce = Nonce([nonce; 16]);
    loop {
        node.send(Up::Ask(Ask { nonce })).await;
        let answer = node.receive("a sync point", |message| {
            let Down::Point(bytes) = message else {
                return None;
            };
            let point = SyncPoint::verify(&bytes, keys).unwrap();
            // Another one answers an earlier `Ask` that was sent twice.
            (point.nonce == nonce).then_some(point)
        });
        if let Ok(point) = tokio::time::timeout(ASK_AGAIN, answer).await {
            return point;
        }
    }
}

/// Pulls a snapshot whole.
async fn pull(node: &mut Node, id: SnapshotId, chunks: u32) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    while (got.len() as u32) < chunks {
        let from = got.len() as u32;
        node.send(Up::Pull(Pull {
            snapshot: id,
            from,
            count: 8,
        }))
        .await;
        for index in from..chunks.min(from + 8) {
            let chunk = node
                .receive("a chunk", |message| match message {
                    Down::Chunk(chunk) => Some(chunk),
                    _ => None,
                })
                .await;
            assert_eq!((chunk.index, chunk.of), (index, chunks));
            got.push(chunk.bytes.to_vec());
        }
    }
    got
}

pub(crate) async fn replica_of(node: &mut Node, welcome: &Welcome) -> Replica {
    let Plan::Snapshot {
        id,
        position,
        chunks,
        hash,
    } = welcome.plan
    else {
        panic!("a node with nothing begins with a snapshot");
    };
    let parts = pull(node, id, chunks).await;
    let mut sum = Sha256::new();
    let mut replica = Replica {
        position: position.0,
        ..Replica::default()
    };
    for part in &parts {
        sum.update(part);
        let entries: Vec<FeedEntry> = minicbor::decode(part).unwrap();
        entries.into_iter().for_each(|entry| replica.apply(entry));
    }
    assert_eq!(Hash32(sum.finalize().into()), hash);
    replica
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_leave_no_gap_and_the_newest_version_wins() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let first = welcome(&mut node, None).await;
    let mut replica = replica_of(&mut node, &first).await;

    // 40 orders of 10 tickets beside each other, each ticket revoked as well, some before issue.
    let orders = (0..40u128).map(|order| {
        let venue = &venue;
        async move {
            let tickets: Vec<_> = (0..10)
                .map(|seat| ticket(venue.id, order * 10 + seat))
                .collect();
            let mut revoked = tickets[0].clone();
            revoked.version = 2;
            revoked.state = State::Revoked;
            let revocation = TicketRevoked {
                ticket_id: revoked.ticket_id,
                order_id: OrderId(revoked.ticket_id.as_uuid()),
                reason: "refund".to_owned(),
                kept_back: None,
                guest: None,
                gates_since: None,
                ticket: revoked,
            };
            if order % 2 == 0 {
                venue.publish("ticketing", 1, &issue(tickets)).await;
                venue.publish("ticketing", 2, &revocation).await;
            } else {
                venue.publish("ticketing", 2, &revocation).await;
                venue.publish("ticketing", 1, &issue(tickets)).await;
            }
        }
    });
    futures_util::future::join_all(orders).await;
    venue.core.settle().await;

    let head = venue
        .value::<i64>("select head from venues where venue_id = $1")
        .await as u64;
    while replica.position < head {
        let delta = node.delta().await;
        replica.join(delta);
    }
    let states = |wanted: fn(&TicketState) -> bool| {
        let tickets = replica.rows.values().filter_map(|entry| {
            let Some(Value::Ticket(ticket)) = &entry.value else {
                return None;
            };
            Some(ticket.state)
        });
        tickets.filter(wanted).count()
    };
    assert_eq!(states(|state| *state == TicketState::Revoked), 40);
    assert_eq!(states(|state| *state == TicketState::Valid), 360);
    let stored: Vec<u8> = venue
        .value("select digest from venues where venue_id = $1")
        .await;
    assert_eq!(replica.digest(&first.digest_key).0.0.as_slice(), stored);
    let entries: i64 = venue
        .value("select count(*) from feed_entries where venue_id = $1")
        .await;
    assert_eq!(entries as u64, head, "positions have no gaps");
    assert_eq!(venue.unprojected("ticketing").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_the_sum_of_the_feed_and_a_replica_is_joined_on_to() {
    let venue = Venue::open().await;
    let starts = venue.core.clock.now();
    venue
        .publish("event_management", 1, &performance(venue.id, starts))
        .await;
    for order in 0..20u128 {
        let tickets = (0..100)
            .map(|seat| ticket(venue.id, order * 100 + seat))
            .collect();
        venue.publish("ticketing", 1, &issue(tickets)).await;
    }
    venue.gate("North").await;
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;

    let fresh = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &fresh).await;
    assert_eq!(replica.position, fresh.head.0);
    let tickets = replica
        .rows
        .keys()
        .filter(|it| matches!(it, Subject::Ticket(_)))
        .count();
    assert_eq!(tickets, 2_000);
    for wanted in [Subject::Policy, Subject::KeySet, Subject::Node(node.id)] {
        assert!(replica.rows.contains_key(&wanted), "{wanted:?}");
    }
    let mine = replica.digest(&fresh.digest_key);

    // A new entry reaches it as a delta, and again when it sends its position.
    venue
        .publish("ticketing", 1, &issue(vec![ticket(venue.id, 9_999)]))
        .await;
    venue.core.settle().await;
    node.received();
    let held = Some((fresh.epoch, Position(replica.position), mine));
    let joined = welcome(&mut node, held).await;
    assert_eq!(
        joined.plan,
        Plan::Delta {
            from: Position(replica.position)
        }
    );
    let mut replica = replica;
    let delta = node
        .receive("the delta", |message| match message {
            Down::Delta(delta) => Some(delta),
            _ => None,
        })
        .await;
    replica.join(delta);
    assert_eq!(replica.position, joined.head.0);

    // Another digest at the same position: the replica is replaced, with an alarm.
    let wrong = Some((fresh.epoch, Position(replica.position), digest::EMPTY));
    let refused = welcome(&mut node, wrong).await;
    assert!(matches!(refused.plan, Plan::Snapshot { .. }));
    assert_eq!(venue.alarms().await, ["digest_mismatch"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn truth_stands_still_while_anything_committed_is_not_in_the_feed() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let keys = venue.core.app().keys.ring().unwrap().set.clone();
    let before = ask(&mut node, &keys, 1).await;
    assert_eq!(before.truth, before.core, "nothing waits");

    // The feed's writer can't go on: the venue is locked.
    let app = venue.core.app();
    let mut lock = app
        .db
        .begin("fleet", &Cause::fresh(&app.clock))
        .await
        .unwrap();
    sqlx::query("select from venues where venue_id = $1 for update")
        .bind(venue.id.as_uuid())
        .execute(&mut *lock)
        .await
        .unwrap();
    venue
        .publish("ticketing", 1, &issue(vec![ticket(venue.id, 1)]))
        .await;
    let mut nonce = 2;
    let mut later_than = async |node: &mut Node, core| loop {
        // An answer may be from a watermark of a moment ago.
        let point = ask(node, &keys, nonce).await;
        nonce += 1;
        if point.core > core {
            return point;
        }
    };
    let held = later_than(&mut node, before.core).await;
    assert_eq!(held.position, before.position);
    assert!(before.truth <= held.truth && held.truth < held.core);
    let later = later_than(&mut node, held.core).await;
    assert_eq!(
        later.truth, held.truth,
        "truth stands while the clock moves"
    );

    drop(lock);
    venue.core.settle().await;
    let after = later_than(&mut node, later.core).await;
    assert!(after.position > before.position);
    assert_eq!(after.truth, after.core);
    assert_eq!(venue.unprojected("ticketing").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_core_processes_give_the_same_answers() {
    let venue = Venue::open().await;
    let tickets = (0..500).map(|seat| ticket(venue.id, seat)).collect();
    venue.publish("ticketing", 1, &issue(tickets)).await;
    venue.core.settle().await;
    let works = vec![("process.roles", "[\"work\"]".to_owned())];
    let second = venue.core.beside(works, contexts).await;
    let mut node = venue.node("North door").await;
    let keys = venue.core.app().keys.ring().unwrap().set.clone();
    let mut snapshots = Vec::new();
    // A node may say hello eight times at once.
    for nonce in 0..8 {
        let welcome = welcome(&mut node, None).await;
        snapshots.push(welcome.plan);
        let point = ask(&mut node, &keys, nonce).await;
        assert_eq!(point.position, welcome.head);
    }
    snapshots.dedup();
    assert_eq!(snapshots.len(), 1, "one object for everybody");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_that_took_too_long_to_read_answers_nobody() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let keys = venue.core.app().keys.ring().unwrap().set.clone();
    let db = &venue.core.app().db;
    let mut blocker = db
        .begin("fleet", &Cause::fresh(&venue.core.clock))
        .await
        .unwrap();
    sqlx::query("lock table venues in access exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    node.send(Up::Ask(Ask {
        nonce: Nonce([1; 16]),
    }))
    .await;
    until("the question waits for the feed", async || {
        let sql = "select count(*) from pg_locks where not granted
            and relation = 'venues'::regclass and $1::uuid is not null";
        venue.value::<i64>(sql).await > 0
    })
    .await;
    let since: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&mut *blocker)
        .await
        .unwrap();
    until(
        "it has waited longer than a watermark may be old",
        async || {
            let sql = "select clock_timestamp() - $1 > interval '300 milliseconds'";
            let asked = sqlx::query_scalar(sql).bind(since);
            asked.fetch_one(&mut *blocker).await.unwrap()
        },
    )
    .await;
    drop(blocker);
    // The first answer that comes is the second question's.
    ask(&mut node, &keys, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truth_that_stands_still_for_a_minute_is_an_alarm() {
    let venue = Venue::open().await;
    venue.core.run_job("fleet", "watch_truth").await;
    let admin = venue.core.user("ada").role("ADMIN");
    assert_eq!(alarms_of(&admin).await, []);
    let app = venue.core.app();
    let mut conn = app.db.read("fleet").await.unwrap();
    sqlx::query(
        "insert into feed_pending (message_id, source, venue_id, batch_id, created_at)
         values ($1, 'ticketing', $2, $1, now() - interval '61 seconds')",
    )
    .bind(venue.new_id())
    .bind(venue.id)
    .execute(&mut *conn)
    .await
    .unwrap();
    drop(conn);
    venue.core.run_job("fleet", "watch_truth").await;
    let alarm = &alarms_of(&admin).await[0];
    assert_eq!(alarm.code, "truth_stands_still");
    assert_eq!(alarm.venue_id, Some(venue.id), "no other venue waits");
}

/// The budget: at most 130 bytes a ticket on the wire, with seat and short code. The time is measured
/// by `make bench`.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_costs_at_most_130_bytes_a_ticket() {
    const TICKETS: u32 = 20_000;
    let venue = Venue::open().await;
    let app = venue.core.app();
    let entries: Vec<_> = (0..TICKETS)
        .map(|number| FeedEntry {
            subject: Subject::Ticket(TicketId(uuid::Uuid::from_u128(u128::from(number) << 64))),
            version: 1,
            value: Some(Value::Ticket(TicketEntry {
                token: TokenHash(Hash32::of(&number.to_be_bytes())),
                performance: PerformanceId(uuid::Uuid::from_u128(5)),
                category: "STALLS-FRONT".parse().unwrap(),
                state: TicketState::Valid,
                place: Some(format!("Balcony-{}-{}", number / 100, number % 100)),
                code: Some(CodeTag(u64::from(number).to_be_bytes())),
            })),
        })
        .collect();
    let mut conn = app.db.read("fleet").await.unwrap();
    sqlx::query(
        "insert into feed_pending (message_id, source, venue_id, subject, version, entry)
         select $1, 'fleet', $2, subject, 1, entry
         from unnest($3::bytea[], $4::bytea[]) as row (subject, entry)",
    )
    .bind(venue.new_id())
    .bind(venue.id.as_uuid())
    .bind(
        entries
            .iter()
            .map(|it| minicbor::to_vec(it.subject).unwrap())
            .collect::<Vec<_>>(),
    )
    .bind(entries.iter().map(FeedEntry::to_bytes).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await
    .unwrap();
    drop(conn);
    venue.core.run_job("fleet", "write_feed").await;
    let mut node = venue.node("North door").await;
    let began = venue.core.clock.instant();
    let fresh = welcome(&mut node, None).await;
    let Plan::Snapshot { id, chunks, .. } = fresh.plan else {
        panic!("a node with nothing begins with a snapshot");
    };
    let bytes: usize = pull(&mut node, id, chunks).await.iter().map(Vec::len).sum();
    let each = bytes / TICKETS as usize;
    println!(
        "{TICKETS} tickets: {bytes} bytes, {each} each, {:?}",
        began.elapsed()
    );
    assert!(each <= 130, "{bytes} bytes");
}

/// A node would wait for chunks that never come, and have no cache meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_gone_is_said_to_be() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let fresh = welcome(&mut node, None).await;
    let Plan::Snapshot { id, chunks, .. } = fresh.plan else {
        panic!("a node with nothing begins with a snapshot");
    };
    pull(&mut node, id, chunks).await;
    let mut conn = venue.core.app().db.read("fleet").await.unwrap();
    sqlx::query("delete from snapshots")
        .execute(&mut *conn)
        .await
        .unwrap();
    node.send(Up::Pull(Pull {
        snapshot: id,
        from: 0,
        count: 8,
    }))
    .await;
    let gone = node.receive("that it is gone", |message| match message {
        Down::SnapshotGone(gone) => Some(gone.snapshot),
        _ => None,
    });
    assert_eq!(gone.await, id);
}
