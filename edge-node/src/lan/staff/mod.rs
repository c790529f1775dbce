//! Who works here, at this node: PINs, shifts, and a colleague's word (`ADMISSION` 10). The list itself is the
//! venue's feed's; here is what people make of it at the scanners.
//!
//! | file | what |
//! |---|---|
//! | `pins` | the PINs of this node, with their tries and locks, on disk ([`eventify_disk::pin`]) |
//! | `tries` | a limit on wrong PINs of one scanner |
//! | `first`, `sign_ins` | a first sign-in with the identity provider, and the PIN chosen after it |
//! | `shifts` | who is on shift where, on disk |
//! | `authorisations` | a colleague's word for two minutes |
//! | `proof` | a PIN is looked at |
//! | `rights` | who acts, and whether they may |
//! | `file` | the files of PINs and shifts |
//!
//! Deliberately absent: names in log lines, and any decision to admit.

mod authorisations;
mod file;
mod first;
mod pins;
mod proof;
mod rights;
mod shifts;
mod sign_ins;
mod tries;

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, Mutex},
};

use eventify_protocol::{
    ids::{GateId, PersonId, ScannerId},
    lan::{ListedPerson, People, Person, Shift as ShownShift},
    staff::PIN_DIGITS,
    sync::{PersonEntry, StaffAnswer, StaffAsk},
    verdict::Mode,
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Duration, interval},
};

use super::{Lan, error::ApiError, locked};
use crate::{
    clock::{self, Clock},
    owner::VenueStaff,
};

pub(crate) use rights::Acting;

use authorisations::Authorisations;
use file::NotWritten;
use first::ASK_EVERY;
use pins::Pins;
use shifts::{Clocks, MAX_SHIFT, Shift, Shifts};
use sign_ins::SignIns;
use tries::Tries;

/// Of a PIN: exactly so many.
const DIGITS: RangeInclusive<usize> = PIN_DIGITS..=PIN_DIGITS;
/// PINs that are looked at at once: each takes a core and 19 MiB for a moment, and scans come first.
const HASHES_AT_ONCE: usize = 1;
/// How often shifts are ended that are over.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What a node keeps about staff.
#[derive(Debug)]
pub(crate) struct Staff {
    venue: watch::Receiver<Arc<VenueStaff>>,
    pins: Mutex<Pins>,
    shifts: Mutex<Shifts>,
    authorisations: Mutex<Authorisations>,
    tries: Mutex<Tries>,
    hashing: Arc<Semaphore>,
    sign_ins: Mutex<SignIns>,
    /// To the core.
    asks: mpsc::Sender<StaffAsk>,
    /// The core has told something of a sign-in.
    changes: watch::Sender<()>,
}

impl Staff {
    /// Reads the files.
    pub(crate) fn open(
        (data_dir, pin_life): (&Path, Duration),
        clock: Clock,
        venue: watch::Receiver<Arc<VenueStaff>>,
        asks: mpsc::Sender<StaffAsk>,
    ) -> Self {
        let now = (clock.boot(), clock.boottime());
        Self {
            venue,
            pins: Mutex::new(Pins::open(data_dir, now, pin_life)),
            shifts: Mutex::new(Shifts::open(data_dir)),
            authorisations: Mutex::default(),
            tries: Mutex::default(),
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            sign_ins: Mutex::default(),
            asks,
            changes: watch::Sender::new(()),
        }
    }

    fn venue(&self) -> Arc<VenueStaff> {
        Arc::clone(&self.venue.borrow())
    }

    /// Somebody who works here, as scanners show them.
    pub(super) fn person(&self, person: PersonId) -> Option<Person> {
        let venue = self.venue();
        venue.people.get(&person).map(|entry| shown(person, entry))
    }
}

impl Lan {
    fn clocks(&self) -> Clocks {
        Clocks {
            boot: self.clock.boot(),
            boottime: self.clock.boottime(),
            wall: self.clock.wall(),
        }
    }

    /// Who works at this venue, by name.
    pub(super) fn list_people(&self) -> People {
        let venue = self.staff.venue();
        let (now, stamp) = (self.clock.boottime(), self.stamp());
        let pins = locked(&self.staff.pins);
        let listed = venue.people.iter().map(|(person, entry)| ListedPerson {
            person: shown(*person, entry),
            has_pin: pins.has(*person, stamp),
            locked_ms: pins.locked(*person, now).map(millis),
        });
        let mut people: Vec<_> = listed.collect();
        drop(pins);
        people.sort_by_cached_key(|it| (it.person.name.to_lowercase(), it.person.person_id));
        People {
            people,
            shift_needed: venue.shift_needed,
            online: self.is_online(),
        }
    }

    /// Whether the core answers.
    pub(super) fn is_online(&self) -> bool {
        self.owner.latest().mode == Mode::Online
    }

    /// Whether scanners scan only with somebody on shift.
    pub(super) fn is_shift_needed(&self) -> bool {
        self.staff.venue().shift_needed
    }

    /// Who is on shift at a scanner, for the journal.
    pub(super) fn on_shift(&self, scanner: ScannerId) -> Option<PersonId> {
        let shifts = locked(&self.staff.shifts);
        let person = shifts.find(scanner, self.clocks())?.person;
        drop(shifts);
        self.staff.venue().may_work(person).then_some(person)
    }

    /// The shift at a scanner.
    pub(super) fn current_shift(&self, scanner: ScannerId) -> Option<ShownShift> {
        let now = self.clocks();
        let shift = locked(&self.staff.shifts).find(scanner, now).cloned()?;
        let person = self.staff.person(shift.person);
        let person = person.filter(|person| !person.roles.is_empty())?;
        let age = shift.age(now);
        Some(ShownShift {
            shift_id: shift.shift,
            gate_id: shift.gate,
            person,
            for_seconds: age.as_secs(),
            expires_in: MAX_SHIFT.saturating_sub(age).as_secs(),
        })
    }

    /// Somebody who has proven themselves is on shift at this scanner from now on.
    pub(super) fn begin_shift(
        &self,
        scanner: ScannerId,
        person: PersonId,
        gate: GateId,
    ) -> Result<(), NotWritten> {
        let shift = Shift::begun(clock::new_id(), person, gate, self.clocks());
        tracing::info!(
            code = "staff.shift_begun",
            scanner_id = %scanner,
            person_id = %person,
            gate_id = %gate,
            shift_id = %shift.shift,
            "somebody is on shift at a scanner"
        );
        locked(&self.staff.shifts).begin(scanner, shift)
    }

    /// Whoever is on shift at a scanner goes on at another gate. False if nobody is.
    pub(super) fn change_gate_of_shift(
        &self,
        scanner: ScannerId,
        gate: GateId,
    ) -> Result<bool, NotWritten> {
        locked(&self.staff.shifts).change_gate(scanner, gate)
    }

    /// Ends the shift at a scanner, and colleagues' words for it.
    pub(super) fn end_shift(&self, scanner: ScannerId) -> Result<(), NotWritten> {
        locked(&self.staff.authorisations).end(scanner);
        let ended = locked(&self.staff.shifts).end(scanner)?;
        if let Some(shift) = ended {
            log_ended(scanner, &shift, "signed_out");
        }
        Ok(())
    }

    /// A scanner is unpaired: nobody is on shift there any more.
    pub(super) fn end_staff_of(&self, scanner: ScannerId) {
        locked(&self.staff.sign_ins).end(scanner);
        if let Err(error) = self.end_shift(scanner) {
            warn_unwritten(&error);
        }
    }

    /// Forgets who does not work here any more, and ends shifts that are over. Without a list nobody is gone.
    fn tidy_staff(&self) {
        let venue = self.staff.venue();
        if !venue.is_known {
            return;
        }
        locked(&self.staff.authorisations).retain(|person| venue.may_work(person));
        let ended = locked(&self.staff.shifts).retain(self.clocks(), |it| venue.may_work(it));
        match ended {
            Ok(ended) => ended
                .iter()
                .for_each(|(scanner, shift)| log_ended(*scanner, shift, "over_or_left")),
            Err(error) => warn_unwritten(&error),
        }
        let here: BTreeSet<PersonId> = venue.people.keys().copied().collect();
        match locked(&self.staff.pins).retain(&here) {
            Ok(0) => {}
            Ok(people) => tracing::info!(
                code = "staff.left",
                people,
                "people who do not work here any more have no PIN any more"
            ),
            Err(error) => warn_unwritten(&error),
        }
    }
}

/// Follows the venue's list and the core's word, until the node stops.
pub(crate) async fn keep(lan: Arc<Lan>, mut answers: mpsc::Receiver<StaffAnswer>) {
    let mut venue = lan.staff.venue.clone();
    let (mut looks, mut asks) = (interval(LOOK_EVERY), interval(ASK_EVERY));
    loop {
        tokio::select! {
            () = lan.stop.cancelled() => return,
            answer = answers.recv() => match answer {
                Some(answer) => {
                    lan.hear(answer);
                    continue;
                }
                None => return,
            },
            _ = asks.tick() => {
                lan.ask_core();
                continue;
            }
            _ = looks.tick() => {}
            changed = venue.changed() => if changed.is_err() {
                return;
            }
        }
        lan.tidy_staff();
    }
}

fn shown(person_id: PersonId, entry: &PersonEntry) -> Person {
    Person {
        person_id,
        name: entry.name.clone(),
        roles: entry.roles.clone(),
    }
}

fn log_ended(scanner: ScannerId, shift: &Shift, reason: &'static str) {
    tracing::info!(
        code = "staff.shift_ended",
        scanner_id = %scanner,
        person_id = %shift.person,
        shift_id = %shift.shift,
        reason,
        "a shift has ended"
    );
}

fn warn_unwritten(error: &NotWritten) {
    tracing::error!(
        code = "staff.not_written",
        %error,
        "what is kept about staff can't be written: it is as it was, and tried again"
    );
}

impl From<NotWritten> for ApiError {
    fn from(error: NotWritten) -> Self {
        warn_unwritten(&error);
        Self::StaffNotStored
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
