//! The envelope around every message.

use minicbor::{Decode, Decoder, Encode};

use crate::{
    ids::{MessageId, NodeId},
    sync::{Down, Up},
};

/// Version of the envelope and of all that is in it.
pub const WIRE_VERSION: u8 = 1;

/// Largest message in either direction; larger ones are refused unread.
pub const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// A message with what every hop needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Envelope<B> {
    /// [`WIRE_VERSION`].
    #[n(0)]
    pub version: u8,
    /// Made by the sender; an answer names it.
    #[n(1)]
    pub id: MessageId,
    /// Who says so; the receiver compares it with the topic.
    #[n(2)]
    pub sender: Sender,
    /// W3C `traceparent` of the cause.
    #[n(3)]
    pub trace: Option<String>,
    /// The message.
    #[n(4)]
    pub body: B,
}

/// The two kinds of sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Sender {
    /// The central core.
    #[n(0)]
    Core,
    /// An edge node.
    #[n(1)]
    Node(#[n(0)] NodeId),
}

/// What can stand in an envelope.
pub trait Body: for<'b> Decode<'b, ()> + Encode<()> {}

impl Body for Up {}
impl Body for Down {}

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Over [`MAX_MESSAGE_BYTES`].
    #[error("message of {0} bytes; at most {MAX_MESSAGE_BYTES} are read")]
    TooLarge(usize),
    /// Made by a newer or older release.
    #[error("envelope version {0}; this release speaks {WIRE_VERSION}")]
    Version(u8),
    /// Not the CBOR that the types say.
    #[error("malformed message: {0}")]
    Malformed(#[from] minicbor::decode::Error),
    /// Something follows the message.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

impl WireError {
    /// Stable code for logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "message_too_large",
            Self::Version(_) => "message_version",
            Self::Malformed(_) => "message_malformed",
            Self::Trailing(_) => "message_trailing_bytes",
        }
    }
}

impl<B: Body> Envelope<B> {
    /// A message of this release.
    #[must_use]
    pub fn new(id: MessageId, sender: Sender, body: B) -> Self {
        Self {
            version: WIRE_VERSION,
            id,
            sender,
            trace: None,
            body,
        }
    }

    /// The bytes for the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to a Vec can't fail")
    }

    /// Reads a message strictly: size, version, types, nothing after it.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(WireError::TooLarge(bytes.len()));
        }
        let mut probe = Decoder::new(bytes);
        probe.array()?;
        let version = probe.u8()?;
        if version != WIRE_VERSION {
            return Err(WireError::Version(version));
        }
        let mut decoder = Decoder::new(bytes);
        let envelope = decoder.decode()?;
        match bytes.len() - decoder.position() {
            0 => Ok(envelope),
            trailing => Err(WireError::Trailing(trailing)),
        }
    }
}
