//! Access tokens: short-lived, opaque, bound to a scanner, in memory only. After a restart every
//! scanner requests a new one with its key.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_protocol::{hash::Hash32, ids::ScannerId, lan::AccessToken, time::BootTime};

use crate::clock;

/// In the node's boottime.
const LIFE: Duration = Duration::from_secs(600);
/// Tokens of one scanner at once: one in use, one on its way, and some whose answer got lost.
const MAX_PER_SCANNER: usize = 4;

/// The valid tokens, by their hash.
#[derive(Debug, Default)]
pub(crate) struct AccessTokens {
    valid: HashMap<Hash32, Grant>,
}

#[derive(Debug)]
struct Grant {
    scanner: ScannerId,
    until: BootTime,
}

impl AccessTokens {
    /// A new token for a scanner; its oldest one ends if it has too many.
    pub(crate) fn issue(&mut self, scanner: ScannerId, now: BootTime) -> AccessToken {
        self.valid.retain(|_, grant| grant.until > now);
        let mut of_scanner: Vec<_> = self
            .valid
            .iter()
            .filter(|(_, grant)| grant.scanner == scanner)
            .collect();
        of_scanner.sort_by_key(|(_, grant)| grant.until);
        let surplus = (of_scanner.len() + 1).saturating_sub(MAX_PER_SCANNER);
        let oldest: Vec<Hash32> = of_scanner
            .iter()
            .take(surplus)
            .map(|(hash, _)| **hash)
            .collect();
        for hash in oldest {
            self.valid.remove(&hash);
        }
        let token = URL_SAFE_NO_PAD.encode(clock::entropy::<32>());
        let until = now.plus(LIFE);
        self.valid
            .insert(Hash32::of(token.as_bytes()), Grant { scanner, until });
        AccessToken {
            token,
            expires_in: LIFE.as_secs(),
        }
    }

    /// The scanner that the token with this hash was issued to, if it is still valid. The lookup by
    /// hash keeps its duration from revealing anything about other tokens.
    pub(crate) fn holder(&self, token: Hash32, now: BootTime) -> Option<ScannerId> {
        let grant = self.valid.get(&token)?;
        (grant.until > now).then_some(grant.scanner)
    }

    /// Whether a scanner has a valid token, whichever.
    pub(crate) fn is_held_by(&self, scanner: ScannerId, now: BootTime) -> bool {
        let mut grants = self.valid.values();
        grants.any(|grant| grant.scanner == scanner && grant.until > now)
    }

    /// Ends all tokens of a scanner.
    pub(crate) fn end(&mut self, scanner: ScannerId) {
        self.valid.retain(|_, grant| grant.scanner != scanner);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn holder(tokens: &AccessTokens, token: &str, now: BootTime) -> Option<ScannerId> {
        tokens.holder(Hash32::of(token.as_bytes()), now)
    }

    #[test]
    fn a_token_is_its_scanners_until_its_time_is_over() {
        let mut tokens = AccessTokens::default();
        let scanner = ScannerId(Uuid::from_u128(1));
        let now = BootTime(5_000_000_000);
        let token = tokens.issue(scanner, now).token;
        assert_eq!(holder(&tokens, &token, now), Some(scanner));
        assert_eq!(
            holder(
                &tokens,
                &token,
                now.plus(LIFE).minus(Duration::from_nanos(1))
            ),
            Some(scanner)
        );
        assert_eq!(holder(&tokens, &token, now.plus(LIFE)), None);
        assert_eq!(holder(&tokens, "guessed", now), None);
    }

    #[test]
    fn a_scanner_has_a_token_until_its_last_one_ends() {
        let mut tokens = AccessTokens::default();
        let [ada, bob] = [1, 2].map(|id| ScannerId(Uuid::from_u128(id)));
        let begin = BootTime(5_000_000_000);
        let half = begin.plus(LIFE / 2);
        tokens.issue(ada, begin);
        tokens.issue(bob, begin);
        tokens.issue(ada, half);
        assert!(
            tokens.is_held_by(ada, begin.plus(LIFE)),
            "it was renewed in time"
        );
        assert!(!tokens.is_held_by(bob, begin.plus(LIFE)));
        assert!(!tokens.is_held_by(ada, half.plus(LIFE)));
        tokens.end(ada);
        assert!(!tokens.is_held_by(ada, half) && tokens.is_held_by(bob, half));
    }

    #[test]
    fn the_oldest_token_ends_when_a_scanner_asks_for_too_many() {
        let mut tokens = AccessTokens::default();
        let scanner = ScannerId(Uuid::from_u128(1));
        let at = |second: u64| BootTime(second * 1_000_000_000);
        let first = tokens.issue(scanner, at(1)).token;
        let others: Vec<_> = (2..=4)
            .map(|second| tokens.issue(scanner, at(second)).token)
            .collect();
        assert!(holder(&tokens, &first, at(4)).is_some());
        let newest = tokens.issue(scanner, at(5)).token;
        assert_eq!(holder(&tokens, &first, at(5)), None);
        for token in others.iter().chain([&newest]) {
            assert!(holder(&tokens, token, at(5)).is_some());
        }
    }
}
