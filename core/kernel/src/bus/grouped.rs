//! Messages of one type that share a transaction.

use std::collections::{BTreeMap, VecDeque};

use lapin::message::Delivery;

use super::registry::Consumers;
use crate::group_commit;

/// Most messages that share a transaction, and of how many bytes: large messages gain nothing.
const MAX_GROUP: usize = 64;
const MAX_GROUP_BYTES: usize = 256 * 1024;
/// Transactions of one event type at once; messages that arrive meanwhile share the next one.
const MAX_GROUPS: usize = 1;

/// Messages that wait for a shared transaction, by event type.
pub(super) struct Grouped(pub(super) BTreeMap<&'static str, group_commit::Queue<Delivery>>);

impl Grouped {
    pub(super) fn of(consumers: &Consumers) -> Self {
        let handlers = consumers.handlers.iter().filter(|it| it.is_grouped);
        let queues = handlers.map(|it| (it.kind, group_commit::Queue::new(MAX_GROUPS)));
        Self(queues.collect())
    }

    /// The queue of a message, by the type that its header names.
    pub(super) fn find(
        &self,
        delivery: &Delivery,
    ) -> Option<(&'static str, &group_commit::Queue<Delivery>)> {
        let kind = delivery.properties.kind().as_ref()?;
        let (kind, queue) = self.0.get_key_value(kind.as_str())?;
        Some((kind, queue))
    }
}

/// Takes as many messages as one transaction should have.
pub(super) fn take_group(waiting: &mut VecDeque<Delivery>) -> Vec<Delivery> {
    let (mut group, mut bytes) = (Vec::new(), 0);
    while group.len() < MAX_GROUP
        && let Some(next) = waiting.front()
        && (group.is_empty() || bytes + next.data.len() <= MAX_GROUP_BYTES)
    {
        bytes += next.data.len();
        group.extend(waiting.pop_front());
    }
    group
}
