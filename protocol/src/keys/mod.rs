//! Keys: what the core signs with, what everybody else verifies with.
//!
//! - [`PrivateKey`] and [`PublicKey`] are Ed25519 (RFC 8032), named by a [`KeyId`].
//! - A [`KeySet`] says which public keys count, for what, and until when. It reaches the nodes as
//!   a [`SignedKeySet`]: signed by the one [`RootKey`] whose public half nodes pin at enrolment.
//! - [`Signer`] and [`verify_cose`] sign and verify everything that is not a ticket. A ticket is
//!   signed by [`crate::token::TicketSigner`] alone.
//!
//! Nothing signed for one purpose passes for another: each key has one [`KeyUse`], and the
//! protected header of everything but a ticket names its content type.
//!
//! ## How keys end
//! | status | signs | tickets verify | sync points verify |
//! |---|---|---|---|
//! | `active` | yes | yes | yes |
//! | `retired` | no | yes, so old tickets stay valid for their performance | no: they are live statements |
//! | `withdrawn` | no | no: its tickets are reissued | no |
//!
//! The [`Window`] of a ticket key is judged without a clock, by the ticket's own expiry.
//!
//! Deliberately not here: where private keys are kept, when they rotate, making randomness.

mod cose;
mod kid;
mod pair;
mod publication;
mod root;
mod set;
mod signer;

pub use cose::{MAX_SIGNED_BYTES, Malformed};
pub use kid::{KeyId, NotAKeyId};
pub use pair::{KeyError, PrivateKey, PublicKey};
pub use publication::{Jwk, Jwks};
pub use root::{KeySetRefused, RootKey, RootPublicKey, SignedKeySet};
pub use set::{KeyEntry, KeySet, KeySetError, KeyStatus, KeyUse, MAX_KEYS, Window};
pub use signer::{Signer, VerifyError, verify_cose};

pub(crate) use cose::{Envelope, read_one};
pub(crate) use signer::check_signature;
