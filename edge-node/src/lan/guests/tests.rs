//! A full hall, measured.

use std::sync::mpsc;

use eventify_protocol::{
    hash::Hash32,
    ids::{IncarnationId, NodeId, OrderId, PerformanceId, SnapshotId, TicketId, VenueId},
    lan::{GatePerformance, JournalStatus, NodeStatus, ReplicaStatus, SearchBy},
    sync::{
        Chunk, DigestKey, Epoch, FeedEntry, Holder, HolderEntry, HolderKey, JournalHead,
        PerformanceKey, PerformanceState, Position, Subject, TicketEntry, TicketState, Value,
    },
    token::TokenHash,
    verdict::Mode,
};
use uuid::Uuid;

use super::{Query, find};
use crate::{
    clock::Clock,
    owner::Insight,
    store::{Notice, Reader, Replica, SnapshotPlan},
};

const GUESTS: u128 = 100_000;
const SHOW: PerformanceId = PerformanceId(Uuid::from_u128(5));

fn key() -> PerformanceKey {
    PerformanceKey {
        performance: SHOW,
        key: HolderKey::from_bytes([3; 32]),
        wipe_at: i64::MAX,
    }
}

fn ticket(number: u128) -> FeedEntry {
    FeedEntry {
        subject: Subject::Ticket(TicketId(Uuid::from_u128(number))),
        version: 1,
        value: Some(Value::Ticket(TicketEntry {
            token: TokenHash(Hash32([3; 32])),
            performance: SHOW,
            category: "A".parse().unwrap(),
            state: TicketState::Valid,
            place: Some(format!("A-{number}")),
            code: None,
        })),
    }
}

fn holder(number: u128) -> FeedEntry {
    let id = TicketId(Uuid::from_u128(number));
    let holder = Holder {
        order: OrderId(Uuid::from_u128(number)),
        name: Some(format!("Zoé Lefèvre {number}")),
    };
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    FeedEntry {
        subject: Subject::Holder(id),
        version: 1,
        value: Some(Value::Holder(HolderEntry {
            performance: SHOW,
            sealed: key().key.seal((id, 1), &holder, nonce),
        })),
    }
}

fn insight(path: &std::path::Path) -> Insight {
    let status = NodeStatus {
        node_id: NodeId(Uuid::nil()),
        venue_id: VenueId(Uuid::nil()),
        software: String::new(),
        mode: Mode::Online,
        reason: None,
        cache_age_ms: None,
        max_cache_age_ms: 0,
        replica: ReplicaStatus {
            epoch: None,
            position: Position(0),
            head: Position(0),
            digest: None,
            tickets: 0,
        },
        journal: JournalStatus {
            head: JournalHead::empty(IncarnationId(Uuid::nil())),
            unacknowledged: 0,
            fault: None,
        },
        core_time: None,
        gates: vec![],
        performances: vec![GatePerformance {
            performance_id: SHOW,
            title: String::new(),
            doors_at: 0,
            starts_at: 0,
            ends_at: None,
            state: PerformanceState::Scheduled,
            gates: vec![],
        }],
        procedure: vec![],
        time_zone: None,
    };
    Insight {
        replica: path.to_owned(),
        admissions: vec![],
        status,
        allows_search: true,
        holder_keys: vec![key()],
    }
}

#[test]
fn one_of_a_hundred_thousand_guests_is_found_by_any_of_the_three() {
    let folder = tempfile::tempdir().unwrap();
    let (say, notices) = mpsc::channel();
    let (replica, ..) = Replica::open(folder.path(), move |notice| drop(say.send(notice))).unwrap();
    let entries: Vec<_> = (0..GUESTS)
        .map(ticket)
        .chain((0..GUESTS).map(holder))
        .collect();
    let parts: Vec<Vec<u8>> = entries
        .chunks(500)
        .map(|part| minicbor::to_vec(part.to_vec()).unwrap())
        .collect();
    let of = u32::try_from(parts.len()).unwrap();
    let snapshot = SnapshotId(Uuid::from_u128(1));
    let plan = SnapshotPlan {
        snapshot,
        epoch: Epoch {
            system: 1,
            timeline: 1,
        },
        position: Position(1),
        chunks: of,
        hash: Hash32::of(&parts.concat()),
        digest_key: DigestKey(Hash32([7; 32])),
    };
    replica.begin_snapshot(plan);
    for (index, bytes) in (0..).zip(parts) {
        let bytes = bytes.into();
        replica.store_chunk(Chunk {
            snapshot,
            index,
            of,
            bytes,
        });
    }
    replica.finish_snapshot(snapshot);
    let Notice::SnapshotReady { reader, .. } = notices.recv().unwrap() else {
        panic!("no replica")
    };
    let clock = Clock::of_this_boot().unwrap();
    for (by, text) in [
        (SearchBy::Name, "77777 zoe"),
        (SearchBy::Order, "12fd1"),
        (SearchBy::Seat, "a 77777"),
    ] {
        let insight = insight(reader.path());
        let query = Query {
            by,
            text: text.to_owned(),
            performance: None,
        };
        let begin = clock.boottime();
        let found = Reader::open(&insight.replica)
            .and_then(|reader| find(&reader, &insight, &query))
            .unwrap();
        let took = clock.boottime().since(begin);
        println!("{by:?} among {GUESTS} guests: {took:?}");
        let [only] = &found.matches[..] else {
            panic!("{:?}", found.matches)
        };
        assert_eq!(only.ticket_id, TicketId(Uuid::from_u128(77_777)));
        assert_eq!(only.name.as_deref(), Some("Zoé Lefèvre 77777"));
    }
}
