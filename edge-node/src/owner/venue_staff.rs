//! Who works at the venue, as the replica has it, for the LAN API.

use std::{collections::BTreeMap, sync::Arc};

use eventify_protocol::{ids::PersonId, sync::PersonEntry};
use eventify_sync::edge::Machine;

use super::Owner;

/// The venue's list. A replica that is fetched anew changes nothing of it: nobody has left for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VenueStaff {
    pub(crate) people: BTreeMap<PersonId, PersonEntry>,
    pub(crate) shift_needed: bool,
    /// There was a replica since the start; without one nobody is known, and nobody is gone.
    pub(crate) is_known: bool,
}

impl VenueStaff {
    /// None without a replica.
    pub(super) fn of(machine: &Machine) -> Option<Self> {
        Some(Self {
            people: machine.people()?.into_iter().collect(),
            shift_needed: machine.is_shift_needed(),
            is_known: true,
        })
    }

    /// Whether somebody works here, in some role.
    pub(crate) fn may_work(&self, person: PersonId) -> bool {
        let entry = self.people.get(&person);
        entry.is_some_and(|entry| !entry.roles.is_empty())
    }
}

impl Owner {
    pub(super) fn publish_staff(&self) {
        let Some(new) = VenueStaff::of(&self.machine) else {
            return;
        };
        self.staff.send_if_modified(|staff| {
            let is_other = **staff != new;
            if is_other {
                *staff = Arc::new(new);
            }
            is_other
        });
    }
}
