//! What other contexts may ask: whose a cart is, and whether it becomes an order.

use eventify_kernel::app::App;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{ReservationId, UserId};

use super::{NAME, store};

/// What is known of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cart {
    pub(crate) customer: UserId,
    /// There is an order, or will be in a moment.
    pub(crate) is_confirmed: bool,
}

/// None: there is no such cart.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn find_cart(app: &App, id: ReservationId) -> DbResult<Option<Cart>> {
    let mut conn = app.db.read(NAME).await?;
    let head = store::find_head(&mut conn, id).await?;
    Ok(head.map(|(customer, is_confirmed)| Cart {
        customer,
        is_confirmed,
    }))
}
