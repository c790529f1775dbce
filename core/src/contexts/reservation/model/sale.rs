//! What is sold, when, and at which price.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, EventId, HoldId, PerformanceId, SeatId, VenueId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;

use super::Refusal;
use eventify_contracts::reservation::Item;

/// What event_management says about a performance, as far as sales need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnSale {
    pub(crate) performance_id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) venue_id: VenueId,
    pub(crate) published: bool,
    pub(crate) cancelled: bool,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) sales_opens_at: Option<DateTime<Utc>>,
    pub(crate) sales_closes_at: Option<DateTime<Utc>>,
    pub(crate) prices: Vec<(CategoryCode, Money)>,
}

/// A place as inventory has held it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldPlace {
    pub(crate) hold_id: HoldId,
    pub(crate) seat: Option<(SeatId, String)>,
    pub(crate) bucket: Option<(BucketId, String)>,
    pub(crate) qty: u32,
    /// The price category asked for, or the only one that the place is sold in.
    pub(crate) category: Option<CategoryCode>,
    /// The price categories that the place is sold in.
    pub(crate) allowed: Vec<CategoryCode>,
}

impl OnSale {
    /// Whether it can be bought now. Without an end of its own, the sale ends with the start.
    pub(crate) fn must_be_on_sale(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.published || self.cancelled {
            return Err(Refusal::NotOnSale);
        }
        if let Some(opens) = self.sales_opens_at.filter(|opens| now < *opens) {
            return Err(Refusal::SalesNotOpen(opens));
        }
        let closes = self.sales_closes_at.unwrap_or(self.start_time);
        if now < closes {
            Ok(())
        } else {
            Err(Refusal::SalesClosed(closes))
        }
    }

    /// The core's price of a category, equal to what the client thinks it is, if it says.
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

    /// A held place with the core's price on it. Where it is sold in several categories, the one
    /// with the claimed price is not guessed.
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
