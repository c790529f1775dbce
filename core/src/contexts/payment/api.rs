//! What order calls, behind its breaker `ord_payment`.

pub use super::acts::{CreatedIntent, IntentError, IntentRequest, create_intent};
