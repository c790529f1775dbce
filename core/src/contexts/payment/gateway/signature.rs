//! `Stripe-Signature: t=…,v1=…,v1=…`: HMAC-SHA256 over `t.body`, one per valid secret while a
//! secret is being replaced.

use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::WebhookError;

/// Maximum age of a signature: a recorded webhook that is older is a replay.
const TOLERANCE_SECONDS: i64 = 300;

/// `v1` values that are checked at most.
const MAX_SIGNATURES: usize = 8;

/// Checks the header against the raw body, in constant time, with any of the secrets.
pub(super) fn verify(
    secrets: &[String],
    header: &str,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), WebhookError> {
    let (time, signatures) = parse(header).ok_or(WebhookError::NoSignature)?;
    let fits = secrets.iter().any(|secret| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
            return false;
        };
        // Once for all signatures: anybody can send eight with a large body.
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        let mut signatures = signatures.iter();
        signatures.any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if !fits {
        return Err(WebhookError::WrongSignature);
    }
    let signed_at = time
        .parse()
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or(WebhookError::NoSignature)?;
    if (now - signed_at).abs() > Duration::seconds(TOLERANCE_SECONDS) {
        return Err(WebhookError::OutsideTolerance);
    }
    Ok(())
}

/// The time as text, as it was signed, and the `v1` signatures; other schemes are ignored.
fn parse(header: &str) -> Option<(&str, Vec<[u8; 32]>)> {
    let mut time = None;
    let mut signatures = Vec::new();
    for (name, value) in header
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
    {
        match name {
            "t" => time = Some(value),
            "v1" if signatures.len() < MAX_SIGNATURES => {
                let mut bytes = [0; 32];
                if hex::decode_to_slice(value, &mut bytes).is_ok() {
                    signatures.push(bytes);
                }
            }
            _ => {}
        }
    }
    Some((time?, signatures)).filter(|(_, signatures)| !signatures.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id": "evt_1"}"#;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn secrets(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn sign(secret: &str, time: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{time}.").as_bytes());
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    }

    #[test]
    fn a_known_answer() {
        // Computed with OpenSSL: printf '1700000000.{"id": "evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let header =
            "t=1700000000,v1=a0c091828640f0b68061abc7c03981ad1100ff7160c5dba6b656239494a2b537";
        assert_eq!(
            verify(&secrets(&["whsec_test"]), header, BODY, at(0)),
            Ok(())
        );
    }

    #[test]
    fn any_v1_with_any_secret_is_accepted() {
        let good = sign("new", 1_700_000_000, BODY);
        let header = format!("t=1700000000,v0=00,v1={},v1={good}", "00".repeat(32));
        assert_eq!(
            verify(&secrets(&["old", "new"]), &header, BODY, at(0)),
            Ok(())
        );
        assert_eq!(
            verify(&secrets(&["old"]), &header, BODY, at(0)),
            Err(WebhookError::WrongSignature)
        );
    }

    #[test]
    fn body_and_time_are_both_signed() {
        let secrets = secrets(&["secret"]);
        let header = format!("t=1700000000,v1={}", sign("secret", 1_700_000_000, BODY));
        let wrong = Err(WebhookError::WrongSignature);
        assert_eq!(verify(&secrets, &header, b"{}", at(0)), wrong);
        let later = header.replace("t=1700000000", "t=1700000299");
        assert_eq!(verify(&secrets, &later, BODY, at(299)), wrong);
    }

    #[test]
    fn a_replay_is_too_old_and_a_future_one_too_early() {
        let secrets = secrets(&["secret"]);
        let header = format!("t=1700000000,v1={}", sign("secret", 1_700_000_000, BODY));
        let outside = Err(WebhookError::OutsideTolerance);
        assert_eq!(verify(&secrets, &header, BODY, at(300)), Ok(()));
        assert_eq!(verify(&secrets, &header, BODY, at(301)), outside);
        assert_eq!(verify(&secrets, &header, BODY, at(-301)), outside);
    }

    #[test]
    fn anything_else_is_no_signature() {
        for header in [
            "",
            "t=1",
            "v1=00",
            "t=1700000000,v1=zz",
            "nonsense",
            "t=,v1=,=,,",
        ] {
            let answer = verify(&secrets(&["secret"]), header, BODY, at(0));
            assert_eq!(answer, Err(WebhookError::NoSignature), "{header}");
        }
        let header = format!("t=soon,v1={}", sign("secret", 0, BODY));
        assert!(verify(&secrets(&["secret"]), &header, BODY, at(0)).is_err());
    }
}
