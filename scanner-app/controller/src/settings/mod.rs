//! Settings of this scanner: their bounds, their code for other scanners, and the PIN of the kiosk
//! ([`eventify_disk::pin`]).

pub mod code;

use crate::view::{Settings, TextSize, Theme};

/// Longest language tag (RFC 5646, 4.4.1).
const MAX_LANGUAGE_CHARS: usize = 35;

impl Settings {
    /// As delivered, in a language.
    #[must_use]
    pub fn in_language(language: &str) -> Self {
        Self {
            language: language.to_owned(),
            theme: Theme::Dark,
            text_size: TextSize::Normal,
            muted: false,
            volume: 70,
            camera: false,
        }
    }

    /// Within bounds; a value beyond them is never stored.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let is_tag = |char: char| char.is_ascii_alphanumeric() || char == '-';
        self.volume <= 100
            && (2..=MAX_LANGUAGE_CHARS).contains(&self.language.len())
            && self.language.chars().all(is_tag)
    }
}
