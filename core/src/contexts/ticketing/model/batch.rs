//! Rows of a journal that came together.

use eventify_protocol::ids::{IncarnationId, NodeId, VenueId};

/// Rows of one journal file, without gaps. Their chain has been verified by fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) node: NodeId,
    pub(crate) venue: VenueId,
    pub(crate) incarnation: IncarnationId,
    pub(crate) from: u64,
    pub(crate) through: u64,
    /// The rows' exact bytes, in order.
    pub(crate) rows: Vec<Vec<u8>>,
}
