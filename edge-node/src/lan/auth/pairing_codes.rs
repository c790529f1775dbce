//! Pairing codes: one use, a few minutes, in memory only.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_protocol::{hash::Hash32, ids::GateId, time::BootTime};

use crate::clock;

/// How long a pairing code can be used.
pub const CODE_LIFE: Duration = Duration::from_secs(600);
/// Unused codes at once; the oldest one ends when there are more.
const MAX_OPEN: usize = 16;

/// The unused codes, by the hash of their secret.
#[derive(Debug, Default)]
pub(crate) struct PairingCodes {
    open: HashMap<Hash32, Code>,
}

#[derive(Debug)]
struct Code {
    until: BootTime,
    gates: Option<Vec<GateId>>,
}

impl PairingCodes {
    /// A new code's secret: 128 random bits, which can't be guessed in its few minutes.
    pub(crate) fn issue(&mut self, gates: Option<Vec<GateId>>, now: BootTime) -> String {
        self.open.retain(|_, code| code.until > now);
        if self.open.len() >= MAX_OPEN
            && let Some(oldest) = self.open.iter().min_by_key(|(_, code)| code.until)
        {
            let oldest = *oldest.0;
            self.open.remove(&oldest);
        }
        let secret = URL_SAFE_NO_PAD.encode(clock::entropy::<16>());
        let code = Code {
            until: now.plus(CODE_LIFE),
            gates,
        };
        self.open.insert(Hash32::of(secret.as_bytes()), code);
        secret
    }

    /// Uses a code up and returns the gates that it is for.
    #[expect(
        clippy::option_option,
        reason = "no code, a code for all gates, a code for some"
    )]
    pub(crate) fn redeem(&mut self, secret: &str, now: BootTime) -> Option<Option<Vec<GateId>>> {
        let code = self.open.remove(&Hash32::of(secret.as_bytes()))?;
        (code.until > now).then_some(code.gates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_pairs_once_and_not_after_its_time() {
        let mut codes = PairingCodes::default();
        let now = BootTime(1);
        let secret = codes.issue(None, now);
        assert_eq!(codes.redeem("another", now), None);
        assert_eq!(codes.redeem(&secret, now), Some(None));
        assert_eq!(codes.redeem(&secret, now), None);
        let late = codes.issue(None, now);
        assert_eq!(codes.redeem(&late, now.plus(CODE_LIFE)), None);
    }

    #[test]
    fn there_are_never_more_than_so_many_open() {
        let mut codes = PairingCodes::default();
        let first = codes.issue(None, BootTime(0));
        for second in 1..=MAX_OPEN as u64 {
            codes.issue(None, BootTime(second));
        }
        assert_eq!(codes.open.len(), MAX_OPEN);
        assert_eq!(codes.redeem(&first, BootTime(1)), None);
    }
}
