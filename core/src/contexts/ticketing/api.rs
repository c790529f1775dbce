//! What other contexts ask before they promise a ticket, or take one back.

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::NotGood;
use eventify_kernel::app::App;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{OrderId, PerformanceId, TicketId, UserId};
use eventify_protocol::zone::TimeZone;

use super::{NAME, model, store};

pub use super::model::CantSign;

/// Whether tickets of a performance with these times can be signed, by the key that this process has.
/// Without the database.
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

/// Whether the organiser of a performance has assigned this user to its event: to its doors, or to sell.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn is_assigned(
    app: &App,
    user: UserId,
    performance: PerformanceId,
) -> DbResult<bool> {
    let mut conn = app.db.read(NAME).await?;
    store::is_assigned_to(&mut conn, user, performance).await
}

/// The tickets of an order that its customer can't give back now.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn list_not_good(app: &App, order: OrderId) -> DbResult<Vec<(TicketId, NotGood)>> {
    let mut conn = app.db.read(NAME).await?;
    let tickets = store::list_tickets_of_order(&mut conn, order).await?;
    let not_good = tickets.iter().map(|it| Some((it.id, it.not_good()?)));
    Ok(not_good.flatten().collect())
}

/// What the clocks show where a ticket is for.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn time_zone(app: &App, ticket: TicketId) -> DbResult<TimeZone> {
    store::find_time_zone(&mut *app.db.read(NAME).await?, ticket).await
}
