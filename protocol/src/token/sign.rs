//! Making tokens.

use super::{
    Token,
    claims::{Claims, InvalidClaims},
};
use crate::keys::{KeyEntry, KeyId, KeyStatus, KeyUse, PrivateKey, Signer, Window};

/// A ticket key at work.
#[derive(Clone, Debug)]
pub struct TicketSigner {
    signer: Signer,
    window: Window,
}

impl TicketSigner {
    /// Signs with this key, inside this window only: a ticket that no gate would accept must fail
    /// when it is issued, not at the door.
    #[must_use]
    pub fn new(key: PrivateKey, window: Window) -> Self {
        Self {
            signer: Signer::for_tickets(key),
            window,
        }
    }

    /// The name of the key.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.signer.kid()
    }

    /// The line of the key set that makes this signer's tickets verify.
    #[must_use]
    pub fn entry(&self) -> KeyEntry {
        KeyEntry {
            key: self.signer.public(),
            key_use: KeyUse::Ticket,
            window: self.window,
            status: KeyStatus::Active,
        }
    }

    /// The token of these claims: the same text each time (Ed25519 is deterministic).
    ///
    /// # Errors
    /// [`InvalidClaims`] when no gate would accept the ticket.
    pub fn sign(&self, claims: &Claims) -> Result<Token, InvalidClaims> {
        claims.check()?;
        if !self.window.covers(claims.expiry) {
            return Err(InvalidClaims::OutsideKeyWindow);
        }
        Ok(Token::of_cose(
            &self.signer.sign_cose(&claims.to_cbor(), &[]),
        ))
    }
}
