//! Messages, points and rows on the wire: what is written is read, and nothing else is.

use eventify_protocol::{
    hash::Hash32,
    ids::{BootId, IncarnationId, MessageId, NodeId, PerformanceId, SessionId, TicketId},
    short_code::CodeTag,
    sync::{
        Ask, Body, Config, Delta, Down, Envelope, Epoch, FeedEntry, Hello, JournalEntry,
        JournalHead, JournalRow, MAX_MESSAGE_BYTES, Moment, Nonce, Position, RowError,
        ScannerOrders, SealedRow, Sender, Subject, TicketEntry, TicketState, Up, Value, WireError,
        short_seat, topic,
    },
    time::{BootTime, WallTime},
    token::{CategoryCode, TokenHash},
};
use proptest::prelude::*;
use uuid::Uuid;

const NODE: NodeId = NodeId(Uuid::from_u128(1));

fn ticket(number: u128, category: &str) -> FeedEntry {
    let entry = TicketEntry {
        token: TokenHash(Hash32([0xab; 32])),
        performance: PerformanceId(Uuid::from_u128(7)),
        category: category.parse::<CategoryCode>().unwrap(),
        state: TicketState::Valid,
        place: None,
        code: None,
    };
    FeedEntry {
        subject: Subject::Ticket(TicketId(Uuid::from_u128(number))),
        version: 1,
        value: Some(Value::Ticket(entry)),
    }
}

fn hello() -> Envelope<Up> {
    let hello = Hello {
        boot: BootId(Uuid::from_u128(3)),
        epoch: Some(Epoch {
            system: u64::MAX,
            timeline: 1,
        }),
        head: Position(5),
        digest: None,
        algorithms: vec![1],
        journal: JournalHead::empty(IncarnationId(Uuid::from_u128(4))),
        software: "0.1.0".to_owned(),
        session: None,
        sent_after: None,
    };
    Envelope::new(
        MessageId(Uuid::from_u128(2)),
        Sender::Node(NODE),
        Up::Hello(hello),
    )
}

fn round_trip<B: Body + PartialEq + std::fmt::Debug>(message: &Envelope<B>) {
    assert_eq!(
        &Envelope::<B>::from_bytes(&message.to_bytes()).unwrap(),
        message
    );
}

#[test]
fn what_is_written_is_read() {
    round_trip(&hello());
    let delta = Delta {
        epoch: Epoch {
            system: 1,
            timeline: 1,
        },
        from: Position(0),
        to: Position(2),
        entries: vec![
            ticket(1, "A"),
            FeedEntry {
                value: None,
                ..ticket(2, "A")
            },
        ],
    };
    round_trip(&Envelope::new(
        MessageId(Uuid::nil()),
        Sender::Core,
        Down::Delta(delta),
    ));
}

#[test]
fn other_versions_trailing_bytes_and_giants_are_refused() {
    let good = hello().to_bytes();
    let other = Envelope {
        version: 2,
        ..hello()
    }
    .to_bytes();
    assert!(matches!(
        Envelope::<Up>::from_bytes(&other),
        Err(WireError::Version(2))
    ));
    let trailing = [good.as_slice(), &[0]].concat();
    assert!(matches!(
        Envelope::<Up>::from_bytes(&trailing),
        Err(WireError::Trailing(1))
    ));
    let giant = vec![0x80; MAX_MESSAGE_BYTES + 1];
    assert!(matches!(
        Envelope::<Up>::from_bytes(&giant),
        Err(WireError::TooLarge(_))
    ));
    for end in 0..good.len() {
        assert!(
            Envelope::<Up>::from_bytes(&good[..end]).is_err(),
            "cut at {end}"
        );
    }
}

/// The budget: at most 130 bytes a ticket on the wire, with the longest category, seat and short code.
#[test]
fn a_ticket_takes_at_most_130_bytes() {
    let mut entry = FeedEntry {
        version: 60_000,
        ..ticket(u128::MAX, "STALLS-LEFT-SIDE")
    };
    if let Some(Value::Ticket(ticket)) = &mut entry.value {
        ticket.place = Some(short_seat(&"Balcony left-".repeat(9)));
        ticket.code = Some(CodeTag([0xff; 8]));
    }
    let bytes = entry.to_bytes().len();
    println!("{bytes} bytes");
    assert!(bytes <= 130, "{bytes} bytes");
}

#[test]
fn topics_name_the_node_and_nothing_else_can_be_read_as_one() {
    let up = topic::up(
        NODE,
        &Up::Ask(Ask {
            nonce: Nonce([0; 16]),
        }),
    );
    assert_eq!(up, format!("ev1/up/{NODE}/ask"));
    assert_eq!(topic::node_of_key(&up.replace('/', ".")), Some(NODE));
    for key in [
        "",
        "ev1.up",
        "ev1.up.x.ask",
        &format!("ev1.down.{NODE}.ask"),
        &format!("ev1.up.{NODE}.a.b"),
    ] {
        assert_eq!(topic::node_of_key(key), None, "{key}");
    }
}

fn row(seq: u64, previous: Hash32) -> JournalRow {
    JournalRow {
        incarnation: IncarnationId(Uuid::from_u128(4)),
        seq,
        previous,
        at: Moment {
            boot: BootId(Uuid::from_u128(3)),
            boottime: BootTime(1),
            wall: WallTime(2),
            core: None,
        },
        entry: JournalEntry::Opened {
            node: NODE,
            succeeds: None,
            after_loss: None,
        },
    }
}

#[test]
fn rows_chain_by_the_hash_of_their_bytes() {
    let first = SealedRow::seal(row(1, Hash32::ZERO));
    let second = SealedRow::seal(row(2, first.hash()));
    assert!(first.head().is_followed_by(second.row()));
    assert!(
        !first.head().is_followed_by(&row(2, Hash32::ZERO)),
        "wrong hash"
    );
    assert!(!first.head().is_followed_by(&row(3, first.hash())), "gap");
    assert_eq!(SealedRow::read(second.bytes()).unwrap(), second);
    let padded = [second.bytes(), &[0]].concat();
    assert!(matches!(
        SealedRow::read(&padded),
        Err(RowError::NotCanonical)
    ));
}

proptest! {
    #[test]
    fn random_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Envelope::<Up>::from_bytes(&bytes);
        let _ = Envelope::<Down>::from_bytes(&bytes);
        let _ = SealedRow::read(&bytes);
    }

    #[test]
    fn a_damaged_message_is_never_taken_for_the_good_one(at in 0..60_usize, bit in 0..8_u8) {
        let message = hello();
        let mut bytes = message.to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(read) = Envelope::<Up>::from_bytes(&bytes) {
            prop_assert_ne!(read, message);
        }
    }
}

/// Beyond 2^53, JavaScript and `jq` would round a number.
#[test]
fn an_epoch_is_text_in_json() {
    let epoch = Epoch {
        system: u64::MAX - 1,
        timeline: 3,
    };
    let json = serde_json::json!({ "system": "18446744073709551614", "timeline": 3 });
    assert_eq!(serde_json::to_value(epoch).unwrap(), json);
    assert_eq!(serde_json::from_value::<Epoch>(json).unwrap(), epoch);
}

/// As a core of a release before the time zone writes it.
#[derive(minicbor::Encode)]
#[cbor(array)]
struct ConfigBefore {
    #[n(0)]
    revoked: bool,
    #[n(1)]
    duplicate: Option<SessionId>,
    #[n(2)]
    scanners: Option<ScannerOrders>,
}

/// As a node of a release before reads it.
#[derive(minicbor::Decode)]
#[cbor(array)]
struct ReadBefore {
    #[n(0)]
    revoked: bool,
    #[n(1)]
    duplicate: Option<SessionId>,
    #[n(2)]
    scanners: Option<ScannerOrders>,
}

#[test]
fn core_and_node_of_before_the_time_zone_and_of_today_understand_each_others_settings() {
    let orders = ScannerOrders {
        revision: 3,
        orders: vec![],
    };
    for scanners in [None, Some(orders)] {
        let before = ConfigBefore {
            revoked: true,
            duplicate: Some(SessionId(Uuid::from_u128(9))),
            scanners: scanners.clone(),
        };
        let bytes = minicbor::to_vec(&before).unwrap();
        let today: Config = minicbor::decode(&bytes).unwrap();
        let wanted = Config {
            revoked: true,
            duplicate: before.duplicate,
            scanners: scanners.clone(),
            time_zone: None,
        };
        assert_eq!(today, wanted);

        let today = Config {
            time_zone: Some("Europe/Paris".to_owned()),
            ..wanted
        };
        let bytes = minicbor::to_vec(&today).unwrap();
        let read: ReadBefore = minicbor::decode(&bytes).unwrap();
        assert_eq!(
            (read.revoked, read.duplicate, read.scanners),
            (true, today.duplicate, scanners)
        );
        assert_eq!(minicbor::decode::<Config>(&bytes).unwrap(), today);
    }
}
