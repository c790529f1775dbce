//! Prices of an event.

use std::collections::HashSet;

use eventify_contracts::event_management::PricedCategory;
use eventify_protocol::ids::PricingSchemeId;
use eventify_protocol::money::{Currency, Money};
use eventify_protocol::text;
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::EventError;
use crate::contexts::payment::LeastAmounts;

/// Of one scheme.
const MAX_CATEGORIES: usize = 50;
/// Of a category, in characters.
const MAX_NAME: usize = 64;

/// `pricing` of `POST /events`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PricingSpec {
    categories: Vec<CategorySpec>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CategorySpec {
    name: String,
    /// Default: derived from the name.
    #[serde(default)]
    code: Option<CategoryCode>,
    price: Money,
}

/// A checked scheme: one currency, no name and no code twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PricingScheme {
    pub(crate) id: PricingSchemeId,
    pub(crate) currency: Currency,
    pub(crate) categories: Vec<PriceCategory>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PriceCategory {
    pub(crate) name: String,
    pub(crate) code: CategoryCode,
    pub(crate) price: Money,
}

/// What is allowed and will surprise somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PriceWarning {
    code: &'static str,
    category: CategoryCode,
    message: String,
}

impl PricingScheme {
    pub(crate) fn define(id: PricingSchemeId, spec: PricingSpec) -> Result<Self, EventError> {
        let first = spec
            .categories
            .first()
            .ok_or_else(|| invalid("must not be empty"))?;
        let currency = first.price.currency();
        if spec.categories.len() > MAX_CATEGORIES {
            let given = spec.categories.len();
            return Err(invalid(format!(
                "must not be more than {MAX_CATEGORIES}; given: {given}"
            )));
        }
        let (mut names, mut codes) = (HashSet::new(), HashSet::new());
        let mut categories = Vec::new();
        for (index, CategorySpec { name, code, price }) in spec.categories.into_iter().enumerate() {
            let name = text::line(&name, 1..=MAX_NAME)
                .map_err(|unfit| invalid(format!("[{index}].name {unfit}")))?;
            if price.currency() != currency {
                return Err(invalid("must all be in one currency"));
            }
            let code = match code {
                Some(code) => code,
                None => code_of(&name).ok_or_else(|| {
                    invalid(format!(
                        "'{name}' needs a 'code': 1 to 16 of A-Z, 0-9, '.', '_', '-'"
                    ))
                })?,
            };
            if !names.insert(text::key(&name)) || !codes.insert(code) {
                return Err(invalid(format!(
                    "must not have name '{name}' or code {code} twice"
                )));
            }
            categories.push(PriceCategory { name, code, price });
        }
        Ok(Self {
            id,
            currency,
            categories,
        })
    }

    /// The codes, in the organiser's order.
    pub(crate) fn codes(&self) -> impl Iterator<Item = CategoryCode> + '_ {
        self.categories.iter().map(|category| category.code)
    }

    /// The categories of which one place alone can't be paid.
    pub(crate) fn warnings(&self, least: &LeastAmounts) -> Vec<PriceWarning> {
        let warning = |category: &PriceCategory| {
            let least = least.beyond(category.price)?;
            Some(PriceWarning {
                code: "below_least_amount",
                category: category.code,
                message: format!(
                    "{} is less than the payment provider takes: a cart of less than {least} can't \
                     be paid, so one such place alone can't be bought",
                    category.price
                ),
            })
        };
        self.categories.iter().filter_map(warning).collect()
    }

    /// As in published events.
    pub(crate) fn priced_categories(&self) -> Vec<PricedCategory> {
        self.categories
            .iter()
            .map(|category| PricedCategory {
                name: category.name.clone(),
                code: category.code,
                price: category.price,
            })
            .collect()
    }
}

/// `Standard` → `STANDARD`, `Under 18` → `UNDER-18`.
fn code_of(name: &str) -> Option<CategoryCode> {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '-'
        }
    };
    let code: String = name
        .to_uppercase()
        .chars()
        .map(plain)
        .take(CategoryCode::MAX_CHARS)
        .collect();
    code.trim_matches('-').parse().ok()
}

fn invalid(issue: impl Into<String>) -> EventError {
    EventError::Invalid {
        field: "pricing.categories",
        issue: issue.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn define(categories: &Value) -> Result<PricingScheme, EventError> {
        let spec = serde_json::from_value(json!({ "categories": categories })).unwrap();
        PricingScheme::define(PricingSchemeId(Uuid::nil()), spec)
    }

    fn category(name: &str, code: Option<&str>, currency: &str) -> Value {
        json!({ "name": name, "code": code, "price": { "currency": currency, "amount": "39.00" } })
    }

    #[test]
    fn a_code_is_derived_from_the_name() {
        let scheme = define(&json!([
            category("Standard", None, "EUR"),
            category("Under 18", None, "EUR"),
            category("Premium seats in front", None, "EUR"),
            category("Loge", Some("BOX"), "EUR"),
        ]));
        let codes: Vec<_> = scheme
            .unwrap()
            .codes()
            .map(|code| code.to_string())
            .collect();
        assert_eq!(codes, ["STANDARD", "UNDER-18", "PREMIUM-SEATS-IN", "BOX"]);
        assert!(define(&json!([category("学生", None, "EUR")])).is_err());
    }

    #[test]
    fn one_currency_and_each_name_and_code_once() {
        for categories in [
            json!([]),
            json!([category("A", None, "EUR"), category("B", None, "USD")]),
            json!([category("A", None, "EUR"), category("A", Some("X"), "EUR")]),
            json!([category("A", None, "EUR"), category("B", Some("A"), "EUR")]),
            json!([category(" ", Some("A"), "EUR")]),
        ] {
            assert!(define(&categories).is_err(), "{categories}");
        }
    }
}
