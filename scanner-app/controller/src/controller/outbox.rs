use std::collections::VecDeque;

use crate::io::{Call, CallId, Output, Write, WriteId};

/// Outputs that wait to be taken, and the numbers of the next ones.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    outputs: VecDeque<Output>,
    calls: u64,
    writes: u64,
    /// The view is another one than when it was last taken.
    changed: bool,
}

impl Outbox {
    pub(super) fn call(&mut self, call: Call) -> CallId {
        self.calls += 1;
        let id = CallId(self.calls);
        self.push(Output::Call(id, call));
        id
    }

    pub(super) fn write(&mut self, write: Write) -> WriteId {
        self.writes += 1;
        let id = WriteId(self.writes);
        self.push(Output::Write(id, write));
        id
    }

    pub(super) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// The view is last: it shows what the outputs before it have begun.
    pub(super) fn poll(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        next.or_else(|| std::mem::take(&mut self.changed).then_some(Output::ViewChanged))
    }
}
