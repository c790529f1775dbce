//! What other contexts ask before they promise a ticket. In this process, and without a database.

use chrono::{DateTime, Utc};
use eventify_kernel::app::App;

use super::model;

pub use super::model::CantSign;

/// Whether tickets of a performance with these times can be signed, by the key that this process has.
///
/// # Errors
/// [`CantSign`].
pub fn can_sign(
    app: &App,
    start: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
) -> Result<(), CantSign> {
    let ring = app.keys.ring().map_err(|_| CantSign::NoKey)?;
    let set = app.keys.in_force().map_err(|_| CantSign::NoKey)?;
    model::can_sign(set.find(ring.tickets.kid()), start, end)
}
