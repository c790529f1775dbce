//! What other contexts may ask: what of performances is sold and would be paid back.

use std::collections::BTreeMap;

use eventify_kernel::app::App;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::PerformanceId;
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
