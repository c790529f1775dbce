//! On a machine that is busy with other things the core may be late where a row needs it in time. Then the
//! row's order of arrival does not come about, and nothing can be said about it: it is played again.

use std::fmt;

use anyhow::Result;
use eventify_protocol::{lan::ScanAnswer, verdict::DecidedBy};
use eventify_stack::Direction;

use super::{ArrivalOrders, DELTA, JOURNAL, NORTH, SCAN, VERDICT};
use crate::world::customer::Ticket;

/// How often a row is played in which the core has to answer in time.
const TRIES: usize = 5;

/// The core was to answer in time and did not, so the order of arrival of this row did not come about.
#[derive(Debug)]
pub(super) struct CoreWasLate;

impl fmt::Display for CoreWasLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the core did not answer a scan in time, {TRIES} times")
    }
}

impl std::error::Error for CoreWasLate {}

impl ArrivalOrders<'_> {
    /// Plays a row, with another ticket as long as its order of arrival does not come about.
    pub(super) async fn play(&mut self, row: impl AsyncFn(&mut Self) -> Result<()>) -> Result<()> {
        for _ in 1..TRIES {
            match row(self).await {
                Err(error) if error.is::<CoreWasLate>() => {
                    self.story.note("the core was late: once more");
                    self.let_all_pass().await?;
                }
                end => return end,
            }
        }
        row(self).await
    }

    async fn let_all_pass(&self) -> Result<()> {
        for (direction, kind) in [(Direction::Up, SCAN), (Direction::Up, JOURNAL)] {
            self.proxy.release(direction, kind);
        }
        self.proxy.discard(Direction::Down, VERDICT);
        self.proxy.release(Direction::Down, DELTA);
        self.demo.gates[NORTH].edge.link.heal();
        self.settled().await
    }

    /// A scan that the core has to decide.
    pub(super) async fn scan_by_core(&self, gate: usize, ticket: &Ticket) -> Result<ScanAnswer> {
        let (_, answer) = self.scan(gate, ticket).await?;
        match answer.decided_by {
            DecidedBy::Core => Ok(answer),
            DecidedBy::Edge => Err(CoreWasLate.into()),
        }
    }
}
