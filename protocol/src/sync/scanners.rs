//! The scanners paired with a node, as the core lists them, and what venue IT orders there.
//!
//! A node reports its whole list whenever it changes, in as many messages as it takes, until the core
//! names its revision in `Config`. The core repeats an order until the node reports its number.

use minicbor::{Decode, Encode};

use crate::{
    ids::{GateId, ScannerId},
    time::CoreTime,
};

/// Scanners paired with one node at once.
pub const MAX_SCANNERS: usize = 256;

/// Scanners, or orders about them, in one message: with the longest labels and lists of gates it is
/// still under `MAX_MESSAGE_BYTES`.
pub const MAX_SCANNERS_A_MESSAGE: usize = 32;

/// A part of a node's list. See `Up::Scanners`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScannersReport {
    /// Of the list: a later one is greater.
    #[n(0)]
    pub revision: u64,
    /// Scanners in all parts of this revision.
    #[n(1)]
    pub total: u32,
    /// Number of the last order that the node has carried out; 0 for none.
    #[n(2)]
    pub last_order: u64,
    /// At most [`MAX_SCANNERS_A_MESSAGE`].
    #[n(3)]
    pub scanners: Vec<ScannerState>,
}

/// One scanner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScannerState {
    /// Its id at the node, never used again.
    #[n(0)]
    pub scanner: ScannerId,
    /// The staff's name for it.
    #[n(1)]
    pub label: String,
    /// The gates that it may scan for.
    #[n(2)]
    pub gates: ScannerGates,
    /// None if a release before has paired it. By the core's time where the node can prove one, else by
    /// its own clock.
    #[n(3)]
    pub paired_at: Option<CoreTime>,
    /// Its last request, about an hour coarse; none since a release that does not note it. By the same
    /// clock.
    #[n(4)]
    pub last_seen: Option<CoreTime>,
}

/// Gates of a scanner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ScannerGates {
    /// All gates of its node, also later ones.
    #[n(0)]
    All,
    /// These.
    #[n(1)]
    Only(#[n(0)] Vec<GateId>),
}

/// See `Config::scanners`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScannerOrders {
    /// The newest revision of the node's list that the core holds whole; 0 for none.
    #[n(0)]
    pub revision: u64,
    /// Those that the node has not reported yet, in order, at most [`MAX_SCANNERS_A_MESSAGE`].
    #[n(1)]
    pub orders: Vec<ScannerOrder>,
}

/// What venue IT wants of one scanner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScannerOrder {
    /// From 1, for each node; a node carries each out once.
    #[n(0)]
    pub number: u64,
    /// Which scanner. One that the node does not have changes nothing.
    #[n(1)]
    pub scanner: ScannerId,
    /// What.
    #[n(2)]
    pub change: ScannerChange,
}

/// See [`ScannerOrder::change`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum ScannerChange {
    /// It may do nothing more.
    #[n(0)]
    Unpair,
    /// Another label, other gates; what is none stays.
    #[n(1)]
    Edit {
        /// 1 to 64 characters.
        #[n(0)]
        label: Option<String>,
        /// The gates that it may scan for from now on.
        #[n(1)]
        gates: Option<ScannerGates>,
    },
}
