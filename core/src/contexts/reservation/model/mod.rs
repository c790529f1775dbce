//! Pure decisions about a cart: what can be added, at which price, and when it ends.

use chrono::{DateTime, Utc};
use eventify_protocol::money::{Currency, Money};
use eventify_protocol::token::CategoryCode;

mod cart;
mod offer;
mod outage;
mod settings;
#[cfg(test)]
mod tests;

pub(super) use cart::{CartItem, Reservation, State};
pub(super) use offer::{Channel, HeldPlace, Offer};
pub(super) use outage::Outage;
pub use settings::Settings;

/// Most places (seats, and places in zones) in one reservation.
pub(super) const MAX_ITEMS_PER_RESERVATION: u32 = 20;

/// Why a cart is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the reservation has expired")]
    Expired,
    #[error("the reservation was cancelled")]
    Cancelled,
    #[error("the reservation is confirmed and can no longer be changed")]
    Confirmed,
    #[error("the reservation is empty")]
    Empty,
    #[error("a reservation holds at most {MAX_ITEMS_PER_RESERVATION} places")]
    TooManyItems,
    #[error("a customer has at most {0} open reservations; confirm or cancel one")]
    TooManyOpen(u32),
    #[error("the performance is not on sale")]
    NotOnSale,
    #[error("sales open at {0}")]
    SalesNotOpen(DateTime<Utc>),
    #[error("sales closed at {0}")]
    SalesClosed(DateTime<Utc>),
    #[error("the price category '{0}' does not exist here")]
    UnknownCategory(CategoryCode),
    #[error("choose a price category")]
    CategoryNeeded(Vec<CategoryCode>),
    #[error("the price is {0}")]
    PriceMismatch(Money),
    #[error("this reservation is in {0}; one order has one currency")]
    OtherCurrency(Currency),
    #[error("the same places are in the reservation already; remove them first")]
    Duplicate,
    #[error("the reservation was changed at the same moment; try again")]
    Changed,
    #[error("{total} is less than can be paid, which is {least}; the cart is kept: add more to it")]
    BelowLeast { total: Money, least: Money },
    #[error("the sum is too large")]
    TooExpensive,
}
