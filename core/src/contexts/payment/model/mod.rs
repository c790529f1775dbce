//! Pure decisions about a payment: what the provider's data change, and what is requested of the
//! provider next.
//!
//! The provider's data come as webhooks and as answers, in any order and any number of times. Both
//! become the same `IntentUpdate`, and every state accepts every update.

mod intent;
mod refund;
mod settings;
#[cfg(test)]
mod tests;

pub(super) use intent::{Announcement, End, Payment, ProviderRequest, State};
pub(super) use refund::{Refund, RefundState};
pub use settings::Settings;
pub(crate) use settings::StripeSettings;
