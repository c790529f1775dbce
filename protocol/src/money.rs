//! Money on the wire: a currency and a decimal string (blueprint, "Conventions générales").

use std::fmt;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount of one currency, with exactly the currency's own number of fraction digits.
///
/// JSON: `{"currency": "EUR", "amount": "49.90"}`. An amount with more digits than the currency
/// has, a sign, or an exponent does not parse: [`MoneyError`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WireMoney", into = "WireMoney")]
#[schemars(with = "WireMoney")]
pub struct Money {
    currency: Currency,
    minor: i64,
}

/// The currencies that can be charged, with their ISO 4217 number of fraction digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Currency {
    /// Swiss franc.
    Chf,
    /// Euro.
    Eur,
    /// Pound sterling.
    Gbp,
    /// Japanese yen, without fraction digits.
    Jpy,
    /// US dollar.
    Usd,
}

/// Why an amount was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not one of [`Currency`].
    #[error("currency '{0}' is not accepted; allowed: CHF, EUR, GBP, JPY, USD")]
    UnknownCurrency(String),
    /// Not a plain decimal number with the currency's digits.
    #[error("amount '{amount}' is not a decimal number with {digits} fraction digits")]
    MalformedAmount {
        /// The text that came.
        amount: String,
        /// Fraction digits of the currency.
        digits: u32,
    },
    /// Two currencies in one calculation.
    #[error("{0} and {1} can't be added: one order, one currency")]
    MixedCurrencies(Currency, Currency),
    /// The sum does not fit `numeric(15,4)`.
    #[error("the amount is too large")]
    TooLarge,
}

/// Largest amount in minor units: what `numeric(15,4)` holds for a currency with two digits.
const MAX_MINOR: i64 = 9_999_999_999_999;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Money", deny_unknown_fields)]
#[schemars(extend("x-allowed" = "an amount such as {\"currency\": \"EUR\", \"amount\": \"49.90\"}, in CHF, EUR, GBP, JPY or USD, with as many fraction digits as the currency has"))]
struct WireMoney {
    /// ISO 4217 code.
    currency: String,
    /// Decimal string with the currency's number of fraction digits.
    amount: String,
}

impl Currency {
    /// ISO 4217 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Chf => "CHF",
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
            Self::Jpy => "JPY",
            Self::Usd => "USD",
        }
    }

    /// Number of fraction digits (ISO 4217 minor unit).
    #[must_use]
    pub fn digits(self) -> u32 {
        match self {
            Self::Jpy => 0,
            Self::Chf | Self::Eur | Self::Gbp | Self::Usd => 2,
        }
    }

    /// Reads an ISO 4217 code.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`].
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        [Self::Chf, Self::Eur, Self::Gbp, Self::Jpy, Self::Usd]
            .into_iter()
            .find(|currency| currency.code() == code)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Money {
    /// An amount in the currency's minor units (cents).
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] when negative or beyond `numeric(15,4)`.
    pub fn from_minor(currency: Currency, minor: i64) -> Result<Self, MoneyError> {
        if (0..=MAX_MINOR).contains(&minor) {
            Ok(Self { currency, minor })
        } else {
            Err(MoneyError::TooLarge)
        }
    }

    /// Nothing, in a currency.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self { currency, minor: 0 }
    }

    /// Reads `EUR` and `49.90`.
    ///
    /// # Errors
    /// See [`MoneyError`].
    pub fn parse(currency: &str, amount: &str) -> Result<Self, MoneyError> {
        let currency = Currency::parse(currency)?;
        let digits = currency.digits();
        let malformed = || MoneyError::MalformedAmount {
            amount: amount.to_owned(),
            digits,
        };
        let (whole, fraction) = match (amount.split_once('.'), digits) {
            (None, 0) => (amount, ""),
            (Some((whole, fraction)), 1..) if fraction.len() == digits as usize => {
                (whole, fraction)
            }
            (None | Some(_), _) => return Err(malformed()),
        };
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let canonical = whole == "0" || (!whole.is_empty() && !whole.starts_with('0'));
        if !canonical || !plain(whole) || !plain(fraction) {
            return Err(malformed());
        }
        let minor = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| MoneyError::TooLarge)?;
        Self::from_minor(currency, minor)
    }

    /// Reads a stored `numeric(15,4)`.
    ///
    /// # Errors
    /// [`MoneyError`] when the number has more digits than the currency.
    pub fn from_decimal(currency: Currency, amount: Decimal) -> Result<Self, MoneyError> {
        let digits = currency.digits();
        let mut scaled = amount.normalize();
        if scaled.scale() > digits {
            return Err(MoneyError::MalformedAmount {
                amount: amount.to_string(),
                digits,
            });
        }
        scaled.rescale(digits);
        let minor = i64::try_from(scaled.mantissa()).map_err(|_| MoneyError::TooLarge)?;
        Self::from_minor(currency, minor)
    }

    /// As a decimal number, for `numeric(15,4)`.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.digits())
    }

    /// The currency.
    #[must_use]
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The amount in minor units (cents).
    #[must_use]
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// `self` × `quantity`.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        let minor = self
            .minor
            .checked_mul(i64::from(quantity))
            .ok_or(MoneyError::TooLarge)?;
        Self::from_minor(self.currency, minor)
    }

    /// `self` + `other`.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`], [`MoneyError::TooLarge`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::MixedCurrencies(self.currency, other.currency));
        }
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(MoneyError::TooLarge)?;
        Self::from_minor(self.currency, minor)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

impl TryFrom<WireMoney> for Money {
    type Error = MoneyError;

    fn try_from(wire: WireMoney) -> Result<Self, MoneyError> {
        Self::parse(&wire.currency, &wire.amount)
    }
}

impl From<Money> for WireMoney {
    fn from(money: Money) -> Self {
        Self {
            currency: money.currency.code().to_owned(),
            amount: money.to_decimal().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_currencys_own_digits_only() {
        for (currency, amount, minor) in [
            ("EUR", "49.90", 4990),
            ("EUR", "0.05", 5),
            ("JPY", "1200", 1200),
        ] {
            assert_eq!(Money::parse(currency, amount).unwrap().minor(), minor);
        }
        for (currency, amount) in [
            ("EUR", "49.9"),
            ("EUR", "49"),
            ("EUR", "-1.00"),
            ("EUR", "+1.00"),
            ("EUR", "01.00"),
            ("EUR", "1e2.00"),
            ("EUR", ".50"),
            ("EUR", "1.٠٠"),
            ("JPY", "12.00"),
            ("EUR", "99999999999999999999.00"),
            ("AUD", "1.00"),
        ] {
            assert!(
                Money::parse(currency, amount).is_err(),
                "{currency} {amount}"
            );
        }
    }

    #[test]
    fn one_order_has_one_currency() {
        let euro = Money::parse("EUR", "1.00").unwrap();
        let yen = Money::parse("JPY", "1").unwrap();
        assert_eq!(
            euro.plus(yen),
            Err(MoneyError::MixedCurrencies(Currency::Eur, Currency::Jpy))
        );
    }

    proptest! {
        #[test]
        fn survives_wire_and_store(minor in 0..=MAX_MINOR, yen in any::<bool>()) {
            let currency = if yen { Currency::Jpy } else { Currency::Eur };
            let money = Money::from_minor(currency, minor).unwrap();
            let json = serde_json::to_string(&money).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
            prop_assert_eq!(Money::from_decimal(currency, money.to_decimal()).unwrap(), money);
        }
    }
}
