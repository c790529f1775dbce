//! A limit on wrong PINs of one scanner, so that it can't try everybody's one after the other. One PIN at a
//! time is looked at for each scanner.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use eventify_protocol::{ids::ScannerId, time::BootTime};

/// Wrong PINs of one scanner within [`WITHIN`].
const MAX_WRONG: usize = 10;
const WITHIN: Duration = Duration::from_secs(600);
/// A scanner that has sent one PIN and not waited for its answer waits so long with the next.
const BUSY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Tries {
    under_way: HashSet<ScannerId>,
    wrong: HashMap<ScannerId, VecDeque<BootTime>>,
}

/// Why a scanner's PIN is not looked at, and for how long none is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Too many were wrong.
    Locked(Duration),
    /// Another one of it is looked at.
    UnderWay(Duration),
}

impl Tries {
    /// A scanner sends a PIN. [`Tries::end`] follows, whatever becomes of it.
    pub(super) fn begin(&mut self, scanner: ScannerId, now: BootTime) -> Result<(), Wait> {
        for times in self.wrong.values_mut() {
            times.retain(|at| now.since(*at) < WITHIN);
        }
        self.wrong.retain(|_, times| !times.is_empty());
        let oldest = self.wrong.get(&scanner).filter(|it| it.len() >= MAX_WRONG);
        if let Some(oldest) = oldest.and_then(VecDeque::front) {
            return Err(Wait::Locked(oldest.plus(WITHIN).since(now)));
        }
        if self.under_way.insert(scanner) {
            Ok(())
        } else {
            Err(Wait::UnderWay(BUSY))
        }
    }

    /// It was wrong. Returns whether it was one too many.
    pub(super) fn count_wrong(&mut self, scanner: ScannerId, now: BootTime) -> bool {
        let times = self.wrong.entry(scanner).or_default();
        times.push_back(now);
        times.len() >= MAX_WRONG
    }

    pub(super) fn end(&mut self, scanner: ScannerId) {
        self.under_way.remove(&scanner);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SCANNER: ScannerId = ScannerId(Uuid::from_u128(1));
    const OTHER: ScannerId = ScannerId(Uuid::from_u128(2));

    fn at(seconds: u64) -> BootTime {
        BootTime(seconds * 1_000_000_000)
    }

    #[test]
    fn ten_wrong_pins_stop_a_scanner_whosever_they_were() {
        let mut tries = Tries::default();
        for second in 0..10 {
            assert_eq!(tries.begin(SCANNER, at(second)), Ok(()));
            assert_eq!(tries.count_wrong(SCANNER, at(second)), second == 9);
            tries.end(SCANNER);
        }
        let left = Wait::Locked(Duration::from_secs(590));
        assert_eq!(tries.begin(SCANNER, at(10)), Err(left));
        assert_eq!(tries.begin(OTHER, at(10)), Ok(()), "another scanner");
        assert_eq!(tries.begin(SCANNER, at(600)), Ok(()));
    }

    #[test]
    fn a_scanner_waits_for_its_answer() {
        let mut tries = Tries::default();
        assert_eq!(tries.begin(SCANNER, at(0)), Ok(()));
        assert_eq!(tries.begin(SCANNER, at(0)), Err(Wait::UnderWay(BUSY)));
        tries.end(SCANNER);
        assert_eq!(tries.begin(SCANNER, at(0)), Ok(()));
    }
}
