//! Pure decisions about a payment: what the provider's word makes of it, and what is asked of the
//! provider next.
//!
//! The provider's word comes as webhooks and as answers, in any order and any number of times.
//! Both are read as the same fact, `IntentSeen`, and each state takes each fact.

mod intent;
mod refund;
mod settings;
#[cfg(test)]
mod tests;

pub(super) use intent::{End, News, Payment, State, Todo};
pub(super) use refund::{Refund, RefundState};
pub use settings::Settings;
pub(crate) use settings::StripeSettings;
