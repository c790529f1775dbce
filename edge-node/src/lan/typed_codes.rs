//! How many short codes a scanner may type: five that are no ticket's within a minute, and it types none
//! for a minute. A code has 50 bits, and this is what makes them enough (`core/DECISIONS.md` 58). Scanned QR
//! codes are signed, and not counted.
//!
//! In memory only: a restart of the node forgets the count, and a scanner can't cause one.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use eventify_protocol::{
    ids::{ScanId, ScannerId},
    time::BootTime,
};

/// Wrong codes that stop a scanner's typing.
const MAX_WRONG: usize = 5;
/// Within which they count, and for how long they stop it.
const PAUSE: Duration = Duration::from_secs(60);

/// What every scanner has typed in the last minute.
#[derive(Debug, Default)]
pub(super) struct TypedCodes {
    by_scanner: HashMap<ScannerId, Typed>,
}

#[derive(Debug, Default)]
struct Typed {
    /// Codes that are being decided, or were wrong; one that is asked again with its scan id counts once.
    attempts: VecDeque<(ScanId, BootTime)>,
    /// Until then it types none.
    paused_until: Option<BootTime>,
}

impl TypedCodes {
    /// A scanner has typed a code. It counts as wrong until it is known to be right, so that a hundred at
    /// once are no more than five.
    ///
    /// # Errors
    /// For how long it may not.
    pub(super) fn begin(
        &mut self,
        scanner: ScannerId,
        scan: ScanId,
        now: BootTime,
    ) -> Result<(), Duration> {
        self.by_scanner.retain(|_, typed| !typed.is_over(now));
        let typed = self.by_scanner.entry(scanner).or_default();
        if let Some(until) = typed.paused_until {
            return Err(until.since(now));
        }
        let is_known = typed.attempts.iter().any(|(earlier, _)| *earlier == scan);
        match typed.attempts.front() {
            Some((_, oldest)) if !is_known && typed.attempts.len() >= MAX_WRONG => {
                Err(oldest.plus(PAUSE).since(now))
            }
            Some(_) | None => {
                if !is_known {
                    typed.attempts.push_back((scan, now));
                }
                Ok(())
            }
        }
    }

    /// The code was a ticket's, or nobody could tell.
    pub(super) fn end_right(&mut self, scanner: ScannerId, scan: ScanId) {
        if let Some(typed) = self.by_scanner.get_mut(&scanner) {
            typed.attempts.retain(|(earlier, _)| *earlier != scan);
        }
    }

    /// The code was no ticket's. Returns whether this one was too many.
    pub(super) fn end_wrong(&mut self, scanner: ScannerId, now: BootTime) -> bool {
        let typed = self.by_scanner.entry(scanner).or_default();
        let is_too_many = typed.attempts.len() >= MAX_WRONG && typed.paused_until.is_none();
        if is_too_many {
            typed.paused_until = Some(now.plus(PAUSE));
            typed.attempts.clear();
        }
        is_too_many
    }
}

impl Typed {
    /// Forgets what is older than a minute; true if nothing is left.
    fn is_over(&mut self, now: BootTime) -> bool {
        self.attempts.retain(|(_, at)| now.since(*at) < PAUSE);
        self.paused_until = self.paused_until.filter(|until| *until > now);
        self.attempts.is_empty() && self.paused_until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SCANNER: ScannerId = ScannerId(Uuid::from_u128(1));
    const OTHER: ScannerId = ScannerId(Uuid::from_u128(2));

    fn scan(number: u128) -> ScanId {
        ScanId(Uuid::from_u128(number))
    }

    fn at(seconds: u64) -> BootTime {
        BootTime(seconds * 1_000_000_000)
    }

    /// Five that are wrong, one a second.
    fn mistyped(typed: &mut TypedCodes) {
        for number in 1..=5 {
            let now = at(u64::try_from(number).unwrap());
            assert_eq!(typed.begin(SCANNER, scan(number), now), Ok(()));
            assert_eq!(typed.end_wrong(SCANNER, now), number == 5);
        }
    }

    #[test]
    fn five_wrong_codes_in_a_minute_stop_typing_for_a_minute() {
        let mut typed = TypedCodes::default();
        mistyped(&mut typed);
        let left = typed.begin(SCANNER, scan(6), at(35)).unwrap_err();
        assert_eq!(left.as_secs(), 30);
        assert_eq!(
            typed.begin(OTHER, scan(7), at(35)),
            Ok(()),
            "another scanner"
        );
        assert_eq!(typed.begin(SCANNER, scan(6), at(65)), Ok(()));
        assert!(!typed.end_wrong(SCANNER, at(65)), "counted anew");
    }

    #[test]
    fn wrong_ones_far_apart_and_right_ones_stop_nobody() {
        let mut typed = TypedCodes::default();
        for number in 0..20 {
            let now = at(u64::try_from(number).unwrap() * 20);
            assert_eq!(typed.begin(SCANNER, scan(number), now), Ok(()));
            assert!(!typed.end_wrong(SCANNER, now));
        }
        for number in 100..200 {
            assert_eq!(typed.begin(OTHER, scan(number), at(0)), Ok(()));
            typed.end_right(OTHER, scan(number));
        }
    }

    #[test]
    fn a_scan_that_is_asked_again_counts_once() {
        let mut typed = TypedCodes::default();
        for second in 0..20 {
            assert_eq!(typed.begin(SCANNER, scan(1), at(second)), Ok(()));
            assert!(!typed.end_wrong(SCANNER, at(second)));
        }
    }

    #[test]
    fn a_hundred_at_once_are_five() {
        let mut typed = TypedCodes::default();
        let begun = (0..100).filter(|number| typed.begin(SCANNER, scan(*number), at(1)).is_ok());
        assert_eq!(begun.count(), 5);
    }
}
