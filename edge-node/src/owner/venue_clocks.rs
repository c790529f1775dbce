//! The venue's time zone, as the core last said it: for times that people read. Nobody decides by it, so a file
//! that can't be read or written keeps no gate closed: scanners show their own device's times.

use std::path::{Path, PathBuf};

use eventify_disk::files;
use eventify_protocol::zone::TimeZone;

const FILE: &str = "time-zone";
/// Longer than any name of the tz database.
const MAX_CHARS: usize = 64;

#[derive(Debug)]
pub(super) struct VenueClocks {
    path: PathBuf,
    zone: Option<String>,
}

impl VenueClocks {
    pub(super) fn load(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let zone = files::read(&path).ok();
        let zone = zone.and_then(|bytes| String::from_utf8(bytes).ok());
        let zone = zone.filter(|name| may_be_zone(name));
        Self { path, zone }
    }

    pub(super) fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Whether it is another one than before. A name that this node's own tz database lacks is good for
    /// scanners, which have one of their own.
    pub(super) fn set(&mut self, name: String) -> bool {
        if self.zone.as_ref() == Some(&name) || !may_be_zone(&name) {
            return false;
        }
        if let Err(error) = files::replace(&self.path, name.as_bytes()) {
            tracing::warn!(
                code = "node.time_zone_not_kept",
                path = %self.path.display(),
                %error,
                "the venue's time zone can't be written: it is known until this node starts again"
            );
        }
        self.zone = Some(name);
        true
    }
}

/// For the times that a node's tools print; UTC while no core has said which it is, or where this program's tz
/// database lacks it.
pub(crate) fn venue_zone(folder: &Path) -> TimeZone {
    TimeZone::or_utc(VenueClocks::load(folder).zone())
}

fn may_be_zone(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/_+-".contains(char);
    !name.is_empty() && name.len() <= MAX_CHARS && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_zone_is_known_after_a_restart_and_nonsense_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut clocks = VenueClocks::load(folder.path());
        assert_eq!(clocks.zone(), None);
        assert!(clocks.set("Europe/Paris".to_owned()));
        assert!(!clocks.set("Europe/Paris".to_owned()));
        for nonsense in ["", "Europe/Paris\n", "\u{1b}[2J", &"x".repeat(65)] {
            assert!(!clocks.set(nonsense.to_owned()), "{nonsense:?}");
        }
        let again = VenueClocks::load(folder.path());
        assert_eq!(again.zone(), Some("Europe/Paris"));
        fs::write(folder.path().join(FILE), "\u{202e}").unwrap();
        assert_eq!(VenueClocks::load(folder.path()).zone(), None);
    }
}
