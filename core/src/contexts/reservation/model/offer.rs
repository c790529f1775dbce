//! What is sold, when, and at which price.

use chrono::{DateTime, Utc};
use eventify_contracts::reservation::Item;
use eventify_protocol::ids::{BucketId, EventId, HoldId, PerformanceId, SeatId, VenueId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;

use super::Refusal;

/// The terms on which a performance is sold, as event_management published them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) performance_id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) venue_id: VenueId,
    pub(crate) published: bool,
    pub(crate) cancelled: bool,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) sales_opens_at: Option<DateTime<Utc>>,
    pub(crate) sales_closes_at: Option<DateTime<Utc>>,
    pub(crate) admits_until: DateTime<Utc>,
    pub(crate) prices: Vec<(CategoryCode, Money)>,
}

/// Who sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The customer, within the organiser's sales window.
    Online,
    /// The box office, to guests at the door: until nobody is admitted any more.
    BoxOffice,
}

/// A place that inventory holds for the cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldPlace {
    pub(crate) hold_id: HoldId,
    pub(crate) seat: Option<(SeatId, String)>,
    pub(crate) bucket: Option<(BucketId, String)>,
    pub(crate) qty: u32,
    /// The requested price category, or the only one in which the place is sold.
    pub(crate) category: Option<CategoryCode>,
    /// The price categories in which the place is sold.
    pub(crate) allowed: Vec<CategoryCode>,
}

impl Offer {
    /// Without a closing time of its own, the online sale closes when the performance starts.
    pub(crate) fn must_be_on_sale(
        &self,
        channel: Channel,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if !self.published || self.cancelled {
            return Err(Refusal::NotOnSale);
        }
        if let Some(opens) = self.sales_opens_at.filter(|opens| now < *opens) {
            return Err(Refusal::SalesNotOpen(opens));
        }
        let closes = match channel {
            Channel::Online => self.sales_closes_at.unwrap_or(self.start_time),
            Channel::BoxOffice => self.admits_until,
        };
        if now < closes {
            Ok(())
        } else {
            Err(Refusal::SalesClosed(closes))
        }
    }

    /// The core's price of a category. A client that sends a price must send this one.
    pub(crate) fn price(
        &self,
        category: CategoryCode,
        claimed: Option<Money>,
    ) -> Result<Money, Refusal> {
        let price = self
            .prices
            .iter()
            .find(|(code, _)| *code == category)
            .map(|(_, price)| *price)
            .ok_or(Refusal::UnknownCategory(category))?;
        match claimed {
            Some(claimed) if claimed != price => Err(Refusal::PriceMismatch(price)),
            Some(_) | None => Ok(price),
        }
    }

    /// A held place with the core's price. The category is never guessed from the claimed price.
    pub(crate) fn priced(&self, held: HeldPlace, claimed: Option<Money>) -> Result<Item, Refusal> {
        let price_category = held.category.ok_or(Refusal::CategoryNeeded(held.allowed))?;
        let unit_price = self.price(price_category, claimed)?;
        let (seat_id, seat_label) = held.seat.unzip();
        let (bucket_id, zone) = held.bucket.unzip();
        Ok(Item {
            performance_id: self.performance_id,
            venue_id: self.venue_id,
            seat_id,
            seat_label,
            bucket_id,
            zone,
            qty: held.qty,
            price_category,
            unit_price,
            hold_id: held.hold_id,
        })
    }
}
