//! The core's end: pure decisions. The core runs them over PostgreSQL while it holds the row locks
//! that each function names; the simulator runs the same code over memory.
//!
//! | module | decides | under the lock of |
//! |---|---|---|
//! | [`admission`] | an online scan, a check-in over REST | the ticket |
//! | [`journal`] | which rows of a batch are taken | the node |
//! | [`reconcile`] | what a journal row changes (`ADMISSION` 7) | the ticket |
//! | [`feed`] | positions and digest of new entries | the venue's feed |
//! | [`welcome`] | how a node gets to the feed's head | none |
//! | [`watermark`] | T | none |
//! | [`report`] | what an outage's rows add up to | none |

pub mod admission;
pub mod feed;
pub mod journal;
pub mod reconcile;
pub mod report;
mod standing;
pub mod watermark;
pub mod welcome;

pub use standing::{
    CheckIn, Conflict, ConflictKind, Effect, Evidence, Place, ScanRecord, Shown, Standing,
};
