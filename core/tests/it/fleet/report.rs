//! The report of outages at the core: it adds up, and names double entries.

use chrono::TimeDelta;
use eventify_contracts::ticketing::{Admission, CheckInConflict};
use eventify_protocol::ids::{ActId, GateId, PerformanceId, PersonId, ScanId, ScannerId, TicketId};
use eventify_protocol::lan::{Reason, ReasonCode};
use eventify_protocol::sync::{
    ActBy, Health, JournalEntry, Left, Overridden, Position, Undone, Up,
};
use eventify_protocol::verdict::{Mode, Verdict};
use uuid::Uuid;

use crate::fleet::journal::{Journal, stored};
use crate::fleet::world::{Node, Venue, issue, ticket};
use crate::time_zones::local_times;
use crate::world::replies::{Reconciliation, RowSpan};
use crate::world::until;

/// At the scanner that let the second guest in.
const ON_SHIFT: PersonId = PersonId(Uuid::from_u128(0x51));

/// A guest whom a node let in alone, at a gate that nobody has named.
fn admission(venue: &Venue, node: &Node, scan: u128) -> Admission {
    let now = venue.core.clock.now();
    Admission {
        scan_id: ScanId(Uuid::from_u128(scan)),
        gate_id: GateId(Uuid::from_u128(scan + 1_000)),
        node_id: Some(node.id),
        scanner_id: None,
        earliest: now,
        latest: now,
        decided_by: "edge".to_owned(),
        sync_position: None,
        sync_truth: None,
        order_unknown: false,
    }
}

async fn report(venue: &Venue, query: &str) -> Reconciliation {
    let path = format!("/fleet/venues/{}/reconciliation{query}", venue.id);
    venue.owner().get(&path).await.read(200)
}

/// An outage between two scans that the core decided, with one decision that was not shown.
fn journal_of_an_outage(node: &Node) -> Journal {
    let mut journal = Journal::open(node.id, 1);
    journal.scan(400, Verdict::Admit, Mode::Online);
    journal.scan(401, Verdict::Admit, Mode::Degraded);
    journal.on_shift = Some(ON_SHIFT);
    journal.scan(402, Verdict::Admit, Mode::Degraded);
    journal.on_shift = None;
    journal.scan(403, Verdict::UnknownOffline, Mode::Degraded);
    journal.scan(404, Verdict::Admit, Mode::Degraded);
    journal.push(JournalEntry::Voided {
        row: 6,
        scan: ScanId(Uuid::from_u128(404)),
        decided_at: None,
    });
    journal.scan(405, Verdict::ResyncRequired, Mode::Locked);
    journal.scan(405, Verdict::Expired { expiry: 1 }, Mode::Locked);
    journal.scan(406, Verdict::Admit, Mode::Online);
    journal
}

/// Each instant stands there as the venue's clocks showed it, too.
fn assert_local(report: &serde_json::Value) {
    assert_eq!(report["timeZone"], "Europe/Paris");
    let local = local_times(report, "Europe/Paris".parse().unwrap());
    let of_moments = ["earliest", "from", "latest", "to", "wall"];
    assert!(local.iter().eq(of_moments.iter()), "{local:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_an_outage_adds_up_and_names_double_entries() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    venue
        .publish("ticketing", 1, &issue(vec![ticket(venue.id, 1)]))
        .await;
    let journal = journal_of_an_outage(&node);
    node.send(Up::Journal(journal.batch(1, 10))).await;
    stored(&venue, 10).await;
    let admission = |scan| Admission {
        sync_position: Some(7),
        ..admission(&venue, &node, scan)
    };
    let conflict = CheckInConflict {
        conflict_id: Uuid::from_u128(1),
        ticket_id: ticket(venue.id, 1).ticket_id,
        order_unknown: false,
        first: admission(500),
        second: admission(402),
        dissolved: false,
    };
    venue.publish("ticketing", 1, &conflict).await;
    // The other gate had no outage: it let the second in online.
    let elsewhere = CheckInConflict {
        conflict_id: Uuid::from_u128(2),
        first: admission(401),
        second: admission(501),
        ..conflict
    };
    venue.publish("ticketing", 1, &elsewhere).await;
    venue.publish("ticketing", 1, &journal.applied(1, 10)).await;
    venue.core.settle().await;

    let path = format!("/fleet/venues/{}/reconciliation", venue.id);
    let shown = venue.owner().get(&path).await.expect(200);
    let double = &shown["doubleEntries"][0];
    assert_eq!(
        double["secondPersonId"],
        serde_json::json!(ON_SHIFT),
        "{double}"
    );
    assert!(double["firstPersonId"].is_null(), "{double}");
    assert_local(&shown);
    let report = report(&venue, "").await;
    let [outage] = report.outages.as_slice() else {
        panic!("{report:#?}")
    };
    assert_eq!(outage.label, "North door");
    let rows = RowSpan {
        incarnation: journal.file,
        from: 3,
        to: 9,
    };
    assert_eq!(outage.rows, [rows]);
    assert_eq!(
        (outage.scans, outage.admitted, outage.double_entries),
        (5, 1, 1)
    );
    let refused = ["Expired", "ResyncRequired", "UnknownOffline"].map(|why| (why.to_owned(), 1));
    assert_eq!(outage.refused, refused.into());
    assert!(outage.adds_up && outage.gaps.is_empty());
    let doubles = report.double_entries;
    let scans = doubles
        .iter()
        .map(|it| (it.first.scan_id, it.second.scan_id));
    let ids = |first, second| {
        (
            ScanId(Uuid::from_u128(first)),
            ScanId(Uuid::from_u128(second)),
        )
    };
    assert_eq!(scans.collect::<Vec<_>>(), [ids(500, 402), ids(401, 501)]);
    assert_ne!(doubles[0].first.gate_id, doubles[0].second.gate_id);
    assert_eq!(doubles[0].second.sync_position, Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_order_counts_on_both_sides_and_is_named_once() {
    let venue = Venue::open().await;
    let (north, south) = (
        venue.node("North door").await,
        venue.node("South door").await,
    );
    venue
        .publish("ticketing", 1, &issue(vec![ticket(venue.id, 1)]))
        .await;
    let mut rows = 0;
    let scans = [(&north, 501), (&south, 502)];
    for (node, scan) in scans {
        let mut journal = Journal::open(node.id, scan);
        journal.scan(scan, Verdict::Admit, Mode::Degraded);
        node.send(Up::Journal(journal.batch(1, 2))).await;
        rows += 2;
        stored(&venue, rows).await;
        venue.publish("ticketing", 1, &journal.applied(1, 2)).await;
    }
    let admission = |(node, scan): (&Node, u128)| Admission {
        order_unknown: true,
        ..admission(&venue, node, scan)
    };
    let conflict = CheckInConflict {
        conflict_id: venue.new_id(),
        ticket_id: ticket(venue.id, 1).ticket_id,
        order_unknown: true,
        first: admission(scans[0]),
        second: admission(scans[1]),
        dissolved: false,
    };
    venue.publish("ticketing", 1, &conflict).await;
    venue.core.settle().await;

    let report = report(&venue, "").await;
    assert_eq!(report.outages.len(), 2, "{report:#?}");
    for outage in report.outages {
        assert_eq!((outage.admitted, outage.order_unknown), (0, 1));
        assert!(outage.adds_up);
    }
    let named = report.double_entries.iter().map(|it| it.conflict_id);
    assert_eq!(named.collect::<Vec<_>>(), [conflict.conflict_id]);
}

/// C41: a deleted journal left "addsUp: true, gaps: []" and no alarm, and two guests got in twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_over_lost_rows_does_not_add_up_and_somebody_is_told() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    journal.scan(401, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    // Two more rows never came.
    journal.scan(402, Verdict::Admit, Mode::Degraded);
    journal.scan(403, Verdict::Admit, Mode::Degraded);
    let known = Some(journal.rows[3].head());
    let mut next = Journal::begin(node.id, 2, known, known);
    next.scan(404, Verdict::Admit, Mode::Online);
    node.send(Up::Journal(next.batch(1, 2))).await;
    stored(&venue, 4).await;
    venue.core.settle().await;

    assert_eq!(venue.alarms().await, ["journal_rows_lost"]);
    let report = report(&venue, "").await;
    assert!(!report.adds_up);
    let [gap] = report.gaps.as_slice() else {
        panic!("{:#?}", report.gaps)
    };
    assert_eq!(
        (&gap["kind"], &gap["known"]["seq"]),
        (&"lost".into(), &4.into())
    );
    assert_eq!(gap["label"], "North door");
}

/// N2: the line was cut for a few seconds between two reports, and nobody was scanned since: the
/// outage went on until the next scan.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_between_two_reports_ends_when_the_line_is_back() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let online = |mode_number| {
        Up::Health(Health {
            mode: Mode::Online,
            cache_age_ms: Some(1_500),
            head: Position(3),
            unacknowledged: 0,
            free_bytes: 1 << 30,
            software: "1.0".to_owned(),
            mode_number: Some(mode_number),
            unreadable: None,
            journal_fault: None,
        })
    };
    let ever = "?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
    node.send(online(7)).await;
    let mut journal = Journal::open(node.id, 1);
    journal.scan(401, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    // The rows of this file are dated in 2030.
    venue.core.advance(TimeDelta::days(5 * 365));
    node.send(online(9)).await;
    // Both reports are on their way at once, and neither is lost beside the other.
    until("the outage has ended", async || {
        let ended = report(&venue, ever).await.outages.remove(0).ended;
        ended.is_some_and(|it| it.latest.is_some())
    })
    .await;
}

/// Nobody is scanned after an outage that outlasts the evening.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_ends_when_its_node_reports_online() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let gate = venue.gate("North gate").await;
    let mut journal = Journal::open(node.id, 1);
    journal.scan(401, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    stored(&venue, 2).await;
    let admission = |scan, gate_id| Admission {
        gate_id,
        ..admission(&venue, &node, scan)
    };
    let conflict = CheckInConflict {
        conflict_id: venue.new_id(),
        ticket_id: ticket(venue.id, 1).ticket_id,
        order_unknown: false,
        first: admission(400, GateId(Uuid::from_u128(77))),
        second: admission(401, gate),
        dissolved: false,
    };
    venue.publish("ticketing", 1, &conflict).await;
    venue.core.settle().await;

    let ever = "?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
    let first = report(&venue, ever).await;
    assert_eq!(first.outages[0].ended, None);
    let double = &first.double_entries[0];
    assert_eq!(double.second_gate_name.as_deref(), Some("North gate"));
    assert_eq!(double.first_gate_name, None, "another venue's gate");
    // The rows of this file are dated in 2030.
    venue.core.advance(TimeDelta::days(5 * 365));
    node.send(Up::Health(Health {
        mode: Mode::Online,
        cache_age_ms: Some(1_500),
        head: Position(3),
        unacknowledged: 0,
        free_bytes: 1 << 30,
        software: "1.0".to_owned(),
        mode_number: None,
        unreadable: None,
        journal_fault: None,
    }))
    .await;
    until("the outage has ended", async || {
        let ended = report(&venue, ever).await.outages.remove(0).ended;
        ended.is_some_and(|it| it.latest.is_some())
    })
    .await;
    // Each null had no word: a report has no clock of the node's, and lies after its last row.
    let outage = report(&venue, ever).await.outages.remove(0);
    let ended = outage.ended.unwrap();
    assert_eq!(
        (ended.known_by.as_str(), outage.began.known_by.as_str()),
        ("report", "row")
    );
    assert_eq!((ended.earliest, ended.wall), (outage.began.earliest, None));
}

/// Seven days before the first of all days was a panic.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_no_year_is_refused() {
    let venue = Venue::open().await;
    for query in ["?from=-4714-01-01T00:00:00Z", "?to=-262143-01-01T00:00:00Z"] {
        let path = format!("/fleet/venues/{}/reconciliation{query}", venue.id);
        let refused = venue.owner().get(&path).await;
        assert_eq!((refused.status, refused.code()), (400, "validation_error"));
    }
}

/// A child with a barcode: the texts have no rows of their own, and count all the same.
#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_tickets_count_in_the_report_of_their_outage() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let mut journal = Journal::open(node.id, 1);
    journal.scan(401, Verdict::Revoked, Mode::Degraded);
    let at = journal.rows[1].row().at;
    journal.push(JournalEntry::Unreadable {
        scanner: ScannerId(Uuid::from_u128(7)),
        gate: GateId(Uuid::from_u128(8)),
        mode: Mode::Degraded,
        times: 40,
        first: at,
        last: at,
    });
    journal.scan(402, Verdict::Revoked, Mode::Online);
    node.send(Up::Journal(journal.batch(1, 4))).await;
    stored(&venue, 4).await;
    let outage = report(&venue, "").await.outages.remove(0);
    assert_eq!((outage.scans, outage.refused["Unreadable"]), (41, 40));
    assert!(outage.adds_up, "{outage:#?}");
    venue.publish("ticketing", 1, &journal.applied(1, 4)).await;
    venue.core.settle().await;
}

fn by(person: PersonId, act: u128, reason: Option<ReasonCode>) -> ActBy {
    ActBy {
        act: ActId(Uuid::from_u128(act)),
        person,
        scanner: ScannerId(Uuid::from_u128(7)),
        gate: GateId(Uuid::from_u128(8)),
        mode: Mode::Degraded,
        reason: reason.map(|code| Reason { code, note: None }),
    }
}

/// Whoever answers for the evening sees who let whom in, and why; and each scan is in one class.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_names_what_supervisors_did_and_adds_up_with_it() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let (ticket, performance) = (
        TicketId(Uuid::from_u128(0x70)),
        PerformanceId(Uuid::from_u128(0x71)),
    );
    let scan = |number: u128| ScanId(Uuid::from_u128(number));
    let mut journal = Journal::open(node.id, 1);
    journal.scan(401, Verdict::Admit, Mode::Degraded);
    journal.scan(402, Verdict::NotYet { not_before: 9 }, Mode::Degraded);
    journal.push(JournalEntry::Overridden(Overridden {
        by: by(ON_SHIFT, 1, Some(ReasonCode::EarlyEntry)),
        scan: scan(402),
        ticket,
        performance,
        cache_age_ms: Some(1_000),
    }));
    journal.push(JournalEntry::Undone(Undone {
        by: by(ON_SHIFT, 2, Some(ReasonCode::StaysOutside)),
        scan: scan(401),
        ticket,
        performance,
    }));
    journal.push(JournalEntry::Left(Left {
        by: by(ON_SHIFT, 3, None),
        ticket,
        performance,
        entry: scan(402),
    }));
    journal.scan(403, Verdict::Revoked, Mode::Online);
    node.send(Up::Journal(journal.batch(1, 7))).await;
    stored(&venue, 7).await;
    let outage = report(&venue, "").await.outages.remove(0);
    assert_eq!((outage.scans, outage.admitted), (2, 0));
    assert_eq!((outage.overrides, outage.undone, outage.left), (1, 1, 1));
    assert!(outage.adds_up && outage.refused.is_empty(), "{outage:#?}");
    let acts = outage.acts.iter();
    let acts: Vec<_> = acts
        .map(|act| (act["kind"].as_str(), act["reason"]["code"].as_str()))
        .collect();
    assert_eq!(
        acts,
        [
            (Some("override"), Some("earlyEntry")),
            (Some("undo"), Some("staysOutside")),
            (Some("exit"), None)
        ]
    );
    let person = serde_json::to_value(ON_SHIFT).unwrap();
    assert!(outage.acts.iter().all(|act| act["personId"] == person));
    venue.publish("ticketing", 1, &journal.applied(1, 7)).await;
    venue.core.settle().await;
}

/// A supervisor's act while the core decided stood in no report: only outages had any.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_was_let_in_anyway_while_the_line_worked_stands_in_the_report() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let act = ActBy {
        mode: Mode::Online,
        ..by(ON_SHIFT, 1, Some(ReasonCode::EarlyEntry))
    };
    let mut journal = Journal::open(node.id, 1);
    journal.scan(402, Verdict::NotYet { not_before: 9 }, Mode::Online);
    journal.push(JournalEntry::Overridden(Overridden {
        by: act,
        scan: ScanId(Uuid::from_u128(402)),
        ticket: TicketId(Uuid::from_u128(0x70)),
        performance: PerformanceId(Uuid::from_u128(0x71)),
        cache_age_ms: Some(1_000),
    }));
    node.send(Up::Journal(journal.batch(1, 3))).await;
    stored(&venue, 3).await;
    let report = report(&venue, "").await;
    assert!(report.outages.is_empty(), "{report:#?}");
    let [act] = &report.acts[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(
        (&act["kind"], &act["label"]),
        (&"override".into(), &"North door".into())
    );
    assert_eq!(act["reason"]["code"], "earlyEntry");
    assert_eq!(act["personId"], serde_json::to_value(ON_SHIFT).unwrap());
    venue.publish("ticketing", 1, &journal.applied(1, 3)).await;
    venue.core.settle().await;
}

/// Who reads "it adds up" has to know that a gate has not told its part yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_names_the_nodes_that_have_not_told_everything() {
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
    let not_heard = async || report(&venue, "").await.not_heard;
    node.send(health(Mode::Resyncing, 40)).await;
    until("it has reported", async || !not_heard().await.is_empty()).await;
    let told = not_heard().await;
    assert_eq!(
        (&told[0]["label"], &told[0]["unacknowledged"]),
        (&"North door".into(), &40.into())
    );
    node.send(health(Mode::Online, 0)).await;
    until("all is told", async || not_heard().await.is_empty()).await;
    venue.core.advance(TimeDelta::minutes(1));
    let told = not_heard().await;
    assert_eq!(
        (told.len(), &told[0]["mode"]),
        (1, &"Online".into()),
        "as it said then"
    );
}
