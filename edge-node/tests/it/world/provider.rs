//! The scripted core's identity provider: every sign-in gets a code, and ends as the test says.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{PersonId, SignInId},
    sync::{DeviceCode, SignInProgress, StaffAnswer, StaffAsk},
};

#[derive(Default)]
pub(super) struct Provider {
    sign_ins: BTreeMap<SignInId, SignInProgress>,
    /// It does not answer.
    pub(super) is_silent: bool,
    /// It has no device flow.
    pub(super) is_unfit: bool,
}

impl Provider {
    pub(super) fn answer(&mut self, ask: &StaffAsk) -> Option<StaffAnswer> {
        if self.is_silent {
            return None;
        }
        let (sign_in, progress) = match ask {
            StaffAsk::Begin { sign_in, .. } if self.is_unfit => {
                (*sign_in, SignInProgress::Unavailable)
            }
            StaffAsk::Begin { sign_in, .. } => {
                let begun = self.sign_ins.entry(*sign_in);
                let open = SignInProgress::Open(DeviceCode {
                    user_code: "WDJB-MJHT".to_owned(),
                    verification_uri: "https://id.example/device".to_owned(),
                    verification_uri_complete: "https://id.example/device?user_code=WDJB-MJHT"
                        .to_owned(),
                    expires_in_seconds: 600,
                });
                (*sign_in, begun.or_insert(open).clone())
            }
            StaffAsk::State { sign_in } => {
                let known = self.sign_ins.get(sign_in).cloned();
                (*sign_in, known.unwrap_or(SignInProgress::Expired))
            }
        };
        Some(StaffAnswer { sign_in, progress })
    }

    /// All open sign-ins end so.
    pub(super) fn end(&mut self, progress: &SignInProgress) -> Vec<StaffAnswer> {
        let mut ended = Vec::new();
        for (sign_in, state) in &mut self.sign_ins {
            if matches!(state, SignInProgress::Open(_)) {
                *state = progress.clone();
                ended.push(StaffAnswer {
                    sign_in: *sign_in,
                    progress: progress.clone(),
                });
            }
        }
        ended
    }

    /// The core has restarted.
    pub(super) fn forget(&mut self) {
        self.sign_ins.clear();
    }

    pub(super) fn begun(&self) -> usize {
        self.sign_ins.len()
    }
}

/// Whom a sign-in is granted to.
pub(crate) fn granted(person: PersonId) -> SignInProgress {
    SignInProgress::Granted(person)
}
