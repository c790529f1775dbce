//! Sign-ins of staff at a scanner: what the core may begin, and what it tells the node.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::PersonId;
use eventify_protocol::sync::{DeviceCode, SignInProgress};

/// Of one node, open at once.
pub(crate) const MAX_OPEN_OF_NODE: i64 = 16;
/// Of one node, begun within a minute.
pub(crate) const MAX_BEGUN_A_MINUTE: i64 = 30;
/// A process that lives asks the provider at least so often.
pub(crate) const ASKED_WITHIN: TimeDelta = TimeDelta::seconds(90);

/// How one stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The provider has not answered yet.
    Beginning,
    Open {
        user_code: String,
        verification_uri: String,
        verification_uri_complete: String,
        expires_at: DateTime<Utc>,
    },
    Granted(PersonId),
    Denied,
    Expired,
    NotStaff,
    Unavailable,
}

/// As stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignIn {
    pub(crate) state: State,
    /// The provider was last asked of it.
    pub(crate) asked_at: DateTime<Utc>,
}

impl SignIn {
    /// What the node is told; nothing while the provider has not answered.
    pub(crate) fn progress(&self, now: DateTime<Utc>) -> Option<SignInProgress> {
        let is_asked = now - self.asked_at < ASKED_WITHIN;
        Some(match &self.state {
            State::Beginning if is_asked => return None,
            State::Open {
                user_code,
                verification_uri,
                verification_uri_complete,
                expires_at,
            } if is_asked && *expires_at > now => SignInProgress::Open(DeviceCode {
                user_code: user_code.clone(),
                verification_uri: verification_uri.clone(),
                verification_uri_complete: verification_uri_complete.clone(),
                expires_in_seconds: u32::try_from((*expires_at - now).num_seconds())
                    .unwrap_or_default(),
            }),
            State::Beginning | State::Open { .. } | State::Expired => SignInProgress::Expired,
            State::Granted(person) => SignInProgress::Granted(*person),
            State::Denied => SignInProgress::Denied,
            State::NotStaff => SignInProgress::NotStaff,
            State::Unavailable => SignInProgress::Unavailable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_nobody_asks_the_provider_of_any_more_is_over() {
        let begun = DateTime::UNIX_EPOCH;
        let sign_in = SignIn {
            state: State::Open {
                user_code: "WDJB-MJHT".to_owned(),
                verification_uri: "https://id.example".to_owned(),
                verification_uri_complete: "https://id.example".to_owned(),
                expires_at: begun + TimeDelta::seconds(600),
            },
            asked_at: begun,
        };
        let at = |seconds| sign_in.progress(begun + TimeDelta::seconds(seconds));
        let Some(SignInProgress::Open(code)) = at(60) else {
            panic!("{:?}", at(60))
        };
        assert_eq!(code.expires_in_seconds, 540);
        assert_eq!(at(90), Some(SignInProgress::Expired));
        let beginning = SignIn {
            state: State::Beginning,
            asked_at: begun,
        };
        assert_eq!(beginning.progress(begun), None);
        let late = beginning.progress(begun + ASKED_WITHIN);
        assert_eq!(late, Some(SignInProgress::Expired));
    }
}
