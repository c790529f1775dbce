//! The answer to a scan: the same closed set of words on every hop and screen.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{GateId, PerformanceId},
    time::CoreTime,
};

/// What staff are shown for one scan.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// Let the guest in.
    #[n(0)]
    Admit,
    /// The ticket was used before.
    #[n(1)]
    AlreadyUsed {
        /// Where and when.
        #[n(0)]
        first: FirstEntry,
    },
    /// The ticket was taken back: refunded, cancelled, replaced.
    #[n(2)]
    Revoked,
    /// A good ticket, but not for this gate and what is played behind it.
    #[n(3)]
    NotValidHere {
        /// The gate that asked.
        #[n(0)]
        gate: GateId,
        /// The performance that the ticket is for.
        #[n(1)]
        performance: PerformanceId,
    },
    /// Too early.
    #[n(4)]
    NotYet {
        /// Admitted from this time on, Unix seconds.
        #[n(0)]
        not_before: i64,
    },
    /// Too late.
    #[n(5)]
    Expired {
        /// Admitted until this time, Unix seconds.
        #[n(0)]
        expiry: i64,
    },
    /// No token at all, or a damaged one.
    #[n(6)]
    Unreadable,
    /// A token that no key of ours has signed.
    #[n(7)]
    Forged,
    /// The core is out of reach and the cache does not know the ticket.
    #[n(8)]
    UnknownOffline,
    /// The cache may not decide; the core has to be reached first.
    #[n(9)]
    ResyncRequired,
    /// Not decided; scan again.
    #[n(10)]
    TryAgain,
    /// The node itself has failed: a disk is full or broken.
    #[n(11)]
    NodeFault,
}

/// The check-in that made a ticket used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct FirstEntry {
    /// The gate of the first entry.
    #[n(0)]
    pub gate: GateId,
    /// Its time, as well as it is known.
    #[n(1)]
    pub at: CoreTime,
    /// Whether the node's journal has said that `Admit` was shown (`ADMISSION` 3.4). If not, a
    /// supervisor decides.
    #[n(2)]
    pub confirmed: bool,
}

/// Under which rule a node works (`ADMISSION` section 2).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize, PartialOrd, Ord,
)]
#[cbor(index_only)]
pub enum Mode {
    /// The core decides.
    #[n(0)]
    Online,
    /// The edge decides from its cache, within the limit.
    #[n(1)]
    Degraded,
    /// Nobody decides.
    #[n(2)]
    Locked,
    /// The core is back; journal and feed are catching up. Scans are judged by the tests of the
    /// other modes meanwhile.
    #[n(3)]
    Resyncing,
}

/// Who decided a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
pub enum DecidedBy {
    /// The core, from its own rows.
    #[n(0)]
    Core,
    /// The edge node, from its cache and journal, or because the token itself was bad.
    #[n(1)]
    Edge,
}

impl Verdict {
    /// A final verdict stands: the same scan asked again is answered the same. The others are
    /// decided afresh (`ADMISSION` 3.2).
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Admit
            | Self::AlreadyUsed { .. }
            | Self::Revoked
            | Self::NotValidHere { .. }
            | Self::NotYet { .. }
            | Self::Expired { .. }
            | Self::Unreadable
            | Self::Forged => true,
            Self::UnknownOffline | Self::ResyncRequired | Self::TryAgain | Self::NodeFault => false,
        }
    }

    /// Whether the core or the node has looked at the ticket and said what becomes of its guest.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        !matches!(
            self,
            Self::ResyncRequired | Self::TryAgain | Self::NodeFault
        )
    }

    /// The word itself, as in JSON, for logs, metrics and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Admit => "Admit",
            Self::AlreadyUsed { .. } => "AlreadyUsed",
            Self::Revoked => "Revoked",
            Self::NotValidHere { .. } => "NotValidHere",
            Self::NotYet { .. } => "NotYet",
            Self::Expired { .. } => "Expired",
            Self::Unreadable => "Unreadable",
            Self::Forged => "Forged",
            Self::UnknownOffline => "UnknownOffline",
            Self::ResyncRequired => "ResyncRequired",
            Self::TryAgain => "TryAgain",
            Self::NodeFault => "NodeFault",
        }
    }
}
