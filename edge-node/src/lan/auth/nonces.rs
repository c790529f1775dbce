//! Nonces: they bind a request for an access token to this moment, so that a recorded request is
//! refused when it is sent again. In memory only, like the tokens: a restart ends them all.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_protocol::{ids::ScannerId, lan::Nonce, time::BootTime};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock;

/// In the node's boottime.
const LIFE: Duration = Duration::from_secs(30);
const TIME_BYTES: usize = 8;

/// Issued nonces are not stored, for anybody may request one: a nonce is the time of its issue and
/// this node's MAC over it.
pub(crate) struct Nonces {
    key: [u8; 32],
    /// Issue time of the newest nonce that each scanner has used; older ones are refused.
    spent: HashMap<ScannerId, BootTime>,
}

eventify_protocol::debug_without_secrets! {
    Nonces { spent },
}

impl Nonces {
    pub(crate) fn new() -> Self {
        Self {
            key: clock::entropy(),
            spent: HashMap::new(),
        }
    }

    pub(crate) fn issue(&self, now: BootTime) -> Nonce {
        let time = now.0.to_be_bytes();
        let mac = self.mac(&time).finalize().into_bytes();
        Nonce {
            nonce: URL_SAFE_NO_PAD.encode([time.as_slice(), &mac].concat()),
            expires_in: LIFE.as_secs(),
        }
    }

    /// Whether a scanner may use this nonce. It can't use it again.
    pub(crate) fn spend(&mut self, scanner: ScannerId, nonce: &str, now: BootTime) -> bool {
        let Some(issued) = self.read(nonce) else {
            return false;
        };
        self.spent.retain(|_, spent| now.since(*spent) <= LIFE);
        let is_newer = self.spent.get(&scanner).is_none_or(|spent| issued > *spent);
        if issued > now || now.since(issued) > LIFE || !is_newer {
            return false;
        }
        self.spent.insert(scanner, issued);
        true
    }

    /// When this process issued it, if it did.
    fn read(&self, nonce: &str) -> Option<BootTime> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, mac) = bytes.split_at_checked(TIME_BYTES)?;
        self.mac(time).verify_slice(mac).ok()?;
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
        assert!(
            nonces.spend(bob, &nonce, at(130)),
            "it is not bound to a scanner"
        );
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

    #[test]
    fn the_key_of_nonces_is_not_printed() {
        let nonces = Nonces {
            key: [199; 32],
            spent: HashMap::new(),
        };
        assert!(!format!("{nonces:?}").contains("199"), "{nonces:?}");
    }
}
