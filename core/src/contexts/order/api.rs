//! What other contexts may ask: what of performances is sold and would be paid back, and whose tickets are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_kernel::app::App;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{OrderId, PerformanceId, TicketId};
use eventify_protocol::money::Money;

use super::{NAME, store};

/// Places that are paid and of which no refund is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sold {
    pub(crate) orders: u64,
    pub(crate) tickets: u64,
    /// One in each currency, in the order of their codes.
    pub(crate) sums: Vec<Money>,
}

/// What is sold of some performances, of each and together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sales {
    /// Of those of which anything is sold.
    pub(crate) of: BTreeMap<PerformanceId, Sold>,
    /// An order with places at two performances counts once.
    pub(crate) total: Sold,
}

impl Sold {
    /// As people read and repeat it: `147.00 EUR`; in several currencies `12.00 CHF + 147.00 EUR`.
    pub(crate) fn sum(&self) -> String {
        let sums: Vec<_> = self.sums.iter().map(ToString::to_string).collect();
        if sums.is_empty() {
            return "0".to_owned();
        }
        sums.join(" + ")
    }
}

/// Counts what is sold now, from the orders themselves.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn sold(app: &App, performances: &[PerformanceId]) -> DbResult<Sales> {
    let mut conn = app.db.read(NAME).await?;
    store::count_sold(&mut conn, performances).await
}

/// Whose a ticket is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TicketHolder {
    pub(crate) ticket: TicketId,
    pub(crate) order: OrderId,
    /// None where no name was given.
    pub(crate) name: Option<String>,
}

/// Without the name.
impl std::fmt::Debug for TicketHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketHolder")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

/// Which holders are asked for: those of tickets behind one, in the order of ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HolderPage {
    pub(crate) performance: PerformanceId,
    /// Only what changed since, by this context's database; none: all.
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) after: Option<TicketId>,
    pub(crate) limit: u32,
}

/// The time of this context's database: what is committed later may have changed a little before.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn now(app: &App) -> DbResult<DateTime<Utc>> {
    let mut conn = app.db.read(NAME).await?;
    store::now(&mut conn).await
}

/// A page of a performance's tickets with their holders. Whoever asks keeps no name longer than it needs to
/// seal it.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn holders(app: &App, page: HolderPage) -> DbResult<Vec<TicketHolder>> {
    let mut conn = app.db.read(NAME).await?;
    let HolderPage {
        performance,
        since,
        after,
        limit,
    } = page;
    store::list_holders(&mut conn, performance, since, after, limit).await
}
