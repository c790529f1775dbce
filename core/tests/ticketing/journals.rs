//! The table of `ADMISSION` section 7, through the real consumers: scans by the pipe, journal rows
//! as fleet hands them on.

use chrono::{DateTime, Utc};
use eventify_core::fleet::events::JournalAccepted;
use eventify_core::interference::Interference;
use eventify_core::ticketing::events::TicketState;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{BootId, IncarnationId, ScanId, TicketId};
use eventify_protocol::sync::{
    Decision, Epoch, JournalEntry, JournalRow, Moment, PointRef, Position, SealedRow,
};
use eventify_protocol::time::{BootTime, CoreInterval, CoreTime, WallTime};
use eventify_protocol::token::Parsed;
use eventify_protocol::verdict::{DecidedBy, Mode, Verdict};
use serde_json::Value;

use crate::line::{Line, Pull};
use crate::stage::{FLEET, Stage};

/// A node's journal file, from its first row on.
struct Journal<'stage> {
    stage: &'stage Stage,
    index: usize,
    incarnation: IncarnationId,
    rows: Vec<SealedRow>,
    sent: usize,
}

impl<'stage> Journal<'stage> {
    fn of(stage: &'stage Stage, index: usize) -> Self {
        let incarnation = IncarnationId(stage.core.clock.new_id());
        let mut journal = Self {
            stage,
            index,
            incarnation,
            rows: vec![],
            sent: 0,
        };
        let opened = JournalEntry::Opened {
            node: stage.nodes[index],
            succeeds: None,
        };
        journal.add(opened, None);
        journal
    }

    fn add(&mut self, entry: JournalEntry, at: Option<DateTime<Utc>>) {
        let exact = |at| CoreInterval::exact(CoreTime::from(at));
        let row = JournalRow {
            incarnation: self.incarnation,
            seq: self.rows.len() as u64 + 1,
            previous: self.rows.last().map_or(Hash32::ZERO, SealedRow::hash),
            at: Moment {
                boot: BootId(self.incarnation.0),
                boottime: BootTime(0),
                wall: WallTime(0),
                core: at.map(exact),
            },
            entry,
        };
        self.rows.push(SealedRow::seal(row));
    }

    /// The node has shown this for a pull, now.
    fn shown(&mut self, pull: &Pull, verdict: Verdict) {
        self.shown_at(pull, verdict, Some(self.stage.core.clock.now()));
    }

    fn shown_at(&mut self, pull: &Pull, verdict: Verdict, at: Option<DateTime<Utc>>) {
        let token = Parsed::read(&pull.token).unwrap();
        let decision = Decision {
            scan: pull.scan,
            scanner: pull.scanner,
            gate: pull.gate,
            token: token.hash().0,
            ticket: Some(token.unverified_claims().ticket),
            performance: Some(self.stage.performance),
            verdict,
            mode: Mode::Degraded,
            decided_by: DecidedBy::Edge,
            cache_age_ms: Some(5_000),
            point: Some(PointRef {
                epoch: Epoch {
                    system: 1,
                    timeline: 1,
                },
                position: Position(42),
                truth: CoreTime::from(self.stage.core.clock.now()),
            }),
            replaces: pull.replaces.clone(),
        };
        self.add(JournalEntry::Decision(decision), at);
    }

    fn voided(&mut self, pull: &Pull) {
        let row = self.rows.len() as u64;
        self.add(
            JournalEntry::Voided {
                row,
                scan: pull.scan,
            },
            Some(self.stage.core.clock.now()),
        );
    }

    /// The rows that fleet has not handed on yet, as one batch.
    fn batch(&mut self) -> JournalAccepted {
        let rows = &self.rows[self.sent..];
        let batch = JournalAccepted {
            batch_id: self.stage.core.clock.new_id(),
            node_id: self.stage.nodes[self.index],
            venue_id: self.stage.venue,
            incarnation: self.incarnation,
            from: self.sent as u64 + 1,
            to: self.rows.len() as u64,
            rows: JournalAccepted::encode(rows.iter().map(SealedRow::bytes)),
        };
        self.sent = self.rows.len();
        batch
    }

    async fn upload(&mut self) {
        let batch = self.batch();
        self.stage.publish(FLEET, 1, &batch).await;
        self.stage.core.settle().await;
    }
}

/// How a ticket stands: the check-in's scan and whether it is confirmed, and the conflicting scans.
type Stands = (Option<(ScanId, bool)>, Vec<(ScanId, String)>);

async fn stands(stage: &Stage, ticket: TicketId) -> Stands {
    let mut conn = stage.core.app().db.read("ticketing").await.unwrap();
    let check_ins: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("select scan_id, evidence from checkins where ticket_id = $1")
            .bind(ticket.as_uuid())
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let conflicts: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("select scan_id, kind from checkin_conflicts where ticket_id = $1")
            .bind(ticket.as_uuid())
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert!(check_ins.len() <= 1);
    let check_in = check_ins.into_iter().next();
    let check_in = check_in.map(|(scan, evidence)| (ScanId(scan), evidence != "unconfirmed"));
    // What gates were told is what the rows say.
    let told = match stage.told_facts(ticket).await.state {
        TicketState::Used {
            scan_id, confirmed, ..
        } => Some((scan_id, confirmed)),
        TicketState::Valid | TicketState::Revoked => None,
    };
    assert_eq!(told, check_in);
    (
        check_in,
        conflicts
            .into_iter()
            .map(|(scan, kind)| (ScanId(scan), kind))
            .collect(),
    )
}

async fn classes(stage: &Stage) -> Vec<String> {
    let applied = stage.told("ticketing.journal.applied").await;
    let outcomes = applied
        .iter()
        .flat_map(|it| it["outcomes"].as_array().unwrap().clone());
    outcomes
        .map(|outcome| outcome["class"].as_str().unwrap().to_owned())
        .collect()
}

fn refused_by(verdict: &Verdict) -> (eventify_protocol::ids::GateId, bool) {
    match verdict {
        Verdict::AlreadyUsed { first } => (first.gate, first.confirmed),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lost_answer_and_the_nodes_own_admission_are_one_check_in() {
    let stage = Stage::interfered(Interference::deliver_twice()).await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let s1 = stage.pull(0, &token);
    assert_eq!(line.scan(&s1).await, Verdict::Admit);
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, false)), vec![])
    );
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    assert_eq!(classes(&stage).await, ["admitted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_scan_after_its_journal_row_has_no_effect() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let s1 = stage.pull(0, &token);
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    let version = stage.told_facts(ticket).await.version;
    assert_eq!(line.scan(&s1).await, Verdict::Admit);
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    assert_eq!(stage.told_facts(ticket).await.version, version);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_gate_is_refused_and_the_first_entry_stands() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let (s1, s2) = (stage.pull(0, &token), stage.pull(1, &token));
    assert_eq!(line.scan(&s1).await, Verdict::Admit);
    assert_eq!(refused_by(&line.scan(&s2).await), (stage.gates[0], false));
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    let s3 = stage.pull(1, &token);
    assert_eq!(refused_by(&line.scan(&s3).await), (stage.gates[0], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_against_the_cores_unheard_refusal_is_a_double_entry() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let (s1, s2) = (stage.pull(0, &token), stage.pull(1, &token));
    assert_eq!(line.scan(&s2).await, Verdict::Admit);
    assert_eq!(refused_by(&line.scan(&s1).await), (stage.gates[1], false));
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    let double = vec![(s1.scan, "double_entry".to_owned())];
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s2.scan, false)), double)
    );
    let told = stage.told("checkin.conflict").await;
    assert_eq!(told.len(), 1);
    let (first, second) = (&told[0]["first"], &told[0]["second"]);
    assert_eq!(first["gateId"], serde_json::json!(stage.gates[1]));
    assert_eq!(first["scannerId"], serde_json::json!(s2.scanner));
    assert_eq!(second["gateId"], serde_json::json!(stage.gates[0]));
    assert_eq!(second["nodeId"], serde_json::json!(stage.nodes[0]));
    assert_eq!(
        (&second["syncPosition"], &second["decidedBy"]),
        (&42.into(), &"edge".into())
    );
    assert_eq!(classes(&stage).await, ["double_entry"]);
    let applied = stage.told("ticketing.journal.applied").await;
    assert_eq!(
        applied[0]["outcomes"][0]["conflictId"],
        told[0]["conflictId"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_arrival_that_was_first_takes_the_check_ins_place() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let (s1, s2) = (stage.pull(0, &token), stage.pull(1, &token));
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    assert_eq!(line.scan(&s2).await, Verdict::Admit);
    journal.upload().await;
    let double = vec![(s2.scan, "double_entry".to_owned())];
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, true)), double)
    );
    let TicketState::Used { gate_id, .. } = stage.told_facts(ticket).await.state else {
        panic!()
    };
    assert_eq!(gate_id, stage.gates[0], "the feed names the first entry");

    // Gate 2 says that it never showed its admission: there was no double entry.
    let mut other = Journal::of(&stage, 1);
    other.shown(&s2, Verdict::TryAgain);
    other.upload().await;
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    let told = stage.told("checkin.conflict").await;
    let dissolved: Vec<_> = told
        .iter()
        .map(|it| it["dissolved"].as_bool().unwrap())
        .collect();
    assert_eq!(dissolved, [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_was_shown_nothing_is_admitted_once_at_the_same_gate() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let s1 = stage.pull(0, &token);
    assert_eq!(line.scan(&s1).await, Verdict::Admit);
    let again = stage.pull(0, &token).replacing(&s1);
    assert_eq!(line.scan(&again).await, Verdict::Admit);
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((again.scan, false)), vec![])
    );
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::TryAgain);
    journal.shown(&again, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((again.scan, true)), vec![])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_executed_after_the_edge_gave_up_has_no_effect() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let mut s1 = stage.pull(0, &token);
    s1.deadline = CoreTime::from(stage.core.clock.now());
    assert_eq!(line.scan(&s1).await, Verdict::TryAgain);
    assert_eq!(stands(&stage, ticket).await, (None, vec![]));
    assert_eq!(stage.told_facts(ticket).await.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_nobody_confirmed_is_said_to_be_so_and_ends_with_its_journal_row() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let mut line = Line::connect(&stage).await;
    let (s1, s2) = (stage.pull(0, &token), stage.pull(1, &token));
    assert_eq!(line.scan(&s1).await, Verdict::Admit);
    assert_eq!(refused_by(&line.scan(&s2).await), (stage.gates[0], false));
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::ResyncRequired);
    journal.upload().await;
    assert_eq!(stands(&stage, ticket).await, (None, vec![]));
    assert_eq!(stage.show(ticket).await["status"], "valid");
    let s3 = stage.pull(1, &token);
    assert_eq!(line.scan(&s3).await, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voided_admission_never_happened() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let s1 = stage.pull(0, &token);
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    journal.voided(&s1);
    journal.upload().await;
    assert_eq!(stands(&stage, ticket).await, (None, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_applied_in_the_order_of_their_rows_however_they_come() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let (s1, s2) = (stage.pull(0, &token), stage.pull(0, &token));
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    let first = journal.batch();
    journal.shown_at(&s2, Verdict::Admit, None);
    let second = journal.batch();
    stage.publish(FLEET, 1, &second).await;
    stage.core.settle().await;
    assert!(stage.told("ticketing.journal.applied").await.is_empty());
    stage.publish(FLEET, 1, &first).await;
    stage.core.settle().await;
    stage.publish(FLEET, 1, &first).await; // fleet sends it once more
    stage.core.settle().await;
    let double = vec![(s2.scan, "double_entry".to_owned())];
    assert_eq!(
        stands(&stage, ticket).await,
        (Some((s1.scan, true)), double)
    );
    assert_eq!(classes(&stage).await, ["admitted", "double_entry"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_reports_on_tickets_of_its_own_venue_only() {
    let stage = Stage::open().await;
    let (ticket, token) = stage.ticket().await;
    let s1 = stage.pull(0, &token);
    let mut journal = Journal::of(&stage, 0);
    journal.shown(&s1, Verdict::Admit);
    let mut batch = journal.batch();
    batch.venue_id = stage.core.clock.new_id().into();
    stage.publish(FLEET, 1, &batch).await;
    stage.core.settle().await;
    assert_eq!(stands(&stage, ticket).await, (None, vec![]));
    assert_eq!(classes(&stage).await, ["unknown_ticket"]);
    let applied = stage.told("ticketing.journal.applied").await;
    assert_eq!(applied[0]["tickets"], Value::Array(vec![]));
}
