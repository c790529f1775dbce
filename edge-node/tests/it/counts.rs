//! How full the hall is, as a supervisor's screen has it.

use eventify_edge::store::Reader;
use eventify_protocol::{
    ids::{GateId, ScanId},
    lan::{PerformanceCounts, VenueCounts},
    sync::{FeedEntry, GateEntry, Subject, TicketState, UsedBy, Value},
    time::CoreTime,
    verdict::Verdict,
};
use uuid::Uuid;

use crate::{
    tools::run,
    world::{Ticket, World, clock},
};

/// A gate of another node.
const BALCONY: GateId = GateId(Uuid::from_u128(77));

fn changed(ticket: &Ticket, state: TicketState) -> FeedEntry {
    let mut entry = ticket.feed_entry();
    entry.version = 2;
    if let Some(Value::Ticket(ticket)) = &mut entry.value {
        ticket.state = state;
    }
    entry
}

fn used(gate: GateId) -> TicketState {
    TicketState::Used(UsedBy {
        scan: ScanId(Uuid::from_u128(5)),
        gate,
        at: CoreTime(1_000_000),
        confirmed: true,
    })
}

fn balcony() -> FeedEntry {
    let entry = GateEntry {
        name: "Balcony".to_owned(),
        performances: vec![],
        categories: vec![],
    };
    FeedEntry {
        subject: Subject::Gate(BALCONY),
        version: 1,
        value: Some(Value::Gate(entry)),
    }
}

fn show(counts: &VenueCounts) -> &PerformanceCounts {
    let [show] = &counts.performances[..] else {
        panic!("{counts:?}")
    };
    show
}

fn by_gate(counts: &VenueCounts) -> Vec<(&str, u64)> {
    let gates = show(counts).by_gate.iter();
    gates.map(|it| (it.name.as_str(), it.inside)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_inside_are_counted_once_whichever_gate_let_them_in() {
    let (mut world, core, scanner) = World::connected(&[]).await;
    world.until_ready().await;
    let counts = scanner.lan.counts().await.unwrap();
    assert_eq!((show(&counts).inside, show(&counts).tickets), (0, 1_200));
    assert_eq!(counts.cache_age_ms, None, "the core answers");

    // One through another node's gate, and one whose money went back.
    core.publish(vec![
        balcony(),
        changed(&world.tickets[0], used(BALCONY)),
        changed(&world.tickets[1], TicketState::Revoked),
    ])
    .await;
    world
        .until(|status| status.replica.digest == Some(core.digest()))
        .await;
    // And three through this one's, who are in its journal before they are in its copy of the feed.
    for number in 2..5 {
        let token = &world.tickets[number].token;
        let answer = scanner.scan(world.venue.north, token).await;
        assert_eq!(answer.verdict, Verdict::Admit);
    }
    let again = scanner
        .scan(world.venue.south, &world.tickets[2].token)
        .await;
    assert!(matches!(again.verdict, Verdict::AlreadyUsed { .. }));
    let counts = scanner.lan.counts().await.unwrap();
    assert_eq!((show(&counts).inside, show(&counts).tickets), (4, 1_199));
    assert_eq!(by_gate(&counts), [("Balcony", 1), ("North", 3)]);
    let [zone] = &show(&counts).zones[..] else {
        panic!("{counts:?}")
    };
    assert_eq!(
        (zone.name.as_str(), zone.inside, zone.tickets),
        ("Stalls", 4, 1_199)
    );

    let [north, south] = [world.venue.north, world.venue.south]
        .map(|gate| counts.gates.iter().find(|it| it.gate_id == gate).unwrap());
    assert_eq!((north.admitted, north.scans_last_minute), (3, 3));
    assert!(north.median_between_ms.is_some() && north.median_answer_ms.is_some());
    assert_eq!((south.refused, south.scans_last_minute), (1, 1));
    assert_eq!(south.median_between_ms, None, "one scan is no pace");
    world.stop().await;

    // Alone, after a restart: from the journal, and nobody twice.
    core.line.cut();
    let mut scanner = scanner;
    world.start(&[]).await;
    world.reconnect(&mut scanner).await;
    let counts = scanner.lan.counts().await.unwrap();
    assert_eq!(by_gate(&counts), [("Balcony", 1), ("North", 3)]);
    assert!(
        counts.cache_age_ms.is_some(),
        "the others' gates as of then"
    );
    // C21: the gates' own sums begin again, and say so.
    let (code, text) = run(&world, &["status"]).await;
    assert_eq!(code, 0, "{text}");
    let inside = text
        .lines()
        .find(|line| line.starts_with("inside "))
        .unwrap();
    assert!(inside.contains(": 4 of 1199 tickets, as of "), "{text}");
    assert!(
        inside.ends_with(" s ago, and this node's own gates now"),
        "{text}"
    );
    assert!(
        text.contains("North: since this start 0 admitted"),
        "{text}"
    );
    world.stop().await;
}

/// The numbers are kept: they are read without reading the tickets.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_tickets_are_counted_by_a_few_rows() {
    let world = World::stopped(100_000);
    let path = eventify_edge::store::newest_path(world.folder.path()).unwrap();
    let reader = Reader::open(&path).unwrap();
    let own: Vec<_> = world.tickets[..500]
        .iter()
        .map(|ticket| (ticket.id, world.venue.north))
        // A supervisor let the guest of one in again.
        .chain([(world.tickets[0].id, world.venue.north)])
        .collect();
    let begin = clock().boottime();
    let (counts, _) = reader.count_tickets(&own).unwrap();
    let took = clock().boottime().since(begin);
    println!("100,000 tickets and 500 admissions of its own counted in {took:?}");
    let sums: Vec<_> = counts.iter().map(|(kind, sum)| (kind.gate, *sum)).collect();
    assert_eq!(sums, [(None, 99_500), (Some(world.venue.north), 500)]);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM ticket_counts", (), |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
}
