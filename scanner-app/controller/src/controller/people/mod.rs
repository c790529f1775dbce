//! Who holds this scanner, and whose word counts for what is done beside scanning. The node knows both:
//! here is what it has said, and how long that is good for.
//!
//! Deliberately absent: the PIN of anybody who is signed in. It goes to the node and is wiped.

mod answers;
mod flow;
mod lan;
mod new_pin;
mod pin;
mod screens;

use std::time::Duration;

use eventify_lan_client::ClientError;
use eventify_protocol::{
    ids::PersonId,
    lan::{Authorisation, People, Person, Shift},
    staff::StaffRole,
    time::BootTime,
};
use zeroize::Zeroizing;

pub(super) use self::flow::{Errand, Flow};
pub(super) use self::lan::code_of;
use super::{Controller, outbox::Outbox};
use crate::{
    io::{Call, CallId, Now, PeopleCall},
    view::{Authorised, OnShift, PersonChoice},
};

/// The node does not answer: asked again so much later.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two looks at the list while it is on the screen: whether the line is back, who is locked.
const LIST_AGES: Duration = Duration::from_secs(10);
/// Between two looks at the shift: it may have been ended at the node, or begun elsewhere.
const SHIFT_AGES: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Staff {
    list: Option<(People, BootTime)>,
    /// The node scans only with somebody on shift.
    needed: bool,
    /// It has refused a scan for that.
    refused: bool,
    shift: Option<OnDuty>,
    authorised: Option<ForNow>,
    /// The list is on the screen.
    is_shown: bool,
    listing: Option<CallId>,
    asking: Option<CallId>,
    ending: Option<CallId>,
    wants_list: bool,
    wants_shift: bool,
    retry_at: Option<BootTime>,
}

#[derive(Debug)]
struct OnDuty {
    person: Person,
    since_ms: u64,
    ends: BootTime,
    look_at: BootTime,
}

/// A colleague's word.
struct ForNow {
    authorisation: Zeroizing<String>,
    person: Person,
    ends: BootTime,
}

impl std::fmt::Debug for ForNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForNow")
            .field("person", &self.person)
            .finish_non_exhaustive()
    }
}

/// What a role may.
pub(super) type May = fn(StaffRole) -> bool;

fn any(person: &Person, may: May) -> bool {
    person.roles.iter().any(|role| may(*role))
}

impl Staff {
    /// The node was reached: what it knows may be another thing than before.
    pub(super) fn ask_all(&mut self) {
        self.wants_list = true;
        self.wants_shift = true;
    }

    pub(super) fn ask_list(&mut self) {
        self.wants_list = true;
    }

    pub(super) fn drive(&mut self, now: BootTime, out: &mut Outbox) {
        if self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        self.retry_at = None;
        if self.wants_list && self.listing.is_none() {
            self.wants_list = false;
            self.listing = Some(out.call(Call::People(PeopleCall::List)));
        }
        if self.wants_shift && self.asking.is_none() {
            self.wants_shift = false;
            self.asking = Some(out.call(Call::People(PeopleCall::CurrentShift)));
        }
    }

    /// What has ended by itself.
    pub(super) fn tick(&mut self, now: BootTime) -> bool {
        let word = self.authorised.take_if(|word| word.ends <= now);
        let shift = self.shift.take_if(|shift| shift.ends <= now);
        let is_old = |shift: &mut OnDuty| {
            let is_due = shift.look_at <= now;
            if is_due {
                shift.look_at = now.plus(SHIFT_AGES);
            }
            is_due
        };
        self.wants_shift |= shift.is_some() || self.shift.as_mut().is_some_and(is_old);
        if self.is_shown && self.list_ages_at().is_some_and(|at| at <= now) {
            self.wants_list = true;
        }
        word.is_some() || shift.is_some()
    }

    pub(super) fn show_list(&mut self, is_shown: bool) {
        self.is_shown = is_shown;
    }

    fn list_ages_at(&self) -> Option<BootTime> {
        let (_, at) = self.list.as_ref().filter(|_| self.listing.is_none())?;
        Some(at.plus(LIST_AGES))
    }

    pub(super) fn next(&self) -> Option<BootTime> {
        let wants = self.wants_list || self.wants_shift;
        let times = [
            self.list_ages_at().filter(|_| self.is_shown),
            self.shift.as_ref().map(|shift| shift.look_at),
            self.retry_at.filter(|_| wants),
            self.shift.as_ref().map(|shift| shift.ends),
            self.authorised.as_ref().map(|word| word.ends),
        ];
        times.into_iter().flatten().min()
    }

    /// Nobody scans before somebody is signed in.
    pub(super) fn is_missing(&self) -> bool {
        (self.needed || self.refused) && self.shift.is_none()
    }

    pub(super) fn is_on_shift(&self) -> bool {
        self.shift.is_some()
    }

    /// There is somebody to sign in.
    pub(super) fn is_staffed(&self) -> bool {
        let list = self.list.as_ref();
        self.shift.is_some() || list.is_some_and(|(list, _)| !list.people.is_empty())
    }

    /// The person on shift may, or a colleague has said so.
    pub(super) fn may(&self, may: May) -> bool {
        let on_shift = self.shift.as_ref().map(|shift| &shift.person);
        let colleague = self.authorised.as_ref().map(|word| &word.person);
        on_shift
            .into_iter()
            .chain(colleague)
            .any(|person| any(person, may))
    }

    /// What a request carries for it: nothing where the person on shift may by themselves.
    pub(super) fn word_for(&self, may: May) -> Option<String> {
        let on_shift = self.shift.as_ref();
        if on_shift.is_some_and(|shift| any(&shift.person, may)) {
            return None;
        }
        let word = self.authorised.as_ref();
        let word = word.filter(|word| any(&word.person, may))?;
        Some(word.authorisation.to_string())
    }

    /// Anybody known here by this id.
    pub(super) fn name_of(&self, id: PersonId) -> Option<String> {
        let on_shift = self.shift.as_ref().map(|shift| &shift.person);
        let colleague = self.authorised.as_ref().map(|word| &word.person);
        let listed = self.list.iter().flat_map(|(list, _)| &list.people);
        let mut all = on_shift
            .into_iter()
            .chain(colleague)
            .chain(listed.map(|listed| &listed.person));
        all.find(|person| person.person_id == id)
            .map(|person| person.name.clone())
    }

    fn on_shift(&mut self, shift: Shift, now: Now) {
        self.refused = false;
        self.shift = Some(OnDuty {
            since_ms: now
                .wall_ms()
                .saturating_sub(shift.for_seconds.saturating_mul(1_000)),
            ends: now.boot.plus(Duration::from_secs(shift.expires_in)),
            look_at: now.boot.plus(SHIFT_AGES),
            person: shift.person,
        });
    }

    fn on_authorised(&mut self, word: Authorisation, now: BootTime) {
        self.authorised = Some(ForNow {
            ends: now.plus(Duration::from_secs(word.expires_in)),
            authorisation: Zeroizing::new(word.authorisation),
            person: word.person,
        });
    }

    /// The node says that nobody is on shift.
    pub(super) fn on_shift_gone(&mut self) {
        self.shift = None;
        self.ask_all();
    }

    /// … and that nobody scans before.
    pub(super) fn on_shift_needed(&mut self) {
        self.refused = true;
        self.on_shift_gone();
    }

    /// The node takes the colleague's word no more.
    pub(super) fn on_word_over(&mut self) {
        self.authorised = None;
    }

    fn on_listed(&mut self, result: Result<People, ClientError>, now: BootTime) {
        match result {
            Ok(list) => {
                self.needed = list.shift_needed;
                self.list = Some((list, now));
            }
            // A node of before there was staff.
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => self.list = None,
            Err(_) => {
                self.wants_list = true;
                self.retry_at = Some(now.plus(PAUSE));
            }
        }
    }

    fn on_current(&mut self, result: Result<Option<Shift>, ClientError>, now: Now) {
        match result {
            Ok(Some(shift)) => self.on_shift(shift, now),
            // The second is a node's of before there was staff.
            Ok(None) => self.shift = None,
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => self.shift = None,
            Err(_) => {
                self.wants_shift = true;
                self.retry_at = Some(now.boot.plus(PAUSE));
            }
        }
    }

    pub(super) fn person_view(&self, now: BootTime) -> Option<OnShift> {
        let shift = self.shift.as_ref()?;
        let left = shift.ends.since(now).as_millis();
        Some(OnShift {
            name: shift.person.name.clone(),
            since_ms: shift.since_ms,
            ends_in_ms: u64::try_from(left).unwrap_or(u64::MAX),
        })
    }

    pub(super) fn authorised_view(&self, now: BootTime) -> Option<Authorised> {
        let word = self.authorised.as_ref()?;
        Some(Authorised {
            name: word.person.name.clone(),
            left_ms: super::ms32(word.ends.since(now)),
        })
    }

    /// Those who may, by name.
    fn choices(&self, may: May, now: BootTime) -> Vec<PersonChoice> {
        let Some((list, at)) = &self.list else {
            return Vec::new();
        };
        let passed = now.since(*at);
        let people = list.people.iter();
        people
            .filter(|listed| any(&listed.person, may))
            .map(|listed| PersonChoice {
                person_id: listed.person.person_id.to_string(),
                name: listed.person.name.clone(),
                roles: lan::roles(&listed.person),
                has_pin: listed.has_pin,
                locked_ms: listed
                    .locked_ms
                    .map(|ms| Duration::from_millis(ms).saturating_sub(passed))
                    .filter(|left| !left.is_zero())
                    .map(super::ms32),
            })
            .collect()
    }

    fn is_online(&self) -> bool {
        self.list.as_ref().is_some_and(|(list, _)| list.online)
    }

    fn is_asking(&self) -> bool {
        self.list.is_none() && (self.listing.is_some() || self.wants_list)
    }
}

impl Controller {
    /// Scans wait until somebody is signed in.
    pub(super) fn must_sign_in(&self) -> bool {
        self.staff.is_missing()
    }

    pub(super) fn end_shift(&mut self) {
        if self.staff.is_on_shift() && self.staff.ending.is_none() {
            self.staff.ending = Some(self.out.call(Call::People(PeopleCall::EndShift)));
        }
    }
}
