//! The sync point: the core's signed answer to a node's own question (`ADMISSION` section 1).

use minicbor::{Decode, Decoder, Encode};

use crate::{
    ids::{NodeId, VenueId},
    keys::{KeySet, KeyUse, Signer, VerifyError, verify_cose},
    sync::{Digest, Epoch, Position},
    time::CoreTime,
};

/// What ties a signature to this purpose (COSE external additional data, RFC 9052 section 4.3).
const CONTEXT: &[u8] = b"eventify sync point 1";

/// A node's question, random and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Nonce(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// "Venue V, feed position N, digest D, true as of T."
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SyncPoint {
    /// The question that this answers.
    #[n(0)]
    pub nonce: Nonce,
    /// Who asked.
    #[n(1)]
    pub node: NodeId,
    /// Whose feed.
    #[n(2)]
    pub venue: VenueId,
    /// Which database.
    #[n(3)]
    pub epoch: Epoch,
    /// The feed's head.
    #[n(4)]
    pub position: Position,
    /// The digest at that position.
    #[n(5)]
    pub digest: Digest,
    /// T: everything committed before is in the feed up to `position`.
    #[n(6)]
    pub truth: CoreTime,
    /// C: the core's clock when T was read, in the same transaction.
    #[n(7)]
    pub core: CoreTime,
}

/// Why bytes are no sync point.
#[derive(Debug, thiserror::Error)]
pub enum PointError {
    /// The signature does not hold.
    #[error("sync point: {0}")]
    Signature(#[from] VerifyError),
    /// What was signed is no sync point.
    #[error("malformed sync point: {0}")]
    Malformed(#[from] minicbor::decode::Error),
    /// T lies after C.
    #[error("sync point claims a truth later than the core's clock")]
    TruthAhead,
}

impl SyncPoint {
    /// Signs the statement as COSE_Sign1.
    #[must_use]
    pub fn sign(&self, signer: &Signer) -> Vec<u8> {
        let payload = minicbor::to_vec(self).expect("writing to a Vec can't fail");
        signer.sign_cose(&payload, CONTEXT)
    }

    /// Verifies and reads a statement. The caller still has to compare nonce, node, venue and epoch
    /// with what it asked.
    ///
    /// # Errors
    /// See [`PointError`].
    pub fn verify(bytes: &[u8], keys: &KeySet) -> Result<Self, PointError> {
        let payload = verify_cose(bytes, keys, KeyUse::Sync, CONTEXT)?;
        let point: Self = Decoder::new(&payload).decode()?;
        if point.truth > point.core {
            Err(PointError::TruthAhead)
        } else {
            Ok(point)
        }
    }
}
