//! Passages of a ticket (`ADMISSION` 7.4): a guest who leaves ends one, and so does whoever undoes its only
//! entry, and a show that broke off and is played again. What arrives late belongs to the passage in which
//! it happened.

use eventify_protocol::{
    ids::ScanId,
    time::{CoreInterval, CoreTime},
};

use super::{AdmissionState, CheckIn, Conflict, Effect, Evidence, JournalRef};

/// How a passage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// The guest left and may come back.
    Left,
    /// Its only entry was undone: nobody went in.
    Undone,
    /// The show was moved after it had begun to admit.
    Restarted,
}

/// A passage that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassageEnd {
    pub passage: i32,
    pub kind: EndKind,
    /// When, as far as that is known.
    pub at: CoreInterval,
    /// The row that says so; none if the show was moved.
    pub source: Option<JournalRef>,
    /// Its check-in.
    pub first: CheckIn,
}

/// To which passage an entry belongs that arrives now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Present,
    /// The show was moved since: this entry begins the next passage.
    Next,
    /// It was before this end.
    Earlier(PassageEnd),
    /// It was before the show was moved, and no passage of then is known.
    Past,
}

impl PassageEnd {
    /// Whether an entry was certainly before it.
    fn is_after(&self, entry: &CheckIn) -> bool {
        match self.in_journal_of(entry) {
            Some((own, other)) => other < own,
            None => entry.at.is_before(&self.at),
        }
    }

    /// Whether an entry was certainly behind it.
    fn is_before(&self, entry: &CheckIn) -> bool {
        match self.in_journal_of(entry) {
            Some((own, other)) => own < other,
            None => self.at.is_before(&entry.at),
        }
    }

    /// Both rows, if they are in one file.
    fn in_journal_of(&self, entry: &CheckIn) -> Option<(u64, u64)> {
        let (own, other) = self.source.zip(entry.evidence.row())?;
        let is_same = (own.node, own.incarnation) == (other.node, other.incarnation);
        is_same.then_some((own.seq, other.seq))
    }
}

impl Evidence {
    /// The journal row, if it is one.
    #[must_use]
    pub fn row(&self) -> Option<JournalRef> {
        match self {
            Self::Journal(row) | Self::Override(row) => Some(*row),
            Self::Unconfirmed | Self::Api => None,
        }
    }
}

impl AdmissionState {
    /// All entries of the present passage.
    pub(super) fn entries(&self) -> impl Iterator<Item = &CheckIn> {
        let conflicts = self.conflicts.iter().map(|conflict| &conflict.entry);
        self.check_in.iter().chain(conflicts)
    }

    /// Where an entry belongs that somebody was shown.
    pub(super) fn place(&self, entry: &CheckIn) -> Place {
        if self.has_entry(entry.scan) {
            return Place::Present;
        }
        let is_end = |end: &&PassageEnd| end.kind != EndKind::Undone && end.is_after(entry);
        if let Some(end) = self.ended.iter().find(is_end) {
            return Place::Earlier(*end);
        }
        let eras = self.restarts_at.zip(self.check_in);
        match eras.map(|(at, first)| (first.is_of_before(at), entry.is_of_before(at))) {
            Some((true, false)) => Place::Next,
            Some((false, true)) => Place::Past,
            Some((true, true) | (false, false)) | None => Place::Present,
        }
    }

    /// The effects of an end, and whose entries are over with it. What was certainly behind it goes on
    /// in the next passage.
    pub(super) fn end(
        &self,
        kind: EndKind,
        (at, source): (CoreInterval, JournalRef),
    ) -> (Vec<Effect>, Vec<ScanId>) {
        let Some(first) = self.check_in else {
            return (vec![], vec![]);
        };
        let end = PassageEnd {
            passage: self.passage,
            kind,
            at,
            source: Some(source),
            first,
        };
        let mut after = self.clone();
        after.apply(&Effect::EndPassage(end));
        let over = self.entries().map(|entry| entry.scan);
        let over = over.filter(|scan| !after.has_entry(*scan)).collect();
        let first = super::admission_state::first_of(after.entries());
        let promoted = first.map(|entry| Effect::Promote { scan: entry.scan });
        let effects = [Effect::EndPassage(end)].into_iter().chain(promoted);
        (effects.collect(), over)
    }

    /// Applies an end.
    pub(super) fn end_passage(&mut self, end: &PassageEnd) {
        let goes_on = |entry: &CheckIn| end.kind == EndKind::Left && end.is_before(entry);
        let first = self.check_in.take().filter(goes_on);
        self.conflicts.retain(|conflict| goes_on(&conflict.entry));
        self.conflicts.extend(first.map(Conflict::later));
        self.passage += 1;
        self.ended.push(*end);
    }

    /// Applies the first entry since the show was moved.
    pub(super) fn restart(&mut self, entry: CheckIn) {
        if let Some(first) = self.check_in {
            let at = self.restarts_at.unwrap_or(entry.at.earliest);
            self.end_passage(&PassageEnd {
                passage: self.passage,
                kind: EndKind::Restarted,
                at: CoreInterval::exact(at),
                source: None,
                first,
            });
        }
        self.check_in = Some(entry);
    }
}

impl CheckIn {
    /// Before the show was moved. By its earliest time, which is what gates have of it.
    pub(super) fn is_of_before(&self, restarts_at: CoreTime) -> bool {
        self.at.earliest < restarts_at
    }
}
