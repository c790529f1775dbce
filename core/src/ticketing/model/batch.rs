//! Rows of a journal that came together.

use eventify_protocol::ids::{IncarnationId, NodeId, VenueId};

/// Rows of one journal file, without gaps. Their chain has been verified by fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ticketing) struct Batch {
    pub(in crate::ticketing) node: NodeId,
    pub(in crate::ticketing) venue: VenueId,
    pub(in crate::ticketing) incarnation: IncarnationId,
    pub(in crate::ticketing) from: u64,
    pub(in crate::ticketing) through: u64,
    /// The rows' exact bytes, in order.
    pub(in crate::ticketing) rows: Vec<Vec<u8>>,
}
