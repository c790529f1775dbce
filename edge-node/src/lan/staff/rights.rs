//! Who acts at a scanner: whoever is on shift there, or the colleague who has given their word; and whether
//! one of their roles may.

use eventify_protocol::{
    ids::ScannerId,
    lan::{Authorisation, Person},
    staff::StaffRole,
};

use super::authorisations::LIFE;
use crate::lan::{Lan, error::ApiError, locked};

/// What an act needs.
pub(crate) type Acting = fn(StaffRole) -> bool;

impl Lan {
    /// The word of somebody who has proven themselves, for this scanner.
    pub(in crate::lan) fn authorise(&self, scanner: ScannerId, person: Person) -> Authorisation {
        let now = self.clock.boottime();
        let authorisation =
            locked(&self.staff.authorisations).issue(scanner, person.person_id, now);
        tracing::info!(
            code = "staff.authorised",
            scanner_id = %scanner,
            person_id = %person.person_id,
            "a colleague has given their word at a scanner"
        );
        Authorisation {
            authorisation,
            person,
            expires_in: LIFE.as_secs(),
        }
    }

    /// Who acts at this scanner, if they may: the person of the authorisation if there is one, else of the
    /// shift.
    pub(in crate::lan) fn who_acts(
        &self,
        scanner: ScannerId,
        authorisation: Option<&str>,
        may: Acting,
    ) -> Result<Person, ApiError> {
        let person = match authorisation {
            Some(text) => {
                let words = locked(&self.staff.authorisations);
                let person = words.person(scanner, text, self.clock.boottime());
                drop(words);
                let person = person.and_then(|it| self.staff.person(it));
                person.ok_or(ApiError::AuthorisationUnknown)?
            }
            None => {
                let shift = self.current_shift(scanner);
                shift.ok_or(ApiError::NoShift)?.person
            }
        };
        if person.roles.iter().copied().any(may) {
            Ok(person)
        } else {
            Err(ApiError::NotAllowed(may))
        }
    }
}
