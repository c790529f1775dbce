//! The line between a node and the core: it drops, repeats, delays, reorders, and can be cut in
//! either direction.

use super::{
    clock::{MS, Nanos, S},
    rng::Rng,
};

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
        }
    }

    /// As good as a line gets, for the end of a run.
    pub(crate) fn heal(&mut self) {
        *self = Self {
            up_cut: false,
            down_cut: false,
            loss: 0,
            repeat: 0,
            stuck: 0,
            slowest: 20 * MS,
        };
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.up_cut && self.down_cut
    }

    /// After which delays a message arrives: never, once, or twice.
    pub(crate) fn delays(&self, direction: Direction, rng: &mut Rng) -> Vec<Nanos> {
        let cut = match direction {
            Direction::Up => self.up_cut,
            Direction::Down => self.down_cut,
        };
        if cut || rng.permille(self.loss) {
            return vec![];
        }
        let mut delays = vec![self.delay(rng)];
        if rng.permille(self.repeat) {
            delays.push(self.delay(rng));
        }
        delays
    }

    fn delay(&self, rng: &mut Rng) -> Nanos {
        if rng.permille(self.stuck) {
            return rng.between(300 * MS, 30 * S);
        }
        rng.between(MS, MS + self.slowest)
    }
}
