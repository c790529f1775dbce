//! Who is on shift at which scanner. On disk, so that a restart of the node sends nobody back to the start.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use eventify_protocol::{
    ids::{BootId, GateId, PersonId, ScannerId, ShiftId},
    time::{BootTime, WallTime},
};
use serde::{Deserialize, Serialize};

use super::file::{self, NotWritten};

const FILE: &str = "shifts.json";
/// Who forgets to end one ends it by going home.
pub(super) const MAX_SHIFT: Duration = Duration::from_secs(14 * 3_600);

/// One.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Shift {
    pub(crate) shift: ShiftId,
    pub(crate) person: PersonId,
    pub(crate) gate: GateId,
    boot: BootId,
    boottime: BootTime,
    wall: WallTime,
}

/// What the machine's clocks show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) boot: BootId,
    pub(crate) boottime: BootTime,
    pub(crate) wall: WallTime,
}

/// All of them, one a scanner.
#[derive(Debug)]
pub(crate) struct Shifts {
    path: PathBuf,
    by_scanner: BTreeMap<ScannerId, Shift>,
}

impl Shift {
    pub(super) fn begun(shift: ShiftId, person: PersonId, gate: GateId, now: Clocks) -> Self {
        Self {
            shift,
            person,
            gate,
            boot: now.boot,
            boottime: now.boottime,
            wall: now.wall,
        }
    }

    /// Within one boot by the clock that nobody can set; over a reboot by the wall clock.
    pub(super) fn age(&self, now: Clocks) -> Duration {
        if self.boot == now.boot {
            return now.boottime.since(self.boottime);
        }
        let micros = now.wall.0.saturating_sub(self.wall.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }

    fn is_over(&self, now: Clocks) -> bool {
        self.age(now) >= MAX_SHIFT
    }
}

impl Shifts {
    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    pub(super) fn open(data_dir: &Path) -> Self {
        let path = Self::path(data_dir);
        let by_scanner = file::load(&path);
        Self { path, by_scanner }
    }

    /// The shift at a scanner.
    pub(super) fn find(&self, scanner: ScannerId, now: Clocks) -> Option<&Shift> {
        let shift = self.by_scanner.get(&scanner)?;
        (!shift.is_over(now)).then_some(shift)
    }

    /// Begins one; the one before at this scanner ends.
    pub(super) fn begin(&mut self, scanner: ScannerId, shift: Shift) -> Result<(), NotWritten> {
        self.change(|shifts| {
            shifts.insert(scanner, shift);
        })
    }

    /// It goes on at another gate. False if there is none.
    pub(super) fn change_gate(
        &mut self,
        scanner: ScannerId,
        gate: GateId,
    ) -> Result<bool, NotWritten> {
        if !self.by_scanner.contains_key(&scanner) {
            return Ok(false);
        }
        self.change(|shifts| {
            if let Some(shift) = shifts.get_mut(&scanner) {
                shift.gate = gate;
            }
        })?;
        Ok(true)
    }

    /// Ends the one at a scanner, if there is one.
    pub(super) fn end(&mut self, scanner: ScannerId) -> Result<Option<Shift>, NotWritten> {
        let ended = self.by_scanner.get(&scanner).cloned();
        if ended.is_some() {
            self.change(|shifts| {
                shifts.remove(&scanner);
            })?;
        }
        Ok(ended)
    }

    /// Ends those that are over, and those of people who may not be on shift; returns them.
    pub(super) fn retain(
        &mut self,
        now: Clocks,
        may: impl Fn(PersonId) -> bool,
    ) -> Result<Vec<(ScannerId, Shift)>, NotWritten> {
        let stays = |shift: &Shift| !shift.is_over(now) && may(shift.person);
        let ended = self.by_scanner.iter().filter(|(_, shift)| !stays(shift));
        let ended: Vec<_> = ended.map(|(id, shift)| (*id, shift.clone())).collect();
        if !ended.is_empty() {
            self.change(|shifts| shifts.retain(|_, shift| stays(shift)))?;
        }
        Ok(ended)
    }

    fn change(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<ScannerId, Shift>),
    ) -> Result<(), NotWritten> {
        let mut next = self.by_scanner.clone();
        change(&mut next);
        file::save(&self.path, &next)?;
        self.by_scanner = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SCANNER: ScannerId = ScannerId(Uuid::from_u128(1));
    const SAM: PersonId = PersonId(Uuid::from_u128(2));
    const GATE: GateId = GateId(Uuid::from_u128(3));
    const HOUR: u64 = 3_600;

    /// So long after the begin, by both clocks.
    fn after(seconds: u64, boot: u128) -> Clocks {
        let micros = i64::try_from(seconds).unwrap() * 1_000_000;
        Clocks {
            boot: BootId(Uuid::from_u128(boot)),
            boottime: BootTime(if boot == 1 {
                seconds * 1_000_000_000
            } else {
                0
            }),
            wall: WallTime(1_700_000_000_000_000 + micros),
        }
    }

    fn begun(shifts: &mut Shifts) {
        let id = ShiftId(Uuid::from_u128(4));
        let shift = Shift::begun(id, SAM, GATE, after(0, 1));
        shifts.begin(SCANNER, shift).unwrap();
    }

    #[test]
    fn a_shift_outlives_restart_and_reboot_and_ends_after_fourteen_hours() {
        let folder = tempfile::tempdir().unwrap();
        begun(&mut Shifts::open(folder.path()));
        let mut shifts = Shifts::open(folder.path());
        for boot in [1, 2] {
            assert!(shifts.find(SCANNER, after(13 * HOUR, boot)).is_some());
            assert!(shifts.find(SCANNER, after(14 * HOUR, boot)).is_none());
        }
        let ended = shifts.retain(after(14 * HOUR, 2), |_| true).unwrap();
        assert_eq!(ended.len(), 1);
        let shifts = Shifts::open(folder.path());
        assert!(shifts.find(SCANNER, after(0, 1)).is_none());
    }

    #[test]
    fn the_shift_of_somebody_who_left_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut shifts = Shifts::open(folder.path());
        begun(&mut shifts);
        assert!(
            shifts
                .retain(after(1, 1), |who| who == SAM)
                .unwrap()
                .is_empty()
        );
        assert_eq!(shifts.retain(after(1, 1), |_| false).unwrap().len(), 1);
    }
}
