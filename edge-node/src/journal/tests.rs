mod acts;

use std::sync::mpsc::{Receiver, channel};

use eventify_protocol::{
    hash::Hash32,
    ids::{BootId, GateId, IncarnationId, NodeId, ScanId, ScannerId, TicketId},
    sync::{
        Decision, Epoch, JournalAck, JournalEntry, JournalHead, JournalRow, Moment, Position,
        SealedRow,
    },
    time::{BootTime, CoreInterval, CoreTime, WallTime},
    verdict::{DecidedBy, Mode, Verdict},
};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

const EPOCH: Epoch = Epoch {
    system: 7,
    timeline: 1,
};
const OTHER_EPOCH: Epoch = Epoch {
    system: 7,
    timeline: 2,
};

/// A chain that is being made.
struct Chain {
    head: JournalHead,
}

impl Chain {
    fn new(incarnation: u128) -> Self {
        Self {
            head: JournalHead::empty(IncarnationId(Uuid::from_u128(incarnation))),
        }
    }

    fn opened(&mut self) -> SealedRow {
        self.append(JournalEntry::Opened {
            node: NodeId(Uuid::from_u128(1)),
            succeeds: None,
            after_loss: None,
        })
    }

    fn admits(&mut self, scan: u128) -> SealedRow {
        self.append(JournalEntry::Decision(Decision {
            scan: ScanId(Uuid::from_u128(scan)),
            scanner: ScannerId(Uuid::from_u128(2)),
            gate: GateId(Uuid::from_u128(3)),
            token: Hash32([4; 32]),
            ticket: Some(TicketId(Uuid::from_u128(scan))),
            performance: None,
            verdict: Verdict::Admit,
            mode: Mode::Degraded,
            decided_by: DecidedBy::Edge,
            cache_age_ms: Some(1_000),
            point: None,
            replaces: vec![],
            asked_until: None,
            person: None,
        }))
    }

    fn voids(&mut self, row: u64, scan: u128) -> SealedRow {
        self.append(JournalEntry::Voided {
            row,
            scan: ScanId(Uuid::from_u128(scan)),
            decided_at: None,
        })
    }

    fn append(&mut self, entry: JournalEntry) -> SealedRow {
        let seq = self.head.seq + 1;
        let second = i64::try_from(seq).unwrap();
        let row = SealedRow::seal(JournalRow {
            incarnation: self.head.incarnation,
            seq,
            previous: self.head.hash,
            at: Moment {
                boot: BootId(Uuid::from_u128(9)),
                boottime: BootTime(seq),
                wall: WallTime(0),
                core: Some(CoreInterval::exact(CoreTime(second * 1_000_000))),
            },
            entry,
        });
        self.head = row.head();
        row
    }
}

fn ack(row: &SealedRow, epoch: Epoch, position: u64) -> JournalAck {
    JournalAck {
        incarnation: row.row().incarnation,
        seq: row.row().seq,
        hash: row.hash(),
        position: Position(position),
        epoch,
    }
}

struct Fixture {
    folder: TempDir,
    journal: Journal,
    notices: Receiver<Notice>,
}

const LIMITS: JournalConfig = JournalConfig {
    max_bytes: 1 << 30,
    reserve_bytes: 1 << 16,
};

fn journal(limits: JournalConfig) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let (journal, notices) = open(&folder, limits);
    Fixture {
        folder,
        journal,
        notices,
    }
}

fn open(folder: &TempDir, limits: JournalConfig) -> (Journal, Receiver<Notice>) {
    let (notify, notices) = channel();
    let journal = Journal::open(folder.path(), limits, move |notice| {
        drop(notify.send(notice));
    })
    .unwrap();
    (journal, notices)
}

impl Fixture {
    fn append(&self, rows: Vec<SealedRow>) {
        let last = rows.last().unwrap().head();
        self.journal.append(rows);
        loop {
            match self.notices.recv().unwrap() {
                Notice::Persisted { head, .. } if head == last => return,
                Notice::Persisted { .. } | Notice::Held | Notice::Free => {}
                Notice::Failed(error) => panic!("{error}"),
            }
        }
    }

    fn reader(&self) -> Reader {
        self.journal.reader().unwrap()
    }

    /// What was commanded before is done when a row given after it is on the disk.
    fn settle(&self, chain: &mut Chain) {
        self.append(vec![chain.admits(u128::from(chain.head.seq) + 1_000)]);
    }

    fn restart(self) -> Self {
        let Self {
            folder,
            journal,
            notices,
        } = self;
        drop(journal);
        drop(notices);
        let (journal, notices) = open(&folder, LIMITS);
        Self {
            folder,
            journal,
            notices,
        }
    }
}

#[test]
fn rows_are_found_again_after_a_restart() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    fixture.append(vec![chain.opened(), chain.admits(10)]);
    fixture.append(vec![chain.admits(11)]);
    let fixture = fixture.restart();
    let found = fixture.reader().chains().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].head, chain.head);
    let previous = fixture
        .reader()
        .find_decision(ScanId(Uuid::from_u128(11)))
        .unwrap()
        .unwrap();
    assert_eq!(previous.decision.verdict, Verdict::Admit);
    assert!(!previous.voided);
    assert_eq!(
        fixture
            .reader()
            .find_decision(ScanId(Uuid::from_u128(12)))
            .unwrap(),
        None
    );
    fixture.append(vec![chain.admits(12)]);
}

#[test]
fn a_voided_decision_is_marked_until_it_is_made_again() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let scan = ScanId(Uuid::from_u128(10));
    fixture.append(vec![chain.opened(), chain.admits(10), chain.voids(2, 10)]);
    assert!(
        fixture
            .reader()
            .find_decision(scan)
            .unwrap()
            .unwrap()
            .voided
    );
    fixture.append(vec![chain.admits(10)]);
    assert!(
        !fixture
            .reader()
            .find_decision(scan)
            .unwrap()
            .unwrap()
            .voided
    );
}

#[test]
fn a_row_that_does_not_follow_is_refused_and_ends_the_writer() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    fixture.append(vec![chain.opened()]);
    let mut lost = Chain { head: chain.head };
    lost.admits(10);
    fixture.journal.append(vec![lost.admits(11)]);
    assert!(matches!(
        fixture.notices.recv().unwrap(),
        Notice::Failed(JournalError::NotNext { seq: 3 })
    ));
    assert!(fixture.notices.recv().is_err(), "the writer is gone");
}

#[test]
fn rows_that_the_replica_has_not_passed_are_restored() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let rows: Vec<_> = [chain.opened()]
        .into_iter()
        .chain((0..5).map(|scan| chain.admits(scan + 10)))
        .collect();
    fixture.append(rows.clone());
    fixture.journal.mark_acknowledged(ack(&rows[1], EPOCH, 100));
    fixture.journal.mark_acknowledged(ack(&rows[3], EPOCH, 200));
    fixture.settle(&mut chain);
    let restored = |replica| fixture.reader().restored(replica).unwrap().unwrap();
    let seqs = |replica| -> Vec<_> {
        restored(replica)
            .rows
            .iter()
            .map(|r| (r.row.row().seq, r.acknowledged))
            .collect()
    };
    let (p100, p200) = (Some(Position(100)), Some(Position(200)));
    assert_eq!(restored(None).acknowledged, 4);
    assert_eq!(restored(None).head, chain.head);
    assert_eq!(
        seqs(Some((EPOCH, Position(200)))),
        [(5, None), (6, None), (7, None)]
    );
    assert_eq!(
        seqs(Some((EPOCH, Position(199)))),
        [(3, p200), (4, p200), (5, None), (6, None), (7, None)]
    );
    assert_eq!(
        seqs(Some((EPOCH, Position(99))))[..3],
        [(1, p100), (2, p100), (3, p200)]
    );
    let all_unknown: Vec<_> = (1..=7).map(|seq| (seq, None)).collect();
    assert_eq!(seqs(Some((OTHER_EPOCH, Position(999)))), all_unknown);
    assert_eq!(seqs(None), all_unknown);
}

#[test]
fn a_core_that_lost_rows_in_a_failover_is_believed() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let rows = vec![chain.opened(), chain.admits(10), chain.admits(11)];
    fixture.append(rows.clone());
    fixture.journal.mark_acknowledged(ack(&rows[2], EPOCH, 100));
    fixture
        .journal
        .mark_acknowledged(ack(&rows[1], OTHER_EPOCH, 50));
    fixture.settle(&mut chain);
    let found = fixture.reader().chains().unwrap().pop().unwrap();
    assert_eq!(found.acknowledged, Some(ack(&rows[1], OTHER_EPOCH, 50)));
}

#[test]
fn an_acknowledgement_of_another_hash_is_not_stored() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let opened = chain.opened();
    fixture.append(vec![opened.clone()]);
    fixture.journal.mark_acknowledged(JournalAck {
        hash: Hash32([1; 32]),
        ..ack(&opened, EPOCH, 1)
    });
    fixture.settle(&mut chain);
    assert_eq!(fixture.reader().chains().unwrap()[0].acknowledged, None);
}

#[test]
fn after_a_fork_both_chains_are_kept_and_the_new_one_is_written() {
    let mut old = Chain::new(1);
    let mut new = Chain::new(2);
    let fixture = journal(LIMITS);
    fixture.append(vec![old.opened(), old.admits(10)]);
    fixture.append(vec![new.opened(), new.admits(10), new.admits(11)]);
    let fixture = fixture.restart();
    let heads: Vec<_> = fixture
        .reader()
        .chains()
        .unwrap()
        .iter()
        .map(|c| c.head)
        .collect();
    assert_eq!(heads, [old.head, new.head]);
    let mut lines = Vec::new();
    let exported = export(&fixture.reader(), &mut lines).unwrap();
    assert_eq!(exported, Exported { chains: 2, rows: 5 });
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 5);
}

#[test]
fn old_acknowledged_rows_go_and_the_chain_still_holds() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let rows: Vec<_> = [chain.opened()]
        .into_iter()
        .chain((0..6).map(|scan| chain.admits(scan + 10)))
        .collect();
    fixture.append(rows.clone());
    fixture.journal.mark_acknowledged(ack(&rows[4], EPOCH, 1));
    // Rows 1 to 5 are acknowledged; those before second 4 are old.
    fixture.journal.retire(CoreTime(4_000_000));
    fixture.settle(&mut chain);
    let kept = fixture.reader().chains().unwrap().pop().unwrap();
    assert_eq!(kept.base, rows[2].head());
    assert_eq!(
        export(&fixture.reader(), &mut std::io::sink())
            .unwrap()
            .rows,
        5
    );
    let missing = fixture
        .reader()
        .list_rows(chain.head.incarnation, 1..=3, 1 << 20)
        .unwrap();
    assert!(missing.is_empty());
    // However old: what the core has not acknowledged stays, and the last acknowledged row.
    fixture.journal.retire(CoreTime(i64::MAX));
    fixture.settle(&mut chain);
    let kept = fixture.reader().chains().unwrap().pop().unwrap();
    assert_eq!(kept.base, rows[3].head());
    let fixture = fixture.restart();
    fixture.settle(&mut chain);
}

#[test]
fn the_space_of_retired_rows_can_be_used_again() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let opened = chain.opened();
    let rows: Vec<_> = std::iter::once(opened)
        .chain((0..500).map(|scan| chain.admits(scan + 10)))
        .collect();
    let last = ack(&rows[500], EPOCH, 1);
    fixture.append(rows);
    let used = fixture.reader().space(&LIMITS);
    fixture.journal.mark_acknowledged(last);
    fixture.journal.retire(CoreTime(i64::MAX));
    fixture.settle(&mut chain);
    let space = fixture.reader().space(&LIMITS);
    assert!(
        space > used + (1 << 17),
        "{used} bytes before, {space} after"
    );
}

#[test]
fn uploads_are_cut_by_size_and_hold_at_least_one_row() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let rows: Vec<_> = std::iter::once(chain.opened())
        .chain((0..9).map(|scan| chain.admits(scan + 10)))
        .collect();
    fixture.append(rows.clone());
    let reader = fixture.reader();
    let read = |from, through, bytes| {
        reader
            .list_rows(chain.head.incarnation, from..=through, bytes)
            .unwrap()
    };
    assert_eq!(read(3, 5, 1 << 20), rows[2..5]);
    assert_eq!(read(3, 10, 1), rows[2..3]);
    let two = rows[2].bytes().len() + rows[3].bytes().len();
    assert_eq!(read(3, 10, two), rows[2..4]);
    assert!(read(11, 20, 1 << 20).is_empty());
}

#[test]
fn a_changed_row_breaks_the_export() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let opened = chain.opened();
    fixture.append(vec![opened.clone(), chain.admits(10), chain.admits(11)]);
    let path = path(fixture.folder.path());
    drop(fixture.journal);
    let connection = Connection::open(path).unwrap();
    let forged = Chain {
        head: opened.head(),
    }
    .admits(99);
    connection
        .execute(
            "UPDATE rows SET bytes = ?, hash = ? WHERE seq = 2",
            (forged.bytes(), forged.hash().0),
        )
        .unwrap();
    let reader = Reader::open(Path::new(connection.path().unwrap())).unwrap();
    let error = export(&reader, &mut std::io::sink()).unwrap_err();
    assert!(
        matches!(error, ExportError::Broken(head) if head.seq == 2),
        "{error}"
    );
}

#[test]
fn a_full_journal_fails_as_a_whole_and_keeps_what_it_had() {
    let mut chain = Chain::new(1);
    let limits = JournalConfig {
        max_bytes: 1 << 20,
        ..LIMITS
    };
    let fixture = journal(limits);
    fixture.append(vec![chain.opened()]);
    let mut persisted = chain.head;
    let error = loop {
        let batch: Vec<_> = (0..200)
            .map(|i| chain.admits(u128::from(chain.head.seq) * 300 + i))
            .collect();
        fixture.journal.append(batch);
        match fixture.notices.recv().unwrap() {
            Notice::Persisted { head, space } => {
                assert!(space < limits.max_bytes);
                persisted = head;
            }
            Notice::Held | Notice::Free => {}
            Notice::Failed(error) => break error,
        }
    };
    assert!(error.to_string().contains("full"), "{error}");
    assert!(
        error.is_disk_full(),
        "so that a mark that can't be stored ends nothing"
    );
    let reader = Reader::open(&path(fixture.folder.path())).unwrap();
    assert_eq!(reader.chains().unwrap()[0].head, persisted);
    assert!(reader.space(&limits) < 1 << 18);
}

/// C11: nobody waits for a mark, and scans must not be refused for ever because of one.
#[test]
fn a_file_that_was_held_while_a_mark_waited_is_free_again() {
    let mut chain = Chain::new(1);
    let fixture = journal(LIMITS);
    let row = chain.opened();
    fixture.append(vec![row.clone()]);
    let other = Connection::open(path(fixture.folder.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    fixture.journal.mark_acknowledged(ack(&row, EPOCH, 1));
    assert!(matches!(fixture.notices.recv().unwrap(), Notice::Held));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(fixture.notices.recv().unwrap(), Notice::Free));
}
