//! Tokens whose signature was checked before. A device sends the same token with every request, and
//! an RSA signature costs more than all else that is checked of it.
//!
//! Only the signature is remembered, together with the key that made it: times, audience and whether
//! the issuer still has that key are asked anew each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use sha2::{Digest as _, Sha256};

use super::token::Claims;

/// Most tokens that are remembered, a few KiB each.
const MAX_TOKENS: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Signed(Mutex<HashMap<[u8; 32], Entry>>);

#[derive(Debug)]
struct Entry {
    key: Jwk,
    claims: Arc<Claims>,
}

impl Signed {
    /// What the token claims, if this key's signature of it was checked before.
    pub(super) fn find(&self, token: &str, key: &Jwk) -> Option<Arc<Claims>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = held.get(&hash(token))?;
        (entry.key == *key).then(|| Arc::clone(&entry.claims))
    }

    /// Remembers a token whose signature is good.
    pub(super) fn keep(
        &self,
        token: &str,
        key: Jwk,
        claims: Claims,
        now: DateTime<Utc>,
    ) -> Arc<Claims> {
        let claims = Arc::new(claims);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MAX_TOKENS {
            held.retain(|_, entry| entry.claims.exp > now.timestamp());
        }
        if held.len() >= MAX_TOKENS {
            // All of them live: each costs one more check.
            held.clear();
        }
        let entry = Entry {
            key,
            claims: Arc::clone(&claims),
        };
        held.insert(hash(token), entry);
        claims
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
