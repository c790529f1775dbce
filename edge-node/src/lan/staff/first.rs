//! Somebody's first time at this node: they sign in with the identity provider, which the core asks, and
//! choose a PIN.

use std::sync::Arc;

use eventify_disk::pin::{Pin, PinHash};
use eventify_protocol::{
    ids::{ScannerId, SignInId},
    lan::{PinRequest, SignIn, SignInState},
    sync::StaffAnswer,
};
use tokio::{
    task::spawn_blocking,
    time::{Duration, timeout},
};

use super::{
    DIGITS,
    sign_ins::{BEGIN_WITHIN, Standing},
};
use crate::{
    clock,
    control::TriedSignIn,
    lan::{Lan, error::ApiError, locked},
};

/// How often the core is asked of sign-ins that are open, should its word have got lost.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(2);

impl Lan {
    /// Begins a sign-in. The core has to answer for it.
    pub(in crate::lan) async fn begin_sign_in(
        &self,
        scanner: ScannerId,
    ) -> Result<SignIn, ApiError> {
        if !self.is_online() {
            return Err(ApiError::CoreUnreachable);
        }
        let id: SignInId = clock::new_id();
        let mut changes = self.staff.changes.subscribe();
        let begun = locked(&self.staff.sign_ins).begin(id, scanner, self.clock.boottime());
        begun.map_err(|_| ApiError::TooManySignIns)?;
        self.ask_core();
        let answered = async {
            loop {
                let found = self.find_sign_in(id, scanner)?;
                if found.0 != Standing::Beginning {
                    return Ok::<_, ApiError>(found);
                }
                changes
                    .changed()
                    .await
                    .map_err(|_| ApiError::CoreUnreachable)?;
            }
        };
        let answer = timeout(BEGIN_WITHIN, answered).await;
        let (standing, left) = answer.map_err(|_| ApiError::CoreUnreachable)??;
        match standing {
            Standing::Open(code) => Ok(SignIn {
                sign_in_id: id,
                user_code: code.user_code,
                verification_uri: code.verification_uri,
                verification_uri_complete: code.verification_uri_complete,
                expires_in: left.as_secs(),
            }),
            Standing::TooMany => Err(ApiError::TooManySignIns),
            Standing::Unavailable => {
                tracing::error!(
                    code = "staff.sign_in_unavailable",
                    "nobody can sign in with the identity provider: the core says that it has no device flow, \
                     or does not answer"
                );
                Err(ApiError::SignInUnavailable)
            }
            Standing::Beginning | Standing::Granted(_) | Standing::Refused(_) => {
                Err(ApiError::CoreUnreachable)
            }
        }
    }

    /// How a scanner's own sign-in stands. One that is granted waits until the venue's list has the person.
    pub(in crate::lan) fn sign_in_state(
        &self,
        scanner: ScannerId,
        id: SignInId,
    ) -> Result<SignInState, ApiError> {
        let (standing, _) = self.find_sign_in(id, scanner)?;
        Ok(match standing {
            Standing::Beginning | Standing::Open(_) => SignInState::Pending,
            Standing::Granted(person) => match self.staff.person(person) {
                Some(person) => SignInState::Granted { person },
                None => SignInState::Pending,
            },
            Standing::Refused(reason) => SignInState::Refused { reason },
            Standing::Unavailable | Standing::TooMany => return Err(ApiError::SignInUnavailable),
        })
    }

    /// The newest that the core has answered since this start: whether the identity provider took it.
    pub(crate) fn last_sign_in(&self) -> Option<TriedSignIn> {
        let (worked, at) = locked(&self.staff.sign_ins).provider()?;
        let ago_seconds = self.clock.boottime().since(at).as_secs();
        Some(TriedSignIn {
            worked,
            ago_seconds,
        })
    }

    fn find_sign_in(
        &self,
        id: SignInId,
        scanner: ScannerId,
    ) -> Result<(Standing, Duration), ApiError> {
        let now = self.clock.boottime();
        let found = locked(&self.staff.sign_ins).find(id, scanner, now);
        found.ok_or(ApiError::SignInUnknown)
    }

    /// Whoever a sign-in was granted to chooses their PIN.
    pub(in crate::lan) async fn set_pin(
        self: &Arc<Self>,
        scanner: ScannerId,
        request: PinRequest,
    ) -> Result<(), ApiError> {
        let pin = Pin::read(request.pin, &DIGITS).ok_or(ApiError::PinMalformed)?;
        if pin.is_too_simple() {
            return Err(ApiError::PinTooSimple);
        }
        let permit = Arc::clone(&self.staff.hashing).acquire_owned().await;
        let permit = permit.map_err(|_| ApiError::Internal)?;
        let now = self.clock.boottime();
        let granted = locked(&self.staff.sign_ins).take_granted(request.sign_in_id, scanner, now);
        let person = granted.ok_or(ApiError::SignInUnknown)?;
        if self.staff.person(person).is_none() {
            return Err(ApiError::PersonUnknown);
        }
        let lan = Arc::clone(self);
        let stored = spawn_blocking(move || {
            let hash = PinHash::new(&pin, clock::entropy());
            let stored = locked(&lan.staff.pins).set(person, hash, lan.stamp());
            drop(permit);
            stored
        });
        stored.await.map_err(|_| ApiError::Internal)??;
        tracing::info!(
            code = "staff.pin_set",
            person_id = %person,
            scanner_id = %scanner,
            "somebody who has signed in has a PIN at this node"
        );
        Ok(())
    }

    /// Asks the core of all sign-ins that are open.
    pub(super) fn ask_core(&self) {
        for ask in locked(&self.staff.sign_ins).asks(self.clock.boottime()) {
            // What finds no room is asked again.
            drop(self.staff.asks.try_send(ask));
        }
    }

    /// The core has told how a sign-in stands.
    pub(super) fn hear(&self, answer: StaffAnswer) {
        let now = self.clock.boottime();
        locked(&self.staff.sign_ins).update(answer.sign_in, answer.progress, now);
        self.staff.changes.send_modify(|_| ());
    }
}
