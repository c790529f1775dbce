//! From the edge node to the core.

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    ids::{BootId, GateId, IncarnationId, ScanId, ScannerId, SessionId, SnapshotId},
    lan::JournalFault,
    short_code::CodeHash,
    sync::{Digest, Epoch, JournalHead, Nonce, Position, ScannersReport, StaffAsk},
    time::CoreTime,
    verdict::Mode,
};

/// A message to the core.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Up {
    /// "Here I am, this is what I hold": answered by `Welcome` and what its plan names.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// "What is true now?": answered by a signed sync point.
    #[n(1)]
    Ask(#[n(0)] Ask),
    /// "Decide this scan": answered by `Verdict`.
    #[n(2)]
    Scan(#[n(0)] Scan),
    /// Journal rows, in order: answered by `JournalAck`.
    #[n(3)]
    Journal(#[n(0)] JournalBatch),
    /// How the node is; not answered.
    #[n(4)]
    Health(#[n(0)] Health),
    /// "Send these chunks of the snapshot": answered by `Chunk`s.
    #[n(5)]
    Pull(#[n(0)] Pull),
    /// "These scanners are paired with me": answered by `Config` with what the core holds of it.
    #[n(6)]
    Scanners(#[n(0)] ScannersReport),
    /// "Somebody signs in with the identity provider": answered by `Staff`.
    #[n(7)]
    Staff(#[n(0)] StaffAsk),
}

/// See [`Up::Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Hello {
    /// The node's boot.
    #[n(0)]
    pub boot: BootId,
    /// The epoch of its replica, if it has one.
    #[n(1)]
    pub epoch: Option<Epoch>,
    /// The replica's position; 0 if it has none.
    #[n(2)]
    pub head: Position,
    /// The replica's digest there.
    #[n(3)]
    pub digest: Option<Digest>,
    /// Digest algorithms that it speaks.
    #[n(4)]
    pub algorithms: Vec<u8>,
    /// The end of its journal.
    #[n(5)]
    pub journal: JournalHead,
    /// Version of its software.
    #[n(6)]
    pub software: String,
    /// This run of its process.
    #[n(7)]
    pub session: Option<SessionId>,
    /// It was sent certainly after this time of the core, if the node can prove any.
    #[n(8)]
    pub sent_after: Option<CoreTime>,
}

/// See [`Up::Ask`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Ask {
    /// Random, never used twice.
    #[n(0)]
    pub nonce: Nonce,
}

/// See [`Up::Scan`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Scan {
    /// The scan.
    #[n(0)]
    pub scan: ScanId,
    /// Who scanned.
    #[n(1)]
    pub scanner: ScannerId,
    /// Where.
    #[n(2)]
    pub gate: GateId,
    /// The token's text; empty where a short code stands for it.
    #[n(3)]
    pub token: String,
    /// In core time: from then on nobody waits for the answer, and nothing may change
    /// (`ADMISSION` 3.3).
    #[n(4)]
    pub deadline: CoreTime,
    /// Earlier scans of this ticket for which this node showed no `Admit` and never will.
    #[n(5)]
    pub replaces: Vec<ScanId>,
    /// The hash of the short code that was typed in place of a token, at the node's venue.
    #[n(6)]
    pub code: Option<CodeHash>,
}

crate::debug_without_secrets! {
    Scan { scan, scanner, gate, deadline, replaces },
}

/// See [`Up::Journal`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct JournalBatch {
    /// Which file.
    #[n(0)]
    pub incarnation: IncarnationId,
    /// Sequence number of the first row.
    #[n(1)]
    pub from: u64,
    /// The rows' exact bytes, in order, without gaps.
    #[n(2)]
    pub rows: Vec<ByteVec>,
}

impl JournalBatch {
    /// No journal grows so long, and a database counts no further.
    pub const MAX_SEQ: u64 = i64::MAX.cast_unsigned();

    /// The numbers of its rows; of those beyond [`Self::MAX_SEQ`] there are none.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        (self.from..=Self::MAX_SEQ).take(self.rows.len())
    }

    /// The number of its last row, if all of them have one.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        let more = u64::try_from(self.rows.len()).ok()?.checked_sub(1)?;
        let last = self.from.checked_add(more)?;
        (last <= Self::MAX_SEQ).then_some(last)
    }
}

/// See [`Up::Health`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Health {
    /// The mode.
    #[n(0)]
    pub mode: Mode,
    /// Age of the cache, if it has one.
    #[n(1)]
    pub cache_age_ms: Option<u64>,
    /// The replica's position.
    #[n(2)]
    pub head: Position,
    /// Journal rows that the core has not acknowledged.
    #[n(3)]
    pub unacknowledged: u64,
    /// Bytes that the journal can still take: the smaller of what its limit and the disk leave.
    #[n(4)]
    pub free_bytes: u64,
    /// Version of its software.
    #[n(5)]
    pub software: String,
    /// Another number whenever the mode has changed: an outage between two reports that both say
    /// `Online` shows in it. None from a release that does not count.
    #[n(6)]
    pub mode_number: Option<u32>,
    /// Texts that are no tickets, since its start; none from a release that does not count them.
    #[n(7)]
    pub unreadable: Option<u64>,
    /// Why its journal takes no row: every new scan is answered with `NodeFault`. None from a release that does
    /// not say.
    #[n(8)]
    pub journal_fault: Option<JournalFault>,
}

/// See [`Up::Pull`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Pull {
    /// Which snapshot.
    #[n(0)]
    pub snapshot: SnapshotId,
    /// The first chunk wanted, from 0.
    #[n(1)]
    pub from: u32,
    /// How many from there.
    #[n(2)]
    pub count: u32,
}
