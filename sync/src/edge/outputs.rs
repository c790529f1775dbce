//! The queue of outputs, and the randomness and wall time that messages need.

use std::collections::VecDeque;

use eventify_protocol::{ids::MessageId, sync::Up, time::WallTime};

use super::{Alarm, Output, random::Random};

#[derive(Debug)]
pub(super) struct Outputs {
    queue: VecDeque<Output>,
    pub(super) random: Random,
    /// For message ids.
    pub(super) wall: WallTime,
}

impl Outputs {
    pub(super) fn new(entropy: [u8; 32], wall: WallTime) -> Self {
        Self {
            queue: VecDeque::new(),
            random: Random::new(entropy),
            wall,
        }
    }

    pub(super) fn push(&mut self, output: impl Into<Output>) {
        self.queue.push_back(output.into());
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    pub(super) fn alarm(&mut self, alarm: Alarm) {
        self.push(Output::Alarm(alarm));
    }

    pub(super) fn send(&mut self, message: Up) -> MessageId {
        let id = self.random.message_id(self.wall);
        self.push(Output::Send { id, message });
        id
    }
}
