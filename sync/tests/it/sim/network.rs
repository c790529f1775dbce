//! The line between a node and the core: it drops, repeats, delays, reorders, can be cut in either
//! direction, and may be so narrow that messages wait for each other.

use eventify_protocol::sync::Up;
use eventify_sync::edge::CoreMessage;

use super::{
    clock::{MS, Nanos, S},
    rng::Rng,
};

/// Messages that wait longer than this for a narrow line are dropped.
const LONGEST_WAIT: Nanos = 30 * S;
/// Bytes a second that are enough to be `Online` while a journal goes up.
const AT_REST: u64 = 100_000;
/// Bytes of an envelope, and of what a message has beside its lists.
const ENVELOPE: usize = 140;
/// Bytes of an entry of the feed.
const ENTRY: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) up_cut: bool,
    pub(crate) down_cut: bool,
    /// Of a thousand messages, so many are lost.
    pub(crate) loss: u64,
    /// Of a thousand messages, so many come twice.
    pub(crate) repeat: u64,
    /// Of a thousand messages, so many wait in a queue for seconds.
    pub(crate) stuck: u64,
    pub(crate) slowest: Nanos,
    /// Bytes a second in either direction.
    bandwidth: Option<u64>,
    /// When all that waits before it has passed.
    up_free: Nanos,
    down_free: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

impl Line {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let slowest = [3 * MS, 20 * MS, 80 * MS, 160 * MS][rng.index(4)];
        Self {
            up_cut: false,
            down_cut: false,
            loss: [0, 0, 10, 60][rng.index(4)],
            repeat: [0, 20, 100][rng.index(3)],
            stuck: [0, 0, 15][rng.index(3)],
            slowest,
            bandwidth: [None, None, None, None, Some(3_000), Some(12_000)][rng.index(6)],
            up_free: 0,
            down_free: 0,
        }
    }

    /// As good as a line gets, for the end of a run. A narrow one stays narrow, but a question passes
    /// in time beside what a node may have on the way.
    pub(crate) fn heal(&mut self) {
        *self = Self {
            up_cut: false,
            down_cut: false,
            loss: 0,
            repeat: 0,
            stuck: 0,
            slowest: 20 * MS,
            bandwidth: self.bandwidth.map(|bytes| bytes.max(AT_REST)),
            ..*self
        };
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.up_cut && self.down_cut
    }

    pub(crate) fn is_narrow(&self) -> bool {
        self.bandwidth.is_some()
    }

    /// Another connection: nothing waits.
    pub(crate) fn forget(&mut self, at: Nanos) {
        (self.up_free, self.down_free) = (at, at);
    }

    /// After which delays a message arrives: never, once, or twice.
    pub(crate) fn delays(
        &mut self,
        (direction, at): (Direction, Nanos),
        size: usize,
        rng: &mut Rng,
    ) -> Vec<Nanos> {
        let cut = match direction {
            Direction::Up => self.up_cut,
            Direction::Down => self.down_cut,
        };
        let Some(waits) = self.waits(direction, at, size) else {
            return vec![];
        };
        if cut || rng.permille(self.loss) {
            return vec![];
        }
        let mut delays = vec![waits + self.delay(rng)];
        if rng.permille(self.repeat) {
            delays.push(waits + self.delay(rng));
        }
        delays
    }

    /// How long a message takes to pass, with all that waits before it.
    fn waits(&mut self, direction: Direction, at: Nanos, size: usize) -> Option<Nanos> {
        let Some(bandwidth) = self.bandwidth else {
            return Some(0);
        };
        let free = match direction {
            Direction::Up => &mut self.up_free,
            Direction::Down => &mut self.down_free,
        };
        let begins = at.max(*free);
        if begins - at > LONGEST_WAIT {
            return None;
        }
        *free = begins + size as u64 * S / bandwidth;
        Some(*free - at)
    }

    fn delay(&self, rng: &mut Rng) -> Nanos {
        if rng.permille(self.stuck) {
            return rng.between(300 * MS, 30 * S);
        }
        rng.between(MS, MS + self.slowest)
    }
}

/// About how many bytes a message has.
pub(crate) fn size_up(message: &Up) -> usize {
    ENVELOPE
        + match message {
            Up::Journal(batch) => batch.rows.iter().map(|row| row.len()).sum(),
            Up::Scan(scan) => scan.token.len() + 16 * scan.replaces.len(),
            Up::Hello(_)
            | Up::Ask(_)
            | Up::Health(_)
            | Up::Pull(_)
            | Up::Scanners(_)
            | Up::Staff(_) => 0,
        }
}

pub(crate) fn size_down(message: &CoreMessage) -> usize {
    ENVELOPE
        + match message {
            CoreMessage::Delta(delta) => ENTRY * delta.entries.len(),
            CoreMessage::Chunk(chunk) => chunk.bytes.len(),
            CoreMessage::Welcome(_)
            | CoreMessage::Point(_)
            | CoreMessage::Verdict(_)
            | CoreMessage::JournalAck(_)
            | CoreMessage::ForShell
            | CoreMessage::Config(_)
            | CoreMessage::SnapshotGone(_) => 0,
        }
}
