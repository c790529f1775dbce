//! Settings as one code that another scanner scans: `evs1.` and base64url over JSON and the first bytes
//! of its SHA-256. No PIN, key or pairing is in it: whoever finds the paper learns nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_protocol::hash::Hash32;

use crate::view::{ImportProblem, Settings};

const FAMILY: &str = "evs";
const PREFIX: &str = "evs1.";
const CHECKSUM_BYTES: usize = 4;
/// Longest code that is read.
const MAX_CODE_CHARS: usize = 512;

/// The settings as a code.
#[must_use]
pub fn write(settings: &Settings) -> String {
    let mut bytes = serde_json::to_vec(settings).expect("settings are plain data");
    let checksum = Hash32::of(&bytes);
    bytes.extend_from_slice(&checksum.0[..CHECKSUM_BYTES]);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The settings of a code.
///
/// # Errors
/// See [`ImportProblem`].
pub fn read(text: &str) -> Result<Settings, ImportProblem> {
    let text = text.trim();
    let Some(encoded) = text.strip_prefix(PREFIX) else {
        let version = text
            .strip_prefix(FAMILY)
            .and_then(|rest| rest.split_once('.'));
        let is_ours = version.is_some_and(|(number, _)| number.parse::<u16>().is_ok());
        return Err(if is_ours {
            ImportProblem::OtherVersion
        } else {
            ImportProblem::NotSettings
        });
    };
    if text.len() > MAX_CODE_CHARS {
        return Err(ImportProblem::Damaged);
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| ImportProblem::Damaged)?;
    let (json, checksum) = bytes
        .len()
        .checked_sub(CHECKSUM_BYTES)
        .and_then(|end| bytes.split_at_checked(end))
        .ok_or(ImportProblem::Damaged)?;
    if checksum != &Hash32::of(json).0[..CHECKSUM_BYTES] {
        return Err(ImportProblem::Damaged);
    }
    // Whole, and yet not ours: a later app has written members or values that this one does not have.
    serde_json::from_slice(json)
        .ok()
        .filter(Settings::is_valid)
        .ok_or(ImportProblem::OtherVersion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_scanner_reads_what_was_written_and_nothing_that_is_damaged() {
        let settings = Settings {
            volume: 35,
            ..Settings::in_language("fr")
        };
        let code = write(&settings);
        assert_eq!(read(&format!("{code}\r\n")), Ok(settings));
        for end in PREFIX.len()..code.len() {
            assert_eq!(
                read(&code[..end]),
                Err(ImportProblem::Damaged),
                "cut at {end}"
            );
        }
        for at in PREFIX.len()..code.len() {
            let other = if &code[at..=at] == "A" { "B" } else { "A" };
            let wrong = format!("{}{other}{}", &code[..at], &code[at + 1..]);
            assert!(read(&wrong).is_err(), "wrong at {at}");
        }
    }

    #[test]
    fn codes_of_other_kinds_and_versions_are_told_apart() {
        assert_eq!(read("evp1.AAAA"), Err(ImportProblem::NotSettings));
        assert_eq!(read("EV1:6BF"), Err(ImportProblem::NotSettings));
        assert_eq!(read("evs2.AAAA"), Err(ImportProblem::OtherVersion));
        assert_eq!(read(""), Err(ImportProblem::NotSettings));
        let loud = Settings {
            volume: 101,
            ..Settings::in_language("fr")
        };
        assert_eq!(read(&write(&loud)), Err(ImportProblem::OtherVersion));
    }
}
