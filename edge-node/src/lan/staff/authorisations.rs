//! A colleague's word at a scanner that somebody else holds: in memory, for two minutes.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_protocol::{
    hash::Hash32,
    ids::{PersonId, ScannerId},
    time::BootTime,
};

use crate::clock;

/// In the node's boottime.
pub(super) const LIFE: Duration = Duration::from_secs(120);
/// Of one scanner at once; the oldest one ends with one more.
const MAX_PER_SCANNER: usize = 4;

/// The valid ones, by their hash.
#[derive(Debug, Default)]
pub(crate) struct Authorisations {
    valid: HashMap<Hash32, Word>,
}

#[derive(Debug)]
struct Word {
    scanner: ScannerId,
    person: PersonId,
    until: BootTime,
}

impl Authorisations {
    pub(super) fn issue(&mut self, scanner: ScannerId, person: PersonId, now: BootTime) -> String {
        self.valid.retain(|_, word| word.until > now);
        let of_scanner = self
            .valid
            .iter()
            .filter(|(_, word)| word.scanner == scanner);
        let mut ends: Vec<_> = of_scanner.map(|(hash, word)| (word.until, *hash)).collect();
        ends.sort_by_key(|(until, _)| *until);
        let surplus = (ends.len() + 1).saturating_sub(MAX_PER_SCANNER);
        for (_, hash) in ends.into_iter().take(surplus) {
            self.valid.remove(&hash);
        }
        let text = URL_SAFE_NO_PAD.encode(clock::entropy::<32>());
        let word = Word {
            scanner,
            person,
            until: now.plus(LIFE),
        };
        self.valid.insert(Hash32::of(text.as_bytes()), word);
        text
    }

    /// Whose word it is, at this scanner and now.
    pub(super) fn person(&self, scanner: ScannerId, text: &str, now: BootTime) -> Option<PersonId> {
        let word = self.valid.get(&Hash32::of(text.as_bytes()))?;
        (word.scanner == scanner && word.until > now).then_some(word.person)
    }

    /// Ends all of a scanner.
    pub(super) fn end(&mut self, scanner: ScannerId) {
        self.valid.retain(|_, word| word.scanner != scanner);
    }

    /// Ends those of people who may give no word any more.
    pub(super) fn retain(&mut self, may: impl Fn(PersonId) -> bool) {
        self.valid.retain(|_, word| may(word.person));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SCANNER: ScannerId = ScannerId(Uuid::from_u128(1));
    const OTHER: ScannerId = ScannerId(Uuid::from_u128(2));
    const SAM: PersonId = PersonId(Uuid::from_u128(3));

    #[test]
    fn a_word_counts_at_its_own_scanner_for_two_minutes() {
        let mut words = Authorisations::default();
        let begin = BootTime(7);
        let word = words.issue(SCANNER, SAM, begin);
        let at = |seconds| begin.plus(Duration::from_secs(seconds));
        assert_eq!(words.person(SCANNER, &word, at(119)), Some(SAM));
        assert_eq!(words.person(OTHER, &word, at(1)), None);
        assert_eq!(words.person(SCANNER, &word, at(120)), None);
        assert_eq!(words.person(SCANNER, "guessed", at(1)), None);
        words.retain(|_| false);
        assert_eq!(words.person(SCANNER, &word, at(1)), None);
    }
}
