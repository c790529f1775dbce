//! Scans that are not what they say. Each costs an event and a row for ever, and whoever sends one can
//! send a million.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use eventify_protocol::ids::NodeId;

/// Of one node and reason, one suspicion is published in this time.
const EVERY: Duration = Duration::from_secs(60);
/// More than these at once are forgotten when they are over.
const MAX_KNOWN: usize = 10_000;

/// When a process has last published one.
#[derive(Debug, Default)]
pub(crate) struct Suspicions(Mutex<HashMap<(Option<NodeId>, &'static str), Instant>>);

impl Suspicions {
    /// Whether one is to be published now. Then it counts as published.
    pub(crate) fn is_due(&self, node: Option<NodeId>, code: &'static str, now: Instant) -> bool {
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= EVERY;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.retain(|_, at| !is_over(at));
        }
        match known.get(&(node, code)) {
            Some(at) if !is_over(at) => false,
            Some(_) | None => {
                known.insert((node, code), now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use eventify_kernel::clock::Clock;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_million_bad_scans_of_one_node_are_one_suspicion_a_minute() {
        let suspicions = Suspicions::default();
        let (start, node) = (Clock::system().instant(), Some(NodeId(Uuid::from_u128(1))));
        let due =
            |code, seconds| suspicions.is_due(node, code, start + Duration::from_secs(seconds));
        assert!(due("message_malformed", 0));
        assert!((0..60).all(|second| !due("message_malformed", second)));
        assert!(due("uplink_sender_mismatch", 1), "another reason");
        assert!(
            suspicions.is_due(None, "message_malformed", start),
            "another sender"
        );
        assert!(due("message_malformed", 60));
    }
}
