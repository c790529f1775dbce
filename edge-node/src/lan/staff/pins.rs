//! The PINs of those who have signed in here, and how many tries they have left. A try is on the disk before
//! it is looked at, so that no restart gives it back.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use eventify_disk::pin::PinHash;
use eventify_protocol::{
    ids::{BootId, PersonId},
    time::BootTime,
};
use serde::{Deserialize, Serialize};

use super::file::{self, NotWritten};
use crate::lan::scanners::Stamp;

const FILE: &str = "pins.json";
/// Wrong PINs in a row that lock one.
pub(super) const MAX_WRONG: u32 = 5;
/// For so long the first time, and twice as long each time after that.
const FIRST_LOCK: Duration = Duration::from_secs(300);
const MAX_LOCK: Duration = Duration::from_secs(24 * 3_600);

/// Of one person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    pin: PinHash,
    /// With the identity provider, last.
    signed_in: Stamp,
    /// In a row, since the last lock.
    wrong: u32,
    /// In a row.
    locks: u32,
    lock: Option<Lock>,
}

/// Nobody is let in by this PIN until then.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Lock {
    boot: BootId,
    until: BootTime,
    seconds: u64,
}

/// Why a PIN is not looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTried {
    #[error("there is no PIN")]
    NoPin,
    #[error("too many were wrong")]
    Locked(Duration),
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
}

/// A try that counts as wrong until it is known to be right.
#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) pin: PinHash,
    /// If this one is wrong.
    pub(crate) left: u32,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Pins {
    path: PathBuf,
    boot: BootId,
    /// How long one is good after the last sign-in with the provider.
    life: Duration,
    people: BTreeMap<PersonId, Record>,
}

impl Pins {
    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// A lock of another boot begins again: nobody knows how long the machine was off.
    pub(super) fn open(data_dir: &Path, (boot, now): (BootId, BootTime), life: Duration) -> Self {
        let path = Self::path(data_dir);
        let mut people: BTreeMap<PersonId, Record> = file::load(&path);
        for record in people.values_mut() {
            if let Some(lock) = record.lock.as_mut().filter(|lock| lock.boot != boot) {
                lock.boot = boot;
                lock.until = now.plus(Duration::from_secs(lock.seconds));
            }
        }
        Self {
            path,
            boot,
            life,
            people,
        }
    }

    /// Whether somebody has a PIN that is still good.
    pub(super) fn has(&self, person: PersonId, now: Stamp) -> bool {
        self.people
            .get(&person)
            .is_some_and(|record| !record.is_over(self.life, now))
    }

    /// How long none is taken from somebody.
    pub(super) fn locked(&self, person: PersonId, now: BootTime) -> Option<Duration> {
        let lock = self.people.get(&person)?.lock?;
        (lock.until > now).then(|| lock.until.since(now))
    }

    /// Somebody who has signed in chooses one, which ends a lock too.
    pub(super) fn set(
        &mut self,
        person: PersonId,
        pin: PinHash,
        signed_in: Stamp,
    ) -> Result<(), NotWritten> {
        self.change(|people| {
            let record = Record {
                pin,
                signed_in,
                wrong: 0,
                locks: 0,
                lock: None,
            };
            people.insert(person, record);
        })
    }

    /// Begins a try. It counts as wrong until [`Pins::end_right`].
    pub(super) fn begin(
        &mut self,
        person: PersonId,
        (now, stamp): (BootTime, Stamp),
    ) -> Result<Try, NotTried> {
        if !self.has(person, stamp) {
            return Err(NotTried::NoPin);
        }
        if let Some(left) = self.locked(person, now) {
            return Err(NotTried::Locked(left));
        }
        let boot = self.boot;
        self.change(|people| {
            if let Some(record) = people.get_mut(&person) {
                record.count_wrong(boot, now);
            }
        })?;
        let record = self.people.get(&person).ok_or(NotTried::NoPin)?;
        let left = match record.lock {
            Some(lock) if lock.until > now => 0,
            Some(_) | None => MAX_WRONG - record.wrong,
        };
        Ok(Try {
            pin: record.pin.clone(),
            left,
        })
    }

    /// It was right.
    pub(super) fn end_right(&mut self, person: PersonId, stamp: Stamp) -> Result<(), NotWritten> {
        self.change(|people| {
            if let Some(record) = people.get_mut(&person) {
                (record.wrong, record.locks, record.lock) = (0, 0, None);
                // A sign-in whose time nobody could prove counts from when it can be.
                if stamp.proven && !record.signed_in.proven {
                    record.signed_in = stamp;
                }
            }
        })
    }

    /// Forgets those who don't work here any more; returns how many.
    pub(super) fn retain(&mut self, here: &BTreeSet<PersonId>) -> Result<usize, NotWritten> {
        let gone = self.people.keys().filter(|person| !here.contains(person));
        let gone = gone.count();
        if gone > 0 {
            self.change(|people| people.retain(|person, _| here.contains(person)))?;
        }
        Ok(gone)
    }

    /// On disk first: what can't be written does not happen.
    fn change(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<PersonId, Record>),
    ) -> Result<(), NotWritten> {
        let mut next = self.people.clone();
        change(&mut next);
        file::save(&self.path, &next)?;
        self.people = next;
        Ok(())
    }
}

impl Record {
    /// Only the core's time counts days.
    fn is_over(&self, life: Duration, now: Stamp) -> bool {
        now.proven && self.signed_in.proven && now.at.since(self.signed_in.at) > life
    }

    fn count_wrong(&mut self, boot: BootId, now: BootTime) {
        self.wrong += 1;
        if self.wrong >= MAX_WRONG {
            let doubled = FIRST_LOCK.saturating_mul(1 << self.locks.min(16));
            let pause = doubled.min(MAX_LOCK);
            self.lock = Some(Lock {
                boot,
                until: now.plus(pause),
                seconds: pause.as_secs(),
            });
            self.locks = self.locks.saturating_add(1);
            self.wrong = 0;
        }
    }
}

#[cfg(test)]
#[path = "pins_tests.rs"]
mod tests;
