//! Whose a ticket is, for venues whose staff may look for guests. The feed carries it sealed, the same for all
//! nodes; the key of each performance goes to the venue's nodes in a message of its own, and no node writes it
//! down. Without the key nothing of a name can be read, and when it is forgotten everywhere, never again.

use std::fmt;

use minicbor::{Decode, Encode};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroize;

use crate::ids::{OrderId, PerformanceId, TicketId};

/// Longest name of a guest, in characters.
pub const MAX_GUEST_NAME_CHARS: usize = 60;

/// Bytes of a holder's nonce.
pub const HOLDER_NONCE_BYTES: usize = NONCE_LEN;

/// What the sealed bytes are, so that they are never taken for something else.
const PURPOSE: &[u8] = b"eventify holder 1";

/// A ticket's holder as an entry of the feed.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HolderEntry {
    /// Whose key has sealed it.
    #[n(0)]
    pub performance: PerformanceId,
    /// See [`HolderKey::seal`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

crate::debug_without_secrets! {
    HolderEntry { performance },
}

/// What is sealed. Whoever has it in hand keeps it no longer than an answer takes.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Holder {
    /// The order that it was bought with.
    #[n(0)]
    pub order: OrderId,
    /// As the order has it, at most [`MAX_GUEST_NAME_CHARS`]; none where no name was given.
    #[n(1)]
    pub name: Option<String>,
}

/// The key of a performance's holders. Wiped from memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct HolderKey([u8; 32]);

/// The keys that a node may hold, from now on: others are forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HolderKeys {
    /// One for each performance.
    #[n(0)]
    pub keys: Vec<PerformanceKey>,
}

/// One of [`HolderKeys::keys`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PerformanceKey {
    /// Of which performance.
    #[n(0)]
    pub performance: PerformanceId,
    /// Its key.
    #[n(1)]
    pub key: HolderKey,
    /// Unix seconds: from then on nobody has the key any more, whether or not somebody says so.
    #[n(2)]
    pub wipe_at: i64,
}

/// Sealed by another key, for another ticket or version, or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a holder can't be opened")]
pub struct SealedOtherwise;

impl HolderKey {
    /// From random bytes, which are used for nothing else.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For whoever stores it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a holder: nonce, then ChaCha20-Poly1305 with ticket and version as associated data, so that no
    /// entry passes for another ticket's, or an older one for a newer. `nonce` is random and new.
    #[must_use]
    pub fn seal(
        &self,
        (ticket, version): (TicketId, u64),
        holder: &Holder,
        nonce: [u8; HOLDER_NONCE_BYTES],
    ) -> Vec<u8> {
        let mut content = minicbor::to_vec(holder).expect("writing to a Vec can't fail");
        let unique = Nonce::assume_unique_for_key(nonce);
        let tag = self.cipher().seal_in_place_separate_tag(
            unique,
            Aad::from(about(ticket, version)),
            &mut content,
        );
        let tag = tag.expect("a holder is far shorter than the cipher's limit");
        [&nonce[..], &content, tag.as_ref()].concat()
    }

    /// Opens what [`Self::seal`] has sealed.
    ///
    /// # Errors
    /// [`SealedOtherwise`].
    pub fn open(
        &self,
        (ticket, version): (TicketId, u64),
        sealed: &[u8],
    ) -> Result<Holder, SealedOtherwise> {
        let (nonce, content) = sealed
            .split_first_chunk::<HOLDER_NONCE_BYTES>()
            .ok_or(SealedOtherwise)?;
        let mut content = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let about = Aad::from(about(ticket, version));
        let opened = self.cipher().open_in_place(nonce, about, &mut content);
        let holder = opened
            .ok()
            .and_then(|opened| minicbor::decode(opened).ok())
            .ok_or(SealedOtherwise);
        content.zeroize();
        holder
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.0);
        LessSafeKey::new(key.expect("the key has the cipher's length"))
    }
}

fn about(ticket: TicketId, version: u64) -> Vec<u8> {
    let (id, version) = (ticket.as_uuid(), version.to_be_bytes());
    [PURPOSE, id.as_bytes(), &version].concat()
}

impl Drop for HolderKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.name.zeroize();
    }
}

impl<C> Encode<C> for HolderKey {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for HolderKey {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?.try_into();
        bytes
            .map(Self)
            .map_err(|_| minicbor::decode::Error::message("a holder's key has 32 bytes"))
    }
}

impl fmt::Debug for HolderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderKey")
    }
}

impl fmt::Debug for Holder {
    /// Without the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TICKET: TicketId = TicketId(Uuid::from_u128(1));

    fn key(byte: u8) -> HolderKey {
        HolderKey::from_bytes([byte; 32])
    }

    fn holder() -> Holder {
        Holder {
            order: OrderId(Uuid::from_u128(9)),
            name: Some("Zoé Lefèvre".to_owned()),
        }
    }

    #[test]
    fn a_holder_is_opened_by_its_key_for_its_ticket_and_version_alone() {
        let sealed = key(1).seal((TICKET, 3), &holder(), [7; HOLDER_NONCE_BYTES]);
        assert_eq!(key(1).open((TICKET, 3), &sealed), Ok(holder()));
        let other = TicketId(Uuid::from_u128(2));
        assert_eq!(key(1).open((other, 3), &sealed), Err(SealedOtherwise));
        assert_eq!(key(1).open((TICKET, 2), &sealed), Err(SealedOtherwise));
        assert_eq!(key(2).open((TICKET, 3), &sealed), Err(SealedOtherwise));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(1).open((TICKET, 3), &changed).is_err());
        }
        assert!(key(1).open((TICKET, 3), &sealed[..5]).is_err());
    }

    #[test]
    fn nothing_of_a_name_or_key_shows_in_what_is_sealed_or_logged() {
        let sealed = key(1).seal((TICKET, 3), &holder(), [7; HOLDER_NONCE_BYTES]);
        let shows = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|it| it == part);
        assert!(!shows(&sealed, "Lef".as_bytes()));
        let logged = format!("{:?} {:?}", holder(), key(b'k'));
        assert!(!logged.contains("Zo") && !logged.contains("kk"), "{logged}");
    }
}
