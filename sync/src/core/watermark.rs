//! The content of a sync point (`ADMISSION` 1.1 and 1.3).

use eventify_protocol::{
    ids::{NodeId, VenueId},
    sync::{Digest, Epoch, Nonce, Position, SyncPoint},
    time::CoreTime,
};

/// The state at one moment, read in one `REPEATABLE READ` snapshot on the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    pub epoch: Epoch,
    /// The feed's head.
    pub position: Position,
    pub digest: Digest,
    /// T, see [`truth`].
    pub truth: CoreTime,
    /// C: the snapshot's `now()`.
    pub core: CoreTime,
}

/// T: everything committed before it is in the feed. `pending` has, for each context that feeds the
/// venue, the creation time of its oldest outbox row that the feed does not have yet.
///
/// Rows that this snapshot can't see are committed after its `now()`; a row that it sees holds T back
/// until the feed has it.
#[must_use]
pub fn truth(now: CoreTime, pending: impl IntoIterator<Item = Option<CoreTime>>) -> CoreTime {
    pending.into_iter().flatten().fold(now, CoreTime::min)
}

impl Watermark {
    /// The answer to a node's question, not yet signed.
    #[must_use]
    pub fn answer(&self, nonce: Nonce, node: NodeId, venue: VenueId) -> SyncPoint {
        SyncPoint {
            nonce,
            node,
            venue,
            epoch: self.epoch,
            position: self.position,
            digest: self.digest,
            truth: self.truth,
            core: self.core,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_pending_row_of_any_context_holds_truth_back() {
        let at = CoreTime;
        assert_eq!(truth(at(9), []), at(9));
        assert_eq!(truth(at(9), [None, None]), at(9));
        assert_eq!(truth(at(9), [Some(at(5)), None, Some(at(7))]), at(5));
        assert_eq!(truth(at(9), [Some(at(12))]), at(9), "never later than now");
    }
}
