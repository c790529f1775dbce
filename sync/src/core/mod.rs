//! The core's end of the sync protocol, as pure decisions. The core runs them over PostgreSQL while it
//! holds the row locks that each module names; the simulator runs the same code over memory.
//!
//! | module | decides | under the lock of |
//! |---|---|---|
//! | [`admission`] | an online scan, a check-in over REST | the ticket |
//! | [`journal`] | which rows of a batch are taken | the node |
//! | [`reconcile`] | what a journal row changes (`ADMISSION` 7) | the ticket |
//! | [`acts`] | what an act changes, and which passage an entry is of | the ticket |
//! | [`feed`] | positions and digest of new entries | the venue's feed |
//! | [`welcome`] | how a node reaches the feed's head | none |
//! | [`watermark`] | T | none |
//! | [`report`] | the totals of an outage's rows | none |

pub mod acts;
pub mod admission;
mod admission_state;
mod effects;
pub mod feed;
pub mod journal;
mod passages;
pub mod reconcile;
pub mod report;
pub mod sessions;
pub mod watermark;
pub mod welcome;

pub use admission_state::{
    AdmissionState, CheckIn, Conflict, ConflictKind, Evidence, JournalRef, ScanRecord, Shown,
    Validity,
};
pub use effects::Effect;
pub use passages::{EndKind, PassageEnd};
