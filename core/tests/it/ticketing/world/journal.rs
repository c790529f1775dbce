//! A node's journal as a test writes it, and its effects.

use chrono::{DateTime, Utc};
use eventify_contracts::fleet::JournalAccepted;
use eventify_contracts::ticketing::{JournalApplied, TicketState};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{BootId, IncarnationId, PersonId, ScanId, TicketId};
use eventify_protocol::sync::{
    Decision, Epoch, JournalEntry, JournalRow, Moment, PointRef, Position, SealedRow,
};
use eventify_protocol::time::{BootTime, CoreInterval, CoreTime, WallTime};
use eventify_protocol::token::Parsed;
use eventify_protocol::verdict::{DecidedBy, Mode, Verdict};

use crate::ticketing::world::connection::TestScan;
use crate::ticketing::world::{FLEET, Venue};

/// A node's journal file, from its first row on.
pub(crate) struct Journal<'venue> {
    venue: &'venue Venue,
    index: usize,
    incarnation: IncarnationId,
    rows: Vec<SealedRow>,
    sent: usize,
    /// At the scanner.
    pub(crate) on_shift: Option<PersonId>,
}

impl<'venue> Journal<'venue> {
    pub(crate) fn of(venue: &'venue Venue, index: usize) -> Self {
        let incarnation = IncarnationId(venue.core.clock.new_id());
        let mut journal = Self {
            venue,
            index,
            incarnation,
            rows: vec![],
            sent: 0,
            on_shift: None,
        };
        let opened = JournalEntry::Opened {
            node: venue.nodes[index],
            succeeds: None,
            after_loss: None,
        };
        journal.add(opened, None);
        journal
    }

    pub(crate) fn add(&mut self, entry: JournalEntry, at: Option<DateTime<Utc>>) {
        let exact = |at| CoreInterval::exact(CoreTime::from(at));
        self.add_within(entry, at.map(exact));
    }

    pub(crate) fn add_within(&mut self, entry: JournalEntry, core: Option<CoreInterval>) {
        let row = JournalRow {
            incarnation: self.incarnation,
            seq: self.rows.len() as u64 + 1,
            previous: self.rows.last().map_or(Hash32::ZERO, SealedRow::hash),
            at: Moment {
                boot: BootId(self.incarnation.0),
                boottime: BootTime(0),
                wall: WallTime(0),
                core,
            },
            entry,
        };
        self.rows.push(SealedRow::seal(row));
    }

    /// The node has shown this for a scan, now.
    pub(crate) fn shown(&mut self, scan: &TestScan, verdict: Verdict) {
        self.shown_at(scan, verdict, Some(self.venue.core.clock.now()));
    }

    /// The node has shown what the core had answered.
    pub(crate) fn confirmed(&mut self, scan: &TestScan) {
        let decision = Decision {
            mode: Mode::Online,
            decided_by: DecidedBy::Core,
            ..self.decision(scan, Verdict::Admit)
        };
        let now = self.venue.core.clock.now();
        self.add(JournalEntry::Decision(decision), Some(now));
    }

    pub(crate) fn shown_at(
        &mut self,
        scan: &TestScan,
        verdict: Verdict,
        at: Option<DateTime<Utc>>,
    ) {
        let decision = self.decision(scan, verdict);
        self.add(JournalEntry::Decision(decision), at);
    }

    /// Somewhere between two moments, as far as the node could prove.
    pub(crate) fn shown_between(
        &mut self,
        scan: &TestScan,
        earliest: DateTime<Utc>,
        latest: DateTime<Utc>,
    ) {
        let decision = self.decision(scan, Verdict::Admit);
        let span = CoreInterval {
            earliest: CoreTime::from(earliest),
            latest: CoreTime::from(latest),
        };
        self.add_within(JournalEntry::Decision(decision), Some(span));
    }

    pub(crate) fn decision(&self, scan: &TestScan, verdict: Verdict) -> Decision {
        let token = Parsed::read(&scan.token).unwrap();
        Decision {
            scan: scan.scan,
            scanner: scan.scanner,
            gate: scan.gate,
            token: token.hash().0,
            ticket: Some(token.unverified_claims().ticket),
            performance: Some(self.venue.performance),
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
                truth: CoreTime::from(self.venue.core.clock.now()),
            }),
            replaces: scan.replaces.clone(),
            asked_until: Some(scan.deadline),
            person: self.on_shift,
        }
    }

    pub(crate) fn voided(&mut self, scan: &TestScan) {
        let row = self.rows.len() as u64;
        let decided_at = self.rows.last().and_then(|row| row.row().at.core);
        self.add(
            JournalEntry::Voided {
                row,
                scan: scan.scan,
                decided_at,
            },
            Some(self.venue.core.clock.now()),
        );
    }

    /// The rows that fleet has not forwarded yet, as one batch.
    pub(crate) fn batch(&mut self) -> JournalAccepted {
        let rows = &self.rows[self.sent..];
        let batch = JournalAccepted {
            batch_id: self.venue.core.clock.new_id(),
            node_id: self.venue.nodes[self.index],
            venue_id: self.venue.id,
            incarnation: self.incarnation,
            from: self.sent as u64 + 1,
            to: self.rows.len() as u64,
            rows: JournalAccepted::encode(rows.iter().map(SealedRow::bytes)),
        };
        self.sent = self.rows.len();
        batch
    }

    pub(crate) async fn upload(&mut self) {
        let batch = self.batch();
        self.venue.publish(FLEET, 1, &batch).await;
        self.venue.core.settle().await;
    }
}

/// A ticket's entries: the check-in's scan and whether it is confirmed, and the conflicting scans.
pub(crate) type Entries = (Option<(ScanId, bool)>, Vec<(ScanId, String)>);

pub(crate) async fn entries(venue: &Venue, ticket: TicketId) -> Entries {
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
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
    // The published facts are those of the rows.
    let published = match venue.published_facts(ticket).await.state {
        TicketState::Used {
            scan_id, confirmed, ..
        } => Some((scan_id, confirmed)),
        TicketState::Valid | TicketState::Suspended | TicketState::Revoked => None,
    };
    assert_eq!(published, check_in);
    (
        check_in,
        conflicts
            .into_iter()
            .map(|(scan, kind)| (ScanId(scan), kind))
            .collect(),
    )
}

pub(crate) async fn classes(venue: &Venue) -> Vec<String> {
    let applied = venue.published::<JournalApplied>().await;
    let outcomes = applied.into_iter().flat_map(|it| it.outcomes);
    outcomes.map(|outcome| outcome.class).collect()
}

pub(crate) fn refused_by(verdict: &Verdict) -> (eventify_protocol::ids::GateId, bool) {
    match verdict {
        Verdict::AlreadyUsed { first } => (first.gate, first.confirmed),
        other => panic!("{other:?}"),
    }
}
