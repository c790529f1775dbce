//! Nonces: what binds a request for an access token to this moment. Whoever recorded such a request
//! and sends it again gets nothing. In memory only, like the tokens: a restart ends them all.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_protocol::{ids::ScannerId, lan::Nonce, time::BootTime};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock;

/// How long a nonce can be used.
const LIFE: Duration = Duration::from_secs(30);
const TIME_BYTES: usize = 8;

/// Nothing is kept of a nonce that was given out, for anybody may ask for one: it is its time, and
/// this node's word for that.
#[derive(Debug)]
pub(super) struct Nonces {
    key: [u8; 32],
    /// Of each scanner the time of the newest nonce that it has used; older ones are worth nothing.
    spent: HashMap<ScannerId, BootTime>,
}

impl Nonces {
    pub(super) fn new() -> Self {
        Self {
            key: clock::entropy(),
            spent: HashMap::new(),
        }
    }

    pub(super) fn issue(&self, now: BootTime) -> Nonce {
        let time = now.0.to_be_bytes();
        let word = self.mac(&time).finalize().into_bytes();
        Nonce {
            nonce: URL_SAFE_NO_PAD.encode([time.as_slice(), &word].concat()),
            expires_in: LIFE.as_secs(),
        }
    }

    /// Whether a scanner may use this nonce; it can't again.
    pub(super) fn spend(&mut self, scanner: ScannerId, nonce: &str, now: BootTime) -> bool {
        let Some(given) = self.read(nonce) else {
            return false;
        };
        self.spent.retain(|_, spent| now.since(*spent) <= LIFE);
        let is_newer = self.spent.get(&scanner).is_none_or(|spent| given > *spent);
        if given > now || now.since(given) > LIFE || !is_newer {
            return false;
        }
        self.spent.insert(scanner, given);
        true
    }

    /// When this node gave it out, if it did.
    fn read(&self, nonce: &str) -> Option<BootTime> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, word) = bytes.split_at_checked(TIME_BYTES)?;
        self.mac(time).verify_slice(word).ok()?;
        Some(BootTime(u64::from_be_bytes(time.try_into().ok()?)))
    }

    fn mac(&self, time: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(time);
        mac
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(second: u64) -> BootTime {
        BootTime(second * 1_000_000_000)
    }

    #[test]
    fn a_nonce_is_good_once_and_for_a_moment() {
        let mut nonces = Nonces::new();
        let [ada, bob] = [1, 2].map(|id| ScannerId(Uuid::from_u128(id)));
        let nonce = nonces.issue(at(100)).nonce;
        assert!(nonces.spend(ada, &nonce, at(110)));
        assert!(!nonces.spend(ada, &nonce, at(110)));
        assert!(nonces.spend(bob, &nonce, at(130)), "it is nobody's own");
        let early = nonces.issue(at(140)).nonce;
        let late = nonces.issue(at(141)).nonce;
        assert!(nonces.spend(ada, &late, at(142)));
        assert!(!nonces.spend(ada, &early, at(142)), "a newer one was used");
        assert!(!nonces.spend(bob, &early, at(171)), "too old");
        assert!(!nonces.spend(bob, &nonce, at(200)));
        assert!(nonces.spent.len() <= 1, "{:?}", nonces.spent);
    }

    #[test]
    fn only_this_process_makes_nonces() {
        let mut nonces = Nonces::new();
        let scanner = ScannerId(Uuid::from_u128(1));
        let mut future = URL_SAFE_NO_PAD.decode(nonces.issue(at(1)).nonce).unwrap();
        future[0] ^= 1;
        let future = URL_SAFE_NO_PAD.encode(future);
        let before = Nonces::new().issue(at(1)).nonce;
        for made_up in ["", "AAAA", "not base64!", &future, &before] {
            assert!(!nonces.spend(scanner, made_up, at(2)), "{made_up}");
        }
    }
}
