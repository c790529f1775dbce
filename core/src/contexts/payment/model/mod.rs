//! Pure decisions about a payment: what the provider's data change, what is requested of the provider
//! next, what its facts add up to, and what people may decide.
//!
//! The provider's data come as webhooks, answers and comparisons, in any order and any number of times.
//! All become the same updates, and every state accepts every update.

mod intent;
mod items;
mod least;
mod ledger;
mod refund;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod unknown;
mod webhooks;

pub(super) use intent::Payment;
pub(super) use items::{Act, DELAY_MISSING, Done, IssuedTicket, ItemKind, OpenItem, Revoking};
pub use least::LeastAmounts;
pub(super) use ledger::{Fact, FactKind, LearntBy, Sums, is_explained};
pub(super) use refund::{Refund, RefundState};
pub use settings::Settings;
pub(crate) use settings::StripeSettings;
pub(super) use state::{Announcement, End, ProviderRequest, State};
pub(super) use unknown::{held, taken};
pub(super) use webhooks::{Trouble, WebhookWatch, is_of_provider};
