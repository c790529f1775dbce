//! The key set: which public keys count, for what, and until when.

use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};

use super::{kid::KeyId, pair::PublicKey};

/// How many keys a set may hold. Rotation once a week for a year fits.
pub const MAX_KEYS: usize = 64;

/// What a key may sign. One key, one use.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Ticket tokens.
    #[n(0)]
    Ticket,
    /// Sync points.
    #[n(1)]
    Sync,
}

impl KeyUse {
    /// What the protected header names, so that nothing signed for one use is well-formed for
    /// another. A ticket names nothing: its payload is a CWT, as any library expects.
    #[must_use]
    pub fn content_type(self) -> Option<&'static str> {
        match self {
            Self::Ticket => None,
            Self::Sync => Some("application/vnd.eventify.sync-point+cbor"),
        }
    }

    /// Whether statements of this use outlive the key's active time. Tickets do, until their
    /// performance; a sync point is the answer to a question asked just now.
    #[must_use]
    pub fn outlives_retirement(self) -> bool {
        match self {
            Self::Ticket => true,
            Self::Sync => false,
        }
    }
}

/// Where a key is in its life.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// May sign.
    #[n(0)]
    Active,
    /// Signs no more; what it signed for later stays valid ([`KeyUse::outlives_retirement`]).
    #[n(1)]
    Retired,
    /// Compromised: verifies nothing, ever again.
    #[n(2)]
    Withdrawn,
}

/// The expiry times, both ends included, that a key may vouch for; Unix seconds.
///
/// A ticket is inside if its `exp` is: no clock is needed, and a key that leaks after its window
/// can't make a ticket for any later performance. `not_before` is when the key was made, since no
/// ticket is signed after it has expired. For [`KeyUse::Sync`] it tells signers when to rotate;
/// verifiers go by the status alone, because a node's clock is what sync points are to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The earliest.
    #[n(0)]
    pub not_before: i64,
    /// The latest.
    #[n(1)]
    pub not_after: i64,
}

impl Window {
    /// Whether a time lies inside.
    #[must_use]
    pub fn covers(&self, unix_seconds: i64) -> bool {
        (self.not_before..=self.not_after).contains(&unix_seconds)
    }
}

/// One key of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(rename_all = "camelCase")]
pub struct KeyEntry {
    /// The key; it knows its own name.
    #[n(0)]
    pub key: PublicKey,
    /// What it may sign.
    #[n(1)]
    #[serde(rename = "use")]
    pub key_use: KeyUse,
    /// Which expiry times it may vouch for.
    #[n(2)]
    pub window: Window,
    /// Whether it still counts.
    #[n(3)]
    pub status: KeyStatus,
}

/// A set that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// More than [`MAX_KEYS`].
    #[error("a key set holds at most {MAX_KEYS} keys")]
    TooMany,
    /// Two keys of one name.
    #[error("two keys are named {0}")]
    DuplicateKey(KeyId),
    /// A window that ends before it begins.
    #[error("the window of key {0} ends before it begins")]
    EmptyWindow(KeyId),
}

/// The public keys of one version, ordered by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    version: u64,
    keys: Vec<KeyEntry>,
}

impl KeySet {
    /// Puts a set together.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub fn new(version: u64, mut keys: Vec<KeyEntry>) -> Result<Self, KeySetError> {
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        keys.sort_by_key(|entry| entry.key.kid());
        for pair in keys.windows(2) {
            if pair[0].key.kid() == pair[1].key.kid() {
                return Err(KeySetError::DuplicateKey(pair[0].key.kid()));
            }
        }
        if let Some(entry) = keys
            .iter()
            .find(|e| e.window.not_before > e.window.not_after)
        {
            return Err(KeySetError::EmptyWindow(entry.key.kid()));
        }
        Ok(Self { version, keys })
    }

    /// Counts up with every change, and never down.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All keys, ordered by name.
    #[must_use]
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, kid: KeyId) -> Option<&KeyEntry> {
        let index = self
            .keys
            .binary_search_by_key(&kid, |entry| entry.key.kid())
            .ok()?;
        self.keys.get(index)
    }

    /// Whether this set may take the place of the one held: only a higher version may, so that an
    /// old set played back brings no withdrawn key to life. The same version again is no news.
    #[must_use]
    pub fn supersedes(&self, held: Option<&Self>) -> bool {
        held.is_none_or(|held| self.version > held.version)
    }
}

impl<C> Encode<C> for KeySet {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u64(self.version)?;
        self.keys.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for KeySet {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("a key set has two parts"));
        }
        let version = d.u64()?;
        let keys = Vec::decode(d, ctx)?;
        Self::new(version, keys)
            .map_err(|refused| minicbor::decode::Error::message(refused.to_string()))
    }
}
