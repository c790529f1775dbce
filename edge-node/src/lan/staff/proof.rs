//! A PIN is looked at: on a thread of its own, one at a time, with a limit on tries of each person and each
//! scanner. What a try has come to is written by that thread, so that a scanner that hangs up changes nothing.

use std::sync::Arc;

use eventify_disk::pin::Pin;
use eventify_protocol::{
    ids::{PersonId, ScannerId},
    lan::{Person, PinProof},
};
use tokio::task::spawn_blocking;

use super::{
    DIGITS,
    pins::{NotTried, Try},
    tries::Wait,
};
use crate::lan::{Lan, error::ApiError, locked};

/// A scanner's PIN under way.
struct UnderWay {
    lan: Arc<Lan>,
    scanner: ScannerId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        locked(&self.lan.staff.tries).end(self.scanner);
    }
}

impl Lan {
    /// Who has proven themselves by their PIN at this scanner.
    pub(in crate::lan) async fn prove(
        self: &Arc<Self>,
        scanner: ScannerId,
        proof: PinProof,
    ) -> Result<Person, ApiError> {
        let person = self.staff.person(proof.person_id);
        let person = person.filter(|person| !person.roles.is_empty());
        let person = person.ok_or(ApiError::PersonUnknown)?;
        let pin = Pin::read(proof.pin, &DIGITS).ok_or(ApiError::PinMalformed)?;
        let begun = locked(&self.staff.tries).begin(scanner, self.clock.boottime());
        begun.map_err(|wait| match wait {
            Wait::Locked(left) => ApiError::PinLocked(left),
            Wait::UnderWay(pause) => ApiError::TooManyRequests(pause),
        })?;
        let under_way = UnderWay {
            lan: Arc::clone(self),
            scanner,
        };
        let permit = Arc::clone(&self.staff.hashing).acquire_owned().await;
        let permit = permit.map_err(|_| ApiError::Internal)?;
        let id = person.person_id;
        let looked = spawn_blocking(move || {
            let result = under_way.lan.look_at(scanner, id, &pin);
            drop((under_way, permit));
            result
        });
        looked.await.map_err(|_| ApiError::Internal)??;
        Ok(person)
    }

    fn look_at(&self, scanner: ScannerId, person: PersonId, pin: &Pin) -> Result<(), ApiError> {
        let now = (self.clock.boottime(), self.stamp());
        let Try { pin: kept, left } = locked(&self.staff.pins).begin(person, now)?;
        if kept.is_of(pin) {
            return Ok(locked(&self.staff.pins).end_right(person, self.stamp())?);
        }
        if locked(&self.staff.tries).count_wrong(scanner, self.clock.boottime()) {
            tracing::warn!(
                code = "staff.scanner_locked",
                scanner_id = %scanner,
                "a scanner has sent too many wrong PINs: it sends none for ten minutes"
            );
        }
        let locked_for = locked(&self.staff.pins).locked(person, self.clock.boottime());
        tracing::warn!(
            code = "staff.wrong_pin",
            scanner_id = %scanner,
            person_id = %person,
            tries_left = left,
            "a wrong PIN"
        );
        Err(match locked_for {
            Some(left) => ApiError::PinLocked(left),
            None => ApiError::WrongPin(left),
        })
    }
}

impl From<NotTried> for ApiError {
    fn from(reason: NotTried) -> Self {
        match reason {
            NotTried::NoPin => Self::NoPin,
            NotTried::Locked(left) => Self::PinLocked(left),
            NotTried::NotWritten(error) => error.into(),
        }
    }
}
