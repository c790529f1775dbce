//! Who works at the venue, as the replica has it. Nothing is decided by it here: sign-in, shifts and rights
//! are the shell's, and a row of the journal only carries who was on shift.

use eventify_protocol::{
    ids::PersonId,
    sync::{PersonEntry, Subject, Value},
};

use super::Machine;

impl Machine {
    /// Everybody who works at the venue; none without a complete replica, which is no news of anybody.
    #[must_use]
    pub fn people(&self) -> Option<Vec<(PersonId, PersonEntry)>> {
        let people = self
            .replica
            .is_present()
            .then(|| self.replica.people().map(|(id, it)| (id, it.clone())));
        people.map(Iterator::collect)
    }

    /// Whether the venue wants somebody signed in at a scanner before it scans.
    #[must_use]
    pub fn is_shift_needed(&self) -> bool {
        self.replica
            .policy()
            .is_some_and(|policy| policy.shift_needed == Some(true))
    }

    /// Whether an entry can be about what this module tells.
    #[must_use]
    pub fn concerns_staff(subject: &Subject) -> bool {
        matches!(subject, Subject::Person(_) | Subject::Policy)
    }
}

/// The person of an entry.
pub(super) fn person<'a>(
    subject: &Subject,
    value: Option<&'a Value>,
) -> Option<(PersonId, &'a PersonEntry)> {
    match (subject, value) {
        (Subject::Person(id), Some(Value::Person(entry))) => Some((*id, entry)),
        _ => None,
    }
}
