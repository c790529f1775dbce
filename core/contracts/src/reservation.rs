//! What reservation publishes. Payloads are self-sufficient: nobody has to ask back.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{
    BucketId, HoldId, PerformanceId, ReservationId, SeatId, UserId, VenueId,
};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line of a reservation, and later of the order: a seat, or places in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which performance.
    pub performance_id: PerformanceId,
    /// Where it takes place.
    pub venue_id: VenueId,
    /// The numbered seat; then there is no bucket and `qty` is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat_id: Option<SeatId>,
    /// The seat as people know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat_label: Option<String>,
    /// The capacity zone; then there is no seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_id: Option<BucketId>,
    /// The zone as people know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How many places.
    pub qty: u32,
    /// The price category that was chosen.
    pub price_category: CategoryCode,
    /// The core's price for one place.
    pub unit_price: Money,
    /// The hold at inventory; items that were added together share one.
    pub hold_id: HoldId,
}

/// A cart was opened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationStarted {
    /// The cart.
    pub reservation_id: ReservationId,
    /// Whose.
    pub customer_id: UserId,
    /// Until when it can be confirmed.
    pub expires_at: DateTime<Utc>,
}

/// A place was held and put into the cart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationItemAdded {
    /// The cart.
    pub reservation_id: ReservationId,
    /// What was added.
    #[serde(flatten)]
    pub item: Item,
}

/// A place was taken out of the cart; its hold is being released.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationItemRemoved {
    /// The cart.
    pub reservation_id: ReservationId,
    /// What was removed.
    #[serde(flatten)]
    pub item: Item,
}

/// The customer wants exactly this; the order follows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationConfirmed {
    /// The cart.
    pub reservation_id: ReservationId,
    /// Whose.
    pub customer_id: UserId,
    /// The box office that opened it in the customer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller_id: Option<UserId>,
    /// The sum of the items.
    pub amount: Money,
    /// Until when it must be paid.
    pub confirmed_until: DateTime<Utc>,
    /// What was reserved.
    pub items: Vec<Item>,
}

/// The time ran out before it was confirmed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationExpired {
    /// The cart.
    pub reservation_id: ReservationId,
    /// Always [`EndReason::Expired`].
    pub reason: EndReason,
    /// What is free again.
    pub items: Vec<Item>,
}

/// The customer, the payment or the organiser ended it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationCancelled {
    /// The cart.
    pub reservation_id: ReservationId,
    /// Why.
    pub reason: EndReason,
    /// What is free again.
    pub items: Vec<Item>,
}

/// Why a reservation ended without tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Not confirmed in time.
    Expired,
    /// The customer gave it up, or cancelled the unpaid order.
    UserCancelled,
    /// The payment was declined.
    PaymentFailed,
    /// Confirmed, but not paid in time.
    PaymentTimeout,
    /// The organiser cancelled the performance.
    EventCancelled,
}

impl EndReason {
    /// As on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::UserCancelled => "user_cancelled",
            Self::PaymentFailed => "payment_failed",
            Self::PaymentTimeout => "payment_timeout",
            Self::EventCancelled => "event_cancelled",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Expired,
            Self::UserCancelled,
            Self::PaymentFailed,
            Self::PaymentTimeout,
            Self::EventCancelled,
        ]
        .into_iter()
        .find(|reason| reason.name() == name)
    }
}

eventify_kernel::domain_events! { "reservation":
    ReservationStarted: "reservation.started" as "reservation.started" of reservation_id;
    ReservationItemAdded: "reservation.item.added" as "reservation.item.added" of reservation_id;
    ReservationItemRemoved: "reservation.item.removed" as "reservation.item.removed" of reservation_id;
    ReservationConfirmed: "reservation.confirmed" as "reservation.confirmed" of reservation_id;
    ReservationExpired: "reservation.expired" as "reservation.expired" of reservation_id;
    ReservationCancelled: "reservation.cancelled" as "reservation.cancelled" of reservation_id;
}
