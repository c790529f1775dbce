//! Which batches of a journal the core accepts, and the totals of its rows.

use eventify_protocol::{
    hash::Hash32,
    ids::{BootId, GateId, IncarnationId, NodeId, ScanId, ScannerId},
    sync::{
        Decision, Epoch, JournalBatch, JournalEntry, JournalHead, JournalRow, Moment, Position,
        SealedRow,
    },
    time::{BootTime, WallTime},
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_sync::core::{
    ConflictKind,
    journal::{Accepted, Ends, Refused, accept, overlap},
    report::{Gap, Report},
};
use uuid::Uuid;

const NODE: NodeId = NodeId(Uuid::from_u128(1));
const FIRST: IncarnationId = IncarnationId(Uuid::from_u128(0xA));
const SECOND: IncarnationId = IncarnationId(Uuid::from_u128(0xB));

/// A chain: `Opened`, then a decision for each verdict, with scan ids from `scans` on.
fn chain(
    incarnation: IncarnationId,
    succeeds: Option<JournalHead>,
    scans: u128,
    verdicts: &[Verdict],
) -> Vec<SealedRow> {
    let opened = JournalEntry::Opened {
        node: NODE,
        succeeds,
        after_loss: None,
    };
    let decisions = (scans..)
        .zip(verdicts)
        .map(|(scan, verdict)| JournalEntry::Decision(decision(scan, verdict)));
    seal(incarnation, std::iter::once(opened).chain(decisions))
}

fn seal(incarnation: IncarnationId, entries: impl Iterator<Item = JournalEntry>) -> Vec<SealedRow> {
    let mut rows: Vec<SealedRow> = vec![];
    for (seq, entry) in (1..).zip(entries) {
        let previous = rows.last().map_or(Hash32::ZERO, SealedRow::hash);
        rows.push(SealedRow::seal(JournalRow {
            incarnation,
            seq,
            previous,
            at: moment(),
            entry,
        }));
    }
    rows
}

fn moment() -> Moment {
    let boot = BootId(Uuid::from_u128(9));
    Moment {
        boot,
        boottime: BootTime(0),
        wall: WallTime(0),
        core: None,
    }
}

fn decision(scan: u128, verdict: &Verdict) -> Decision {
    Decision {
        scan: ScanId(Uuid::from_u128(scan)),
        scanner: ScannerId(Uuid::from_u128(2)),
        gate: GateId(Uuid::from_u128(3)),
        token: Hash32([4; 32]),
        ticket: None,
        performance: None,
        verdict: verdict.clone(),
        mode: Mode::Degraded,
        decided_by: DecidedBy::Edge,
        cache_age_ms: None,
        point: None,
        replaces: vec![],
        asked_until: None,
        person: None,
    }
}

fn batch(rows: &[SealedRow]) -> JournalBatch {
    JournalBatch {
        incarnation: rows[0].row().incarnation,
        from: rows[0].row().seq,
        rows: rows.iter().map(|row| row.bytes().to_vec().into()).collect(),
    }
}

/// What a core does that holds `held` rows of a chain.
fn offer(held: &[SealedRow], rows: &[SealedRow]) -> Result<Accepted, Refused> {
    let head = held.last().map(SealedRow::head);
    let batch = batch(rows);
    let stored = overlap(head.as_ref(), &batch)
        .and_then(|seq| held.iter().find(|row| row.row().seq == seq))
        .map(SealedRow::hash);
    accept(NODE, head.as_ref(), stored, &batch)
}

fn ten() -> Vec<SealedRow> {
    chain(FIRST, None, 100, &vec![Verdict::Admit; 9])
}

#[test]
fn rows_are_accepted_once_and_in_order() {
    let rows = ten();
    let first = offer(&[], &rows[..4]).expect("the beginning");
    assert_eq!((first.rows.len(), first.head), (4, rows[3].head()));
    let overlapping = offer(&rows[..4], &rows[2..8]).expect("joins");
    assert_eq!(
        (overlapping.rows.len(), overlapping.head),
        (4, rows[7].head())
    );
    let next = offer(&rows[..8], &rows[8..]).expect("joins");
    assert_eq!((next.rows.len(), next.head), (2, rows[9].head()));
    let again = offer(&rows, &rows[3..6]).expect("held already");
    assert_eq!((again.rows.len(), again.head), (0, rows[9].head()));
}

#[test]
fn a_batch_from_the_future_is_answered_with_the_present_end() {
    let rows = ten();
    assert!(matches!(
        offer(&[], &rows[1..3]),
        Err(Refused::Future { from: 2, stored: 0 })
    ));
    assert!(matches!(
        offer(&rows[..4], &rows[5..]),
        Err(Refused::Future { from: 6, stored: 4 })
    ));
}

#[test]
fn another_row_in_the_same_place_is_a_fork() {
    let ours = ten();
    let other = chain(FIRST, None, 900, &vec![Verdict::Admit; 9]);
    assert!(matches!(
        offer(&ours[..4], &other[2..8]),
        Err(Refused::Fork { seq: 4 })
    ));
    assert!(matches!(
        offer(&ours[..4], &other[4..8]),
        Err(Refused::Fork { seq: 4 })
    ));
    assert!(matches!(
        offer(&ours, &other[..3]),
        Err(Refused::Fork { seq: 3 })
    ));
}

/// An answer may be late and find a node that has the stored rows by now: it would take them for
/// acknowledged, and forget whom it has let in while no feed has them.
#[test]
fn what_is_only_stored_is_named_to_nobody() {
    let rows = ten();
    let ends = Ends {
        stored: rows[7].head(),
        acknowledged: rows[3].head(),
        position: Position(20),
    };
    let epoch = Epoch {
        system: 1,
        timeline: 1,
    };
    let ack = ends.acknowledgement(epoch);
    assert_eq!((ack.incarnation, ack.seq), (FIRST, 4));
    assert_eq!((ack.hash, ack.position), (rows[3].hash(), Position(20)));
    assert!(ends.cover(&batch(&rows[1..4])));
    assert!(!ends.cover(&batch(&rows[1..5])), "row 5 is not applied");
    let other = chain(SECOND, None, 300, &[]);
    assert!(!ends.cover(&batch(&other)), "another file");
}

#[test]
fn a_new_file_must_name_the_one_held() {
    let old = ten();
    let heir = chain(SECOND, Some(old[9].head()), 300, &[Verdict::Revoked]);
    let taken = offer(&old, &heir).expect("named");
    assert_eq!((taken.rows.len(), taken.succeeds), (2, Some(old[9].head())));
    let behind = chain(SECOND, Some(old[3].head()), 300, &[]);
    assert!(
        offer(&old, &behind).is_ok(),
        "rows of the old file may have been lost"
    );
    let elsewhere = chain(SECOND, Some(JournalHead::empty(SECOND)), 300, &[]);
    assert!(
        matches!(offer(&old, &elsewhere), Err(Refused::UnknownIncarnation)),
        "it names another file than the one held"
    );
    let stranger = chain(SECOND, None, 300, &[]);
    assert!(matches!(
        offer(&old, &stranger),
        Err(Refused::UnknownIncarnation)
    ));
    assert!(matches!(
        offer(&old, &heir[1..]),
        Err(Refused::UnknownIncarnation)
    ));
}

#[test]
fn rows_that_are_no_chain_are_refused() {
    let rows = ten();
    let gap = [rows[0].clone(), rows[2].clone()];
    assert!(matches!(
        offer(&[], &gap),
        Err(Refused::BrokenChain { seq: 2 })
    ));
    let without = seal(
        FIRST,
        std::iter::once(JournalEntry::Decision(decision(1, &Verdict::Admit))),
    );
    assert!(matches!(
        offer(&[], &without),
        Err(Refused::BrokenChain { seq: 1 })
    ));
    let nothing = JournalBatch {
        incarnation: FIRST,
        from: 1,
        rows: vec![],
    };
    assert!(accept(NODE, None, None, &nothing).is_err());
    let garbage = JournalBatch {
        rows: vec![vec![1, 2, 3].into()],
        ..nothing
    };
    assert!(matches!(
        accept(NODE, None, None, &garbage),
        Err(Refused::Malformed(_))
    ));
    let foreign = NodeId(Uuid::from_u128(77));
    assert!(
        accept(foreign, None, None, &batch(&rows)).is_err(),
        "another node's journal"
    );
}

#[test]
fn a_report_adds_up_and_names_the_gaps() {
    let used = Verdict::Revoked;
    let verdicts = [
        Verdict::Admit,
        Verdict::Admit,
        used.clone(),
        Verdict::ResyncRequired,
        Verdict::ResyncRequired,
        Verdict::Admit,
    ];
    let mut rows = chain(FIRST, None, 100, &verdicts);
    // The fourth scan asked again and was admitted; the sixth was taken back.
    let mut entries: Vec<_> = rows.iter().map(|row| row.row().entry.clone()).collect();
    entries.push(JournalEntry::Decision(decision(103, &Verdict::Admit)));
    entries.push(JournalEntry::Voided {
        row: 7,
        scan: ScanId(Uuid::from_u128(105)),
        decided_at: None,
    });
    rows = seal(FIRST, entries.into_iter());
    let double = ScanId(Uuid::from_u128(101));
    let conflict = |scan| (scan == double).then_some(ConflictKind::DoubleEntry);

    let report = Report::of(&rows, conflict);
    assert_eq!(report.scans, 6);
    assert_eq!(
        (report.admitted, report.double_entries, report.order_unknown),
        (2, 1, 0)
    );
    let refused: Vec<_> = report
        .refused
        .iter()
        .map(|(name, count)| (*name, *count))
        .collect();
    assert_eq!(refused, [("ResyncRequired", 2), ("Revoked", 1)]);
    assert_eq!(report.classified(), report.scans);
    assert_eq!(report.gaps, []);

    let heir = chain(SECOND, Some(rows[3].head()), 300, &[]);
    let torn: Vec<_> = rows[..2]
        .iter()
        .chain(&rows[4..])
        .chain(&heir)
        .cloned()
        .collect();
    let missing = Gap::Missing {
        incarnation: FIRST,
        after: 2,
        before: 5,
    };
    let anew = Gap::BegunAnew {
        held: rows[8].head(),
        by: SECOND,
    };
    assert_eq!(Report::of(&torn, conflict).gaps, [missing, anew]);
}

/// A row's number is a node's claim: the core neither counts beyond the last one nor stops there.
#[test]
fn a_batch_whose_rows_have_no_number_is_no_chain() {
    let rows = ten();
    let head = rows.last().map(SealedRow::head);
    for from in [u64::MAX, u64::MAX - 1, JournalBatch::MAX_SEQ] {
        let strange = JournalBatch {
            from,
            ..batch(&rows[..2])
        };
        assert_eq!(overlap(head.as_ref(), &strange), None);
        let refused = accept(NODE, head.as_ref(), None, &strange);
        assert!(
            matches!(
                refused,
                Err(Refused::Future { .. } | Refused::BrokenChain { .. })
            ),
            "{refused:?}"
        );
        let ends = Ends::nothing(FIRST);
        assert!(!ends.cover(&strange));
    }
}

#[test]
fn a_report_counts_texts_that_are_no_tickets_once_whichever_files_carry_their_row() {
    let texts = |times, after| {
        let first = Moment {
            boottime: BootTime(after),
            ..moment()
        };
        JournalEntry::Unreadable {
            scanner: ScannerId(Uuid::from_u128(4)),
            gate: GateId(Uuid::from_u128(3)),
            mode: Mode::Degraded,
            times,
            first,
            last: first,
        }
    };
    let opened = |succeeds| JournalEntry::Opened {
        node: NODE,
        succeeds,
        after_loss: None,
    };
    let admitted = || JournalEntry::Decision(decision(100, &Verdict::Admit));
    let rows = seal(FIRST, [opened(None), admitted(), texts(40, 1)].into_iter());
    // After a fork: the next file holds what the one before does.
    let end = rows.last().map(SealedRow::head);
    let carried = [opened(end), admitted(), texts(40, 1), texts(2, 2)];
    let heir = seal(SECOND, carried.into_iter());
    let report = Report::of(rows.iter().chain(&heir), |_| None);
    assert_eq!((report.scans, report.admitted), (43, 1));
    assert_eq!(report.refused["Unreadable"], 42);
    assert!(report.adds_up(), "{report:?}");
}
