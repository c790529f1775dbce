//! What cancelling does to each performance, and when it needs a second word.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::PerformanceId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::performance::Performance;
use super::times::Margins;
use crate::contexts::order::api::Sold;

/// The second word: what the first answer has named, exactly.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Confirmation {
    pub(crate) orders: u64,
    pub(crate) sum: String,
}

/// Everybody who was there would get the money back: whoever cancels has to say that this is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is over, and cancelling would pay back {orders} orders, {sum} in all: repeat this number \
     and sum in 'confirm' if that is meant"
)]
pub(crate) struct NeedsConfirmation {
    pub(crate) orders: u64,
    pub(crate) tickets: u64,
    pub(crate) sum: String,
}

/// What an event's cancellation does to one of its performances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Cancelled now: its orders are refunded.
    Cancelled,
    /// It was cancelled before.
    AlreadyCancelled,
    /// It is over, and nobody has confirmed that it is meant too.
    LeftOut,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::AlreadyCancelled => "already_cancelled",
            Self::LeftOut => "left_out",
        }
    }
}

/// The performances that are over, if they are part of what is to be cancelled: those of an event of
/// which nothing else is left, or all that the caller has confirmed.
pub(crate) fn over_and_meant(
    performances: &[Performance],
    confirmed: bool,
    margins: Margins,
    now: DateTime<Utc>,
) -> Vec<PerformanceId> {
    let is_left = performances.iter().any(|it| it.lies_ahead(margins, now));
    let over = performances
        .iter()
        .filter(|it| !it.cancelled && it.is_over(margins, now));
    if confirmed || !is_left {
        over.map(|it| it.id).collect()
    } else {
        vec![]
    }
}

/// Whether what was sold of performances that are over may be paid back.
pub(crate) fn must_be_confirmed(
    sold: &Sold,
    confirmation: Option<&Confirmation>,
) -> Result<(), NeedsConfirmation> {
    let needed = NeedsConfirmation {
        orders: sold.orders,
        tickets: sold.tickets,
        sum: sold.sum(),
    };
    let is_repeated = confirmation
        .is_some_and(|said| said.orders == needed.orders && said.sum.trim() == needed.sum);
    if sold.orders == 0 || is_repeated {
        Ok(())
    } else {
        Err(needed)
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::money::Money;

    use super::*;

    fn sold() -> Sold {
        Sold {
            orders: 3,
            tickets: 7,
            sums: vec![
                Money::parse("CHF", "12.00").unwrap(),
                Money::parse("EUR", "147.00").unwrap(),
            ],
        }
    }

    fn confirm(orders: u64, sum: &str) -> Confirmation {
        Confirmation {
            orders,
            sum: sum.to_owned(),
        }
    }

    /// C09 (b): the slip is answered with what it would have cost.
    #[test]
    fn what_is_over_is_cancelled_only_with_its_number_and_sum() {
        let needed = must_be_confirmed(&sold(), None).unwrap_err();
        assert_eq!(needed.sum, "12.00 CHF + 147.00 EUR");
        for wrong in [confirm(3, "147.00 EUR"), confirm(2, &needed.sum)] {
            assert!(must_be_confirmed(&sold(), Some(&wrong)).is_err());
        }
        let right = confirm(3, &needed.sum);
        assert_eq!(must_be_confirmed(&sold(), Some(&right)), Ok(()));
    }

    #[test]
    fn where_nothing_was_sold_there_is_nothing_to_confirm() {
        assert_eq!(must_be_confirmed(&Sold::default(), None), Ok(()));
    }
}
