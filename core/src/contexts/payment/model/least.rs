//! The least amounts that the provider takes, by currency.

use std::collections::BTreeMap;

use eventify_protocol::money::{Currency, Money};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// `[payment.least_amounts]`: what the provider publishes
/// (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>). A currency that is not
/// listed has none that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeastAmounts(BTreeMap<Currency, Money>);

impl<'de> Deserialize<'de> for LeastAmounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amounts = BTreeMap::<String, String>::deserialize(deserializer)?;
        Self::try_from(amounts).map_err(D::Error::custom)
    }
}

impl TryFrom<BTreeMap<String, String>> for LeastAmounts {
    type Error = String;

    fn try_from(amounts: BTreeMap<String, String>) -> Result<Self, String> {
        let read = |(currency, amount): (String, String)| {
            let currency = currency.to_ascii_uppercase();
            let money = Money::parse(&currency, &amount).map_err(|error| error.to_string())?;
            Ok((money.currency(), money))
        };
        Ok(Self(
            amounts
                .into_iter()
                .map(read)
                .collect::<Result<_, String>>()?,
        ))
    }
}

impl LeastAmounts {
    /// What such an amount would have to be at least, if it can't be paid. Nothing to pay can.
    #[must_use]
    pub fn beyond(&self, amount: Money) -> Option<Money> {
        let least = *self.0.get(&amount.currency())?;
        (amount.minor() > 0 && amount.minor() < least.minor()).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(currency: &str, amount: &str) -> Option<String> {
        let amounts = [("eur", "0.50"), ("jpy", "50")];
        let amounts: BTreeMap<_, _> = amounts
            .map(|(currency, amount)| (currency.to_owned(), amount.to_owned()))
            .into();
        let amounts = LeastAmounts::try_from(amounts).unwrap();
        let least = amounts.beyond(Money::parse(currency, amount).unwrap())?;
        Some(least.to_string())
    }

    /// C19: a currency without fraction digits is counted as it is.
    #[test]
    fn each_currency_has_its_own_least() {
        assert_eq!(least("EUR", "0.49").as_deref(), Some("0.50 EUR"));
        assert_eq!(least("EUR", "0.50"), None);
        assert_eq!(least("EUR", "0.00"), None, "free is free");
        assert_eq!(least("JPY", "20").as_deref(), Some("50 JPY"));
        assert_eq!(least("JPY", "50"), None);
        assert_eq!(least("CHF", "0.01"), None, "not listed");
        let wrong = BTreeMap::from([("jpy".to_owned(), "0.50".to_owned())]);
        assert!(LeastAmounts::try_from(wrong).is_err());
    }
}
