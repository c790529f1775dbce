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
    hash::Hash32,
    ids::{ScanId, ScannerId},
    short_code::ShortCode,
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

/// A code as it was typed for one scan or act. Its id alone is none: whoever guesses may use one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    id: ScanId,
    code: Hash32,
}

#[derive(Debug, Default)]
struct Typed {
    /// Codes that are being decided, or were wrong; the same one that is asked again with its id counts once.
    attempts: VecDeque<(Attempt, BootTime)>,
    /// Until then it types none.
    paused_until: Option<BootTime>,
}

impl Attempt {
    pub(super) fn new(id: ScanId, code: ShortCode) -> Self {
        Self {
            id,
            code: Hash32::of(code.as_str().as_bytes()),
        }
    }
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
        attempt: Attempt,
        now: BootTime,
    ) -> Result<(), Duration> {
        self.by_scanner.retain(|_, typed| !typed.is_over(now));
        let typed = self.by_scanner.entry(scanner).or_default();
        if let Some(until) = typed.paused_until {
            return Err(until.since(now));
        }
        let is_known = typed
            .attempts
            .iter()
            .any(|(earlier, _)| *earlier == attempt);
        match typed.attempts.front() {
            Some((_, oldest)) if !is_known && typed.attempts.len() >= MAX_WRONG => {
                Err(oldest.plus(PAUSE).since(now))
            }
            Some(_) | None => {
                if !is_known {
                    typed.attempts.push_back((attempt, now));
                }
                Ok(())
            }
        }
    }

    /// The code was a ticket's, or nobody could tell.
    pub(super) fn end_right(&mut self, scanner: ScannerId, attempt: Attempt) {
        if let Some(typed) = self.by_scanner.get_mut(&scanner) {
            typed.attempts.retain(|(earlier, _)| *earlier != attempt);
        }
    }

    /// The code was no ticket's. Returns whether this one was too many.
    pub(super) fn end_wrong(&mut self, scanner: ScannerId, now: BootTime) -> bool {
        let typed = self.by_scanner.entry(scanner).or_default();
        let is_too_many = typed.attempts.len() >= MAX_WRONG && typed.paused_until.is_none();
        if is_too_many {
            typed.paused_until = Some(now.plus(PAUSE));
            typed.attempts.clear();
            tracing::warn!(code = "lan.wrong_codes", scanner_id = %scanner,
                "a scanner has typed too many short codes that are no ticket's: it types none for a minute");
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

    /// Each with an id and a code of its own.
    fn scan(number: u128) -> Attempt {
        with_id(number, number)
    }

    fn with_id(id: u128, code: u128) -> Attempt {
        let text = format!("{code:010}");
        Attempt::new(ScanId(Uuid::from_u128(id)), ShortCode::read(&text).unwrap())
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

    #[test]
    fn an_id_that_is_used_again_buys_no_guess_and_the_own_ticket_none_either() {
        let mut typed = TypedCodes::default();
        for guess in 1..=5 {
            assert_eq!(typed.begin(SCANNER, with_id(1, guess), at(1)), Ok(()));
            typed.end_wrong(SCANNER, at(1));
            let own = with_id(1, 777);
            if typed.begin(SCANNER, own, at(1)).is_ok() {
                typed.end_right(SCANNER, own);
            }
        }
        assert!(typed.begin(SCANNER, with_id(1, 6), at(2)).is_err());
    }
}
