//! First sign-ins of staff with the identity provider: the node asks, the core runs the provider's device
//! flow (RFC 8628). No token of a person leaves the core.
//!
//! A node asks only a core that has welcomed it with this release's digest algorithm: one of a release before
//! would end the connection of a node that sends what it does not know.

use minicbor::{Decode, Encode};

use crate::ids::{PersonId, ScannerId, SignInId};

/// Longest text of a [`DeviceCode`], in bytes: it stands on a scanner's screen and in a QR code.
pub const MAX_DEVICE_CODE_BYTES: usize = 512;

/// See `Up::Staff`. The same again is answered the same.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum StaffAsk {
    /// Begin a sign-in.
    #[n(0)]
    Begin {
        /// Made by the node.
        #[n(0)]
        sign_in: SignInId,
        /// Where the person stands.
        #[n(1)]
        scanner: ScannerId,
    },
    /// What has become of it?
    #[n(1)]
    State {
        /// As it was begun.
        #[n(0)]
        sign_in: SignInId,
    },
}

/// See `Down::Staff`: answers [`StaffAsk`], and comes by itself when a sign-in ends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StaffAnswer {
    /// Which.
    #[n(0)]
    pub sign_in: SignInId,
    /// How it stands.
    #[n(1)]
    pub progress: SignInProgress,
}

/// How a sign-in stands at the core.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum SignInProgress {
    /// The person has not signed in yet.
    #[n(0)]
    Open(#[n(0)] DeviceCode),
    /// They have: this is who they are at the venue.
    #[n(1)]
    Granted(#[n(0)] PersonId),
    /// They said no.
    #[n(2)]
    Denied,
    /// They did not in time, or the core does not know it any more.
    #[n(3)]
    Expired,
    /// The account does not work at the venue.
    #[n(4)]
    NotStaff,
    /// The provider has no device flow, or does not answer.
    #[n(5)]
    Unavailable,
    /// Too many are open at the node.
    #[n(6)]
    TooMany,
}

/// What the person needs at the provider.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceCode {
    /// Typed on the provider's page.
    #[n(0)]
    pub user_code: String,
    /// The page.
    #[n(1)]
    pub verification_uri: String,
    /// The page with the code in it.
    #[n(2)]
    pub verification_uri_complete: String,
    /// From the answer on.
    #[n(3)]
    pub expires_in_seconds: u32,
}

crate::debug_without_secrets! {
    DeviceCode { expires_in_seconds },
}
