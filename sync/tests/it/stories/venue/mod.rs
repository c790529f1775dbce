//! One node with a disk that never fails, and a core that sends what a test wants.

mod core;
mod disk;

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::{
    hash::Hash32,
    ids::{
        ActId, BootId, GateId, IncarnationId, MessageId, NodeId, PerformanceId, PersonId, ScanId,
        ScannerId, TicketId, VenueId,
    },
    lan::{Reason, ReasonCode},
    short_code::CodeHash,
    sync::{
        Digest, DigestKey, Epoch, JournalEntry, JournalRow, Moment, PersonEntry, Position,
        ScannedTicket, SealedRow, TicketState, Up,
    },
    time::{BootTime, CoreTime, WallTime},
    token::{Claims, TokenHash},
};
use eventify_sync::{
    edge::{
        ActKind, ActOutcome, ActRefusal, ActRequest, ActScan, ActTicket, CoreMessage, DoneAct,
        Input, Machine, Now, Output, PartialSnapshot, Previous, Reply, RequestId, SavedProof,
        ScanOutcome, ScanRequest, Status,
    },
    token::{SignedTicket, TokenCheck},
};
use uuid::Uuid;

use disk::{entry, restored};
pub(crate) use disk::{news, tonight};

pub(crate) const NODE: NodeId = NodeId(Uuid::from_u128(1));
pub(crate) const VENUE: VenueId = VenueId(Uuid::from_u128(2));
pub(crate) const GATE: GateId = GateId(Uuid::from_u128(3));
/// Of the same venue, but not this node's.
pub(crate) const ANOTHERS_GATE: GateId = GateId(Uuid::from_u128(13));
pub(crate) const EPOCH: Epoch = Epoch {
    system: 7,
    timeline: 1,
};
/// After a failover.
pub(crate) const PROMOTED: Epoch = Epoch {
    timeline: 2,
    ..EPOCH
};
pub(crate) const SCANNER: ScannerId = ScannerId(Uuid::from_u128(4));
pub(crate) const TONIGHT: PerformanceId = PerformanceId(Uuid::from_u128(5));
const KEY: DigestKey = DigestKey(Hash32([6; 32]));
const FIRST_FILE: IncarnationId = IncarnationId(Uuid::from_u128(8));
const LIMIT_MS: u32 = 20_000;

/// The digest of the test's core at a position.
pub(crate) fn digest_at(position: u64) -> Digest {
    Digest(Hash32::of(&position.to_be_bytes()))
}

pub(crate) fn ticket_id(number: u8) -> TicketId {
    TicketId(Uuid::from_u128(0x100 + u128::from(number)))
}

pub(crate) fn scan_id(number: u128) -> ScanId {
    ScanId(Uuid::from_u128(0x200 + number))
}

pub(crate) fn token(number: u8) -> TokenCheck {
    TokenCheck::Signed(SignedTicket {
        hash: TokenHash(Hash32([number; 32])),
        claims: Claims {
            ticket: ticket_id(number),
            performance: TONIGHT,
            category: "STALLS".parse().expect("a category"),
            not_before: 0,
            expiry: 4_000_000_000,
            revision: 1,
        },
    })
}

/// The short code of a ticket, typed by staff.
pub(crate) fn code(number: u8) -> TokenCheck {
    TokenCheck::Code {
        code: CodeHash(Hash32([0xC0 | number; 32])),
        ticket: None,
    }
}

/// The node, its disk, and what the machine wanted.
pub(crate) struct Venue {
    machine: Machine,
    now: Now,
    boot: BootId,
    rows: Vec<SealedRow>,
    acked: u64,
    proof: Option<SavedProof>,
    /// The replica's tickets and its position.
    pub(crate) tickets: Vec<(TicketId, TicketState)>,
    position: u64,
    /// Sent and not examined by the test yet.
    sent: VecDeque<(MessageId, Up)>,
    /// Every message that asked the core about a scan.
    questions: Vec<(ScanId, MessageId)>,
    pub(crate) outputs: Vec<Output>,
    replies: Vec<Reply>,
    /// Rows are not synced while the disk is slow.
    pub(crate) slow_disk: bool,
    /// Tickets that are read are not reported.
    pub(crate) mute_disk: bool,
    /// The replica's file lacks so many of the positions that were applied.
    pub(crate) replica_lag: u64,
    /// Rows up to here were removed after their time.
    pub(crate) retired: u64,
    /// Rows from here on are not read.
    pub(crate) unread_from: u64,
    pub(crate) configured_limit: Duration,
    /// As stored for a restart.
    revoked: bool,
    /// A snapshot whose pull the end of the process interrupts.
    pub(crate) partial: Option<PartialSnapshot>,
    unsynced: u64,
    requests: u64,
    /// At the scanner.
    pub(crate) on_shift: Option<PersonId>,
    /// At which the next scan is.
    pub(crate) scanner: ScannerId,
}

impl Venue {
    /// A node with a complete replica of tickets 1 to 9, that was never connected to the core.
    pub(crate) fn closed() -> Self {
        let now = Now {
            boottime: BootTime(1_000_000_000),
            wall: WallTime(1_000_000),
        };
        let boot = BootId(Uuid::from_u128(10));
        let at = Moment {
            boot,
            boottime: now.boottime,
            wall: now.wall,
            core: None,
        };
        let opened = SealedRow::seal(JournalRow {
            incarnation: FIRST_FILE,
            seq: 1,
            previous: Hash32::ZERO,
            at,
            entry: JournalEntry::Opened {
                node: NODE,
                succeeds: None,
                after_loss: None,
            },
        });
        let mut venue = Self {
            machine: Machine::new(
                restored(boot, std::slice::from_ref(&opened), 0, None, 50),
                now,
            ),
            now,
            boot,
            rows: vec![opened],
            acked: 0,
            proof: None,
            tickets: (1..10)
                .map(|number| (ticket_id(number), TicketState::Valid))
                .collect(),
            position: 50,
            sent: VecDeque::new(),
            questions: vec![],
            outputs: vec![],
            replies: vec![],
            slow_disk: false,
            mute_disk: false,
            replica_lag: 0,
            retired: 0,
            unread_from: u64::MAX,
            configured_limit: Duration::from_secs(300),
            revoked: false,
            partial: None,
            unsynced: 0,
            requests: 0,
            on_shift: None,
            scanner: SCANNER,
        };
        venue.carry_out();
        venue
    }

    /// The same, and the core decides.
    pub(crate) fn online() -> Self {
        let mut venue = Self::closed();
        venue.step(Input::Connected);
        venue.welcome();
        venue.answer_question();
        venue.acknowledge();
        venue
    }

    /// The same, and the line has just been cut: the node decides alone.
    pub(crate) fn cut_off() -> Self {
        let mut venue = Self::online();
        venue.step(Input::Disconnected);
        venue.sent.clear();
        venue
    }

    pub(crate) fn step(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.carry_out();
        self.wait(Duration::ZERO);
    }

    pub(crate) fn receive(&mut self, message: CoreMessage) {
        self.step(Input::Message(message));
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let end = self.now.boottime.plus(duration);
        for timers in 0.. {
            let due = self
                .machine
                .poll_timeout()
                .map(|(due, _)| due)
                .filter(|due| *due <= end);
            self.pass(due.unwrap_or(end).since(self.now.boottime));
            if due.is_none() {
                break;
            }
            assert!(
                timers < 1_000,
                "a timer that never ends: {:?}",
                self.machine.poll_timeout()
            );
            self.machine.handle_timeout(self.now);
            self.carry_out();
        }
    }

    fn pass(&mut self, duration: Duration) {
        self.now.boottime = self.now.boottime.plus(duration);
        self.now.wall = self.now.wall.plus(duration);
    }

    pub(crate) fn set_wall(&mut self, by_seconds: i64) {
        self.now.wall.0 += by_seconds * 1_000_000;
    }

    pub(crate) fn status(&self) -> Status {
        self.machine.status(self.now)
    }

    pub(crate) fn people(&self) -> Option<Vec<(PersonId, PersonEntry)>> {
        self.machine.people()
    }

    pub(crate) fn is_shift_needed(&self) -> bool {
        self.machine.is_shift_needed()
    }

    /// The core's clock is the node's boottime.
    pub(crate) fn core_time(&self) -> CoreTime {
        CoreTime(i64::try_from(self.now.boottime.0 / 1_000).expect("a short test"))
    }

    // ---- What staff do

    pub(crate) fn scan(&mut self, scan: ScanId, checked: TokenCheck) {
        self.scan_at(GATE, scan, checked);
    }

    pub(crate) fn scan_at(&mut self, gate: GateId, scan: ScanId, checked: TokenCheck) {
        self.arrive(gate, (scan, checked), None);
    }

    /// A scan once more, whose decision the shell reads in the journal without the rows about it that are on
    /// their way there.
    pub(crate) fn scan_again(&mut self, scan: ScanId, number: u8) {
        let previous = self.act_scan(scan, number).previous;
        self.arrive(GATE, (scan, token(number)), previous);
    }

    fn arrive(
        &mut self,
        gate: GateId,
        (scan, checked): (ScanId, TokenCheck),
        previous: Option<Previous>,
    ) {
        self.requests += 1;
        let found = self.find(&checked);
        let checked = match &found {
            Some(found) => checked.with_ticket(found),
            None => checked,
        };
        let request = ScanRequest {
            request: RequestId(self.requests),
            scan,
            scanner: self.scanner,
            gate,
            person: self.on_shift,
            token: format!("{checked:?}"),
            checked,
            found,
            previous,
        };
        self.step(Input::Scan(Box::new(request)));
    }

    /// The ticket that a text names, as the replica has it.
    fn find(&self, checked: &TokenCheck) -> Option<ScannedTicket> {
        let named = checked.claimed().map(SignedTicket::ticket);
        let of_code = checked.code().map(|code| ticket_id(code.0.0[0] & 0x3f));
        let wanted = named.or(of_code)?;
        let held = self.tickets.iter().find(|(held, _)| *held == wanted);
        held.map(|(ticket, state)| ScannedTicket::of(*ticket, &entry(*ticket, *state)))
    }

    /// Somebody does something at a gate beside scanning.
    pub(crate) fn act(&mut self, act: u128, kind: ActKind) -> Result<ActOutcome, ActRefusal> {
        self.begin_act(act, kind);
        match self.reply() {
            Some(Reply::Act(outcome)) => Ok(*outcome),
            Some(Reply::ActRefused(refusal)) => Err(refusal),
            other => panic!("no answer to an act but {other:?}"),
        }
    }

    /// The same, without waiting for the answer.
    pub(crate) fn begin_act(&mut self, act: u128, kind: ActKind) {
        self.requests += 1;
        let is_exit = matches!(kind, ActKind::Exit(_));
        let act = ActId(Uuid::from_u128(0x300 + act));
        let done = |row: &SealedRow| {
            let entry = row.row().entry.clone();
            (entry.act()?.act == act).then(|| DoneAct {
                entry: entry.clone(),
                at: row.row().at,
            })
        };
        let recent = |row: &SealedRow| {
            let by = row.row().entry.act()?;
            by.reason.is_some().then_some((by.act, row.row().at))
        };
        let request = ActRequest {
            request: RequestId(self.requests),
            act,
            scanner: self.scanner,
            gate: GATE,
            person: PersonId(Uuid::from_u128(0x51)),
            reason: (!is_exit).then_some(Reason {
                code: ReasonCode::NotInside,
                note: None,
            }),
            kind,
            previous: self.rows.iter().find_map(done),
            recent: self.rows.iter().filter_map(recent).collect(),
        };
        self.step(Input::Act(Box::new(request)));
    }

    pub(crate) fn act_ticket(&self, number: u8) -> Option<ActTicket> {
        let wanted = ticket_id(number);
        let (ticket, state) = self.tickets.iter().find(|(held, _)| *held == wanted)?;
        Some(ActTicket {
            ticket: *ticket,
            position: Position(self.position),
            entry: entry(*ticket, *state),
        })
    }

    /// The scan that an act is about, from memory alone, as a shell finds it that reads no row before it
    /// is written.
    pub(crate) fn act_scan(&self, scan: ScanId, number: u8) -> ActScan {
        let decided = self.rows.iter().rev().find_map(|row| {
            let JournalEntry::Decision(decision) = &row.row().entry else {
                return None;
            };
            (decision.scan == scan).then(|| Previous {
                decision: decision.clone(),
                at: row.row().at,
                voided: false,
                overridden: None,
                undone: false,
            })
        });
        ActScan {
            scan,
            previous: decided,
            ticket: self.act_ticket(number),
        }
    }

    /// The next reply that left.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        (!self.replies.is_empty()).then(|| self.replies.remove(0))
    }

    /// The next reply, which has to be a verdict.
    pub(crate) fn answer(&mut self) -> ScanOutcome {
        match self.reply() {
            Some(Reply::Verdict(answer)) => *answer,
            other => panic!("no verdict but {other:?}"),
        }
    }
}
