//! From the messages about people to what the screen shows.

use eventify_lan_client::ClientError;
use eventify_protocol::{
    lan::{Person, SignInRefusal},
    staff::StaffRole,
};

use crate::view::{NewPinProblem, PersonPinProblem, Role, SignInProblem};

/// The node's word for a refusal, where it gave one.
pub(crate) fn code_of(error: &ClientError) -> Option<&str> {
    error.refusal().map(|refusal| refusal.error.code.as_str())
}

pub(super) fn roles(person: &Person) -> Vec<Role> {
    let role = |role: &StaffRole| match role {
        StaffRole::Steward => Role::Steward,
        StaffRole::Supervisor => Role::Supervisor,
        StaffRole::BoxOffice => Role::BoxOffice,
    };
    person.roles.iter().map(role).collect()
}

pub(super) fn pin_problem(error: &ClientError) -> PersonPinProblem {
    let Some(refusal) = error.refusal() else {
        return PersonPinProblem::NoAnswer;
    };
    let mut details = refusal.error.details.iter();
    match refusal.error.code.as_str() {
        "wrong_pin" | "pin_locked" => PersonPinProblem::Wrong {
            tries_left: details
                .find(|detail| detail.field == "triesLeft")
                .and_then(|detail| detail.issue.parse().ok()),
        },
        "no_pin" => PersonPinProblem::NoPin,
        "person_unknown" => PersonPinProblem::NotHere,
        "not_allowed" => PersonPinProblem::NotAllowed,
        code => PersonPinProblem::Refused {
            code: code.to_owned(),
        },
    }
}

pub(super) fn sign_in_refusal(reason: SignInRefusal) -> SignInProblem {
    match reason {
        SignInRefusal::Denied => SignInProblem::Denied,
        SignInRefusal::Expired => SignInProblem::Expired,
        SignInRefusal::NotStaff => SignInProblem::NotStaff,
    }
}

pub(super) fn sign_in_problem(error: &ClientError) -> SignInProblem {
    match code_of(error) {
        None => SignInProblem::NoAnswer,
        Some("core_unreachable" | "sign_in_unavailable") => SignInProblem::CoreUnreachable,
        // The node has forgotten it: restarted, or too long ago.
        Some("sign_in_unknown" | "not_found") => SignInProblem::Expired,
        Some(code) => SignInProblem::Refused {
            code: code.to_owned(),
        },
    }
}

pub(super) fn new_pin_problem(error: &ClientError) -> NewPinProblem {
    match code_of(error) {
        None => NewPinProblem::NoAnswer,
        Some("pin_too_simple") => NewPinProblem::TooSimple,
        Some(code) => NewPinProblem::Refused {
            code: code.to_owned(),
        },
    }
}
