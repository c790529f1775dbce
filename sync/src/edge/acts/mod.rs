//! What people do at a gate beside scanning (`ADMISSION` 3.13 to 3.15): decided here, written down before the
//! answer leaves, and never anything in `Locked`.
//!
//! | file | what |
//! |---|---|
//! | [`request`] | what is asked, and answered |
//! | [`overriding`] | a supervisor lets in whom a scan has refused |
//! | [`undoing`] | a supervisor takes back the newest admission of a scanner |
//! | [`leaving`] | a guest leaves, and may come back |
//!
//! Deliberately absent: who the person is and whether they may. The shell asks that before.

mod leaving;
mod overriding;
mod request;
mod undoing;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use eventify_protocol::{
    ids::{ActId, ScanId, ScannerId, TicketId},
    sync::{ActBy, GateChanged, JournalEntry, Moment},
    time::BootTime,
    verdict::Mode,
};

use super::{Machine, Now, Previous, Reply, RequestId, overlay::Admission, replica::Replica};

pub use request::{ActKind, ActOutcome, ActRefusal, ActRequest, ActScan, ActTicket, DoneAct};

/// Acts that a person can have done within the hour and that are counted: as many as a venue may set.
pub const MAX_RECENT_ACTS: usize = eventify_protocol::sync::MAX_ACTS_PER_HOUR as usize;
/// The hour.
const LIMITED_WITHIN: Duration = Duration::from_secs(3_600);
/// Acts that are remembered beside the journal: the shell may have read it before they were written.
const MAX_REMEMBERED: usize = 1_024;
/// Most acts that wait for the disk.
const MAX_PENDING_ACTS: usize = 64;

/// An act on its way to the disk.
#[derive(Debug)]
struct PendingAct {
    request: ActRequest,
    /// Further requests that wait for it.
    others: Vec<RequestId>,
    /// The cache decided: its age is checked again after the fsync.
    is_from_cache: bool,
    /// Whoever asked first was told to ask again.
    is_given_up: bool,
}

/// The newest admission that a scanner has shown.
#[derive(Clone, Copy, Debug)]
struct Newest {
    scan: ScanId,
    /// None of a code that only the core knows.
    ticket: Option<TicketId>,
    at: BootTime,
}

/// All acts.
#[derive(Debug, Default)]
pub(super) struct Acts {
    /// By row.
    writing: BTreeMap<u64, PendingAct>,
    recent: BTreeMap<ActId, DoneAct>,
    recent_order: VecDeque<ActId>,
    newest: BTreeMap<ScannerId, Newest>,
}

impl Acts {
    fn remember(&mut self, act: ActId, done: DoneAct) {
        if self.recent.insert(act, done).is_none() {
            self.recent_order.push_back(act);
        }
        while self.recent_order.len() > MAX_REMEMBERED {
            let oldest = self.recent_order.pop_front();
            oldest.and_then(|act| self.recent.remove(&act));
        }
    }

    /// It was taken back before anybody was shown that it was done.
    fn forget(&mut self, act: ActId) {
        self.recent.remove(&act);
        self.recent_order.retain(|other| *other != act);
    }
}

impl Replica {
    /// A row that was read before entries which were applied since is none to decide by.
    fn is_current(&self, ticket: &ActTicket) -> bool {
        ticket.position >= self.applied()
    }
}

impl Machine {
    /// Whether a row of an act is on its way to the disk: another request with its id gets the same answer.
    #[must_use]
    pub fn is_acting(&self, act: ActId) -> bool {
        let mut writing = self.acts.writing.values();
        writing.any(|pending| pending.request.act == act)
    }

    pub(super) fn on_act(&mut self, request: ActRequest, now: Now) {
        let recent = self.acts.recent.get(&request.act);
        if let Some(done) = recent.or(request.previous.as_ref()).cloned() {
            return self.repeat_act(&request, &done, now);
        }
        let is_full = self.acts.writing.len() >= MAX_PENDING_ACTS;
        if is_full || self.journal.is_forking() || self.is_journal_held() {
            return self.reply(request.request, Reply::Overloaded);
        }
        match self.decide_act(&request, now) {
            Ok(entry) => self.write_act(request, entry, now),
            Err(refusal) => self.reply(request.request, Reply::ActRefused(refusal)),
        }
    }

    fn repeat_act(&mut self, request: &ActRequest, done: &DoneAct, now: Now) {
        if !request.is(done) {
            return self.reply(request.request, Reply::ActRefused(ActRefusal::IdReused));
        }
        let is_held = self.is_journal_held();
        let mut writing = self.acts.writing.values_mut();
        if let Some(pending) = writing.find(|pending| pending.request.act == request.act) {
            if is_held {
                return self.reply(request.request, Reply::Overloaded);
            }
            return pending.others.push(request.request);
        }
        let left = self.acts_left(request, now);
        let outcome = self.act_outcome(done, request.ticket(), (true, left));
        self.reply(request.request, Reply::Act(Box::new(outcome)));
    }

    /// The row that is to be written, by the tests as they hold now.
    fn decide_act(&self, request: &ActRequest, now: Now) -> Result<JournalEntry, ActRefusal> {
        let mode = self.node_state(now).ruling().mode;
        if !matches!(mode, Mode::Online | Mode::Degraded) {
            return Err(ActRefusal::Locked);
        }
        if request.needs_reason() {
            self.may_act(request, now)?;
        }
        if self.replica.gate_of(self.node, request.gate).is_none() {
            return Err(ActRefusal::GateNotAllowed);
        }
        let by = request.by(mode);
        Ok(match &request.kind {
            ActKind::Override(about) => {
                JournalEntry::Overridden(self.decide_override(by, about, now)?)
            }
            ActKind::Undo(about) => JournalEntry::Undone(self.decide_undo(by, about, now)?),
            ActKind::Exit(ticket) => JournalEntry::Left(self.decide_exit(by, ticket.as_ref())?),
            ActKind::ChangeGate { from } => {
                JournalEntry::GateChanged(GateChanged { by, from: *from })
            }
        })
    }

    fn write_act(&mut self, request: ActRequest, entry: JournalEntry, now: Now) {
        let at = self.moment(now);
        let seq = self.journal.append(entry.clone(), at, &mut self.outputs);
        let mut is_from_cache = false;
        match &entry {
            JournalEntry::Overridden(act) => {
                is_from_cache = act.by.mode == Mode::Degraded;
                let admission = Admission::by_override(act, seq, at);
                self.overlay.insert(act.ticket, admission);
                self.mark(&request, |previous| previous.overridden = Some(at));
            }
            JournalEntry::Undone(act) => {
                self.overlay.undo(act.ticket, act.scan, seq);
                self.mark(&request, |previous| previous.undone = true);
                self.acts.newest.remove(&act.by.scanner);
            }
            JournalEntry::Left(act) => {
                self.overlay.leave(act.ticket, act.entry, seq);
                self.counts.entry(act.by.gate).or_default().left += 1;
                self.counts_changed = true;
            }
            JournalEntry::GateChanged(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_) => {}
        }
        self.acts.remember(request.act, DoneAct { entry, at });
        let pending = PendingAct {
            request,
            others: vec![],
            is_from_cache,
            is_given_up: false,
        };
        self.acts.writing.insert(seq, pending);
    }

    fn mark(&mut self, request: &ActRequest, change: impl FnOnce(&mut Previous)) {
        if let ActKind::Override(about) | ActKind::Undo(about) = &request.kind {
            self.scans.mark(about, change);
        }
    }

    /// Rows are on disk: the answers of their acts may leave, if the cache may still decide.
    pub(super) fn release_acts(&mut self, through: u64, now: Now) {
        let later = self.acts.writing.split_off(&(through + 1));
        let written = std::mem::replace(&mut self.acts.writing, later);
        for (row, pending) in written {
            let request = pending.request;
            let Some(done) = self.acts.recent.get(&request.act).cloned() else {
                continue;
            };
            let taken_back =
                pending.is_from_cache && self.node_state(now).cache_may_decide().is_err();
            let reply = if taken_back {
                self.take_act_back(row, &request, &done, now);
                Reply::ActRefused(ActRefusal::Locked)
            } else {
                self.register_newest(&done);
                let left = self.acts_left(&request, now);
                let outcome = self.act_outcome(&done, request.ticket(), (false, left));
                Reply::Act(Box::new(outcome))
            };
            let first = (!pending.is_given_up).then_some(request.request);
            for request in pending.others.into_iter().chain(first) {
                self.reply(request, reply.clone());
            }
        }
    }

    /// The journal is held: whoever waits is to ask again. Nobody is let in by an act of which nobody was
    /// told that it is done; the others are done when their rows are on disk, whether asked again or not.
    pub(super) fn give_up_on_acts(&mut self, now: Now) {
        for (row, mut pending) in std::mem::take(&mut self.acts.writing) {
            let first = (!pending.is_given_up).then_some(pending.request.request);
            for request in pending.others.drain(..).chain(first) {
                self.reply(request, Reply::Overloaded);
            }
            let done = self.acts.recent.get(&pending.request.act).cloned();
            if done.is_some_and(|done| self.void_override(row, &pending.request, &done, now)) {
                continue;
            }
            pending.is_given_up = true;
            self.acts.writing.insert(row, pending);
        }
    }

    fn register_newest(&mut self, done: &DoneAct) {
        if let JournalEntry::Overridden(act) = &done.entry {
            let newest = Newest {
                scan: act.scan,
                ticket: Some(act.ticket),
                at: done.at.boottime,
            };
            self.acts.newest.insert(act.by.scanner, newest);
        }
    }

    /// A scanner has shown `Admit`.
    pub(super) fn register_admission(
        &mut self,
        scanner: ScannerId,
        (scan, ticket): (ScanId, Option<TicketId>),
        at: BootTime,
    ) {
        self.acts
            .newest
            .insert(scanner, Newest { scan, ticket, at });
    }

    /// How long ago this scanner has let in this ticket, if nobody has come to it since.
    pub(super) fn let_in_ago(
        &self,
        scanner: ScannerId,
        ticket: TicketId,
        now: Now,
    ) -> Option<Duration> {
        let newest = self.acts.newest.get(&scanner)?;
        (newest.ticket == Some(ticket)).then(|| now.boottime.since(newest.at))
    }

    fn act_outcome(
        &self,
        done: &DoneAct,
        ticket: Option<&ActTicket>,
        (repeated, left): (bool, u32),
    ) -> ActOutcome {
        let by = done.entry.act().expect("it is a row of an act");
        ActOutcome {
            act: by.act,
            person: by.person,
            at: done.at.core.map(|core| core.middle()),
            mode: by.mode,
            ticket: ticket.map(|ticket| self.shown_ticket(&ticket.scanned())),
            repeated,
            left_this_hour: left,
        }
    }

    /// Whether the person has acts left within the hour.
    fn may_act(&self, request: &ActRequest, now: Now) -> Result<(), ActRefusal> {
        let counted = self.count_acts(request, now);
        let most = usize::try_from(self.replica.acts_per_hour()).unwrap_or(usize::MAX);
        match counted.len().checked_sub(most) {
            // That many of the oldest have to be an hour old before the next.
            Some(over) => {
                let since = counted.get(over).copied().unwrap_or_default();
                Err(ActRefusal::TooMany(LIMITED_WITHIN.saturating_sub(since)))
            }
            None => Ok(()),
        }
    }

    fn acts_left(&self, request: &ActRequest, now: Now) -> u32 {
        let counted = u32::try_from(self.count_acts(request, now).len()).unwrap_or(u32::MAX);
        self.replica.acts_per_hour().saturating_sub(counted)
    }

    /// How long ago the person did acts that need a reason within the hour, the oldest first: by the
    /// journal, and by what is on its way there. One of which that can't be said counts as just done.
    fn count_acts(&self, request: &ActRequest, now: Now) -> Vec<Duration> {
        let mut moments: BTreeMap<ActId, Moment> = request.recent.iter().copied().collect();
        for (act, done) in &self.acts.recent {
            let is_counted = |by: &ActBy| by.person == request.person && by.reason.is_some();
            if done.entry.act().is_some_and(is_counted) {
                moments.insert(*act, done.at);
            }
        }
        let since = moments.values();
        let since = since.map(|at| self.since(at, now).unwrap_or_default());
        let mut since: Vec<Duration> = since.filter(|since| *since < LIMITED_WITHIN).collect();
        since.sort_unstable_by(|one, other| other.cmp(one));
        since
    }
}
