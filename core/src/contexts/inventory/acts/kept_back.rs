//! What whoever runs a show does with the places that are kept back.

use eventify_kernel::app::App;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_protocol::ids::{PerformanceId, TicketId};

use super::sale;
use super::stock::{StockError, must_manage};
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::kept_back::{KeptPlace, Release};
use crate::contexts::inventory::store::{kept_back, orders};

/// A page of what is kept back, the oldest first, and how much there is; what was released too, if
/// that is wanted.
pub(crate) async fn list(
    app: &App,
    caller: &Principal,
    performance: PerformanceId,
    and_released: bool,
    window: (i64, i64),
) -> Result<(Vec<KeptPlace>, i64), StockError> {
    let mut conn = app.db.read(NAME).await?;
    must_manage(&mut conn, caller, performance).await?;
    Ok(kept_back::list(&mut conn, performance, and_released, window).await?)
}

/// Frees a place. The first release counts; another one changes nothing and is answered with it.
///
/// Of a cancelled performance too: nobody can hold a place there, free or not.
pub(crate) async fn release(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    (performance, ticket): (PerformanceId, TicketId),
    note: Option<String>,
) -> Result<KeptPlace, StockError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    must_manage(&mut tx, caller, performance).await?;
    let found = kept_back::find(&mut tx, performance, ticket).await?;
    let found = found.ok_or(StockError::NotKeptBack)?;
    // Whatever becomes of places of one order happens one after the other.
    orders::lock(&mut tx, found.ticket.order).await?;
    let release = Release {
        at: app.clock.now(),
        by: caller.user_id.into(),
        note,
    };
    if kept_back::release(&mut tx, ticket, &release).await? {
        sale::give_back(app, &mut tx, &found.ticket).await?;
        tx.commit().await?;
        tracing::info!(code = "inventory.place_released", ticket_id = %ticket,
            user_id = %release.by, "a place that was kept back can be sold again");
        let released = Some(release);
        return Ok(KeptPlace { released, ..found });
    }
    let released = kept_back::find(&mut tx, performance, ticket).await?;
    released.ok_or(StockError::NotKeptBack)
}
