//! Users as we know them, and whose they are.

mod issuers;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(super) use issuers::{Declared, Issuer, Issuers};

/// No name, no address: those stay with the identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) user_id: Uuid,
    pub(super) first_seen_at: DateTime<Utc>,
}
