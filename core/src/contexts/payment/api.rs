//! What order calls, behind its breaker `ord_payment`.

pub use super::acts::{
    Closed, CreatedIntent, IntentError, IntentRequest, IntentState, close_intent, create_intent,
};
