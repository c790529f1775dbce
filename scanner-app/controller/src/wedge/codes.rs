//! Whether a text is a whole code: our own codes know by themselves where they end.

use eventify_protocol::{
    lan::PairingCode,
    token::{self, Parsed},
};

use crate::settings;

/// What codes of ours begin with, each also as an imager types it that inverts the case.
const BEGINNINGS: [&str; 6] = ["EV1:", "ev1:", "evp1.", "EVP1.", "evs1.", "EVS1."];

/// What a text is, by its structure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One or more whole codes.
    Whole { codes: Vec<String>, inverted: bool },
    /// Begins like a code of ours, and something is missing or wrong.
    Partial,
    /// No code of ours: only its sender knows where it ends.
    Foreign,
}

/// The text could become the beginning of a ticket, which no person types. Codes for pairing are typed by
/// hand where there is no imager yet.
pub(super) fn may_begin(text: &str) -> bool {
    ["EV1:", "ev1:"].iter().any(|whole| whole.starts_with(text))
}

/// The text begins as codes of ours do, and no person types.
pub(super) fn begins(text: &str) -> bool {
    BEGINNINGS.iter().any(|whole| text.starts_with(whole))
}

/// Without the AIM identifier (`]Q1`: QR, `]C1`: Code 128, …) that imagers can be set to send first.
pub(super) fn without_aim(text: &str) -> &str {
    let mut chars = text.chars();
    let is_aim = chars.next() == Some(']')
        && chars
            .next()
            .is_some_and(|symbology| symbology.is_ascii_alphabetic())
        && chars
            .next()
            .is_some_and(|modifier| modifier.is_ascii_alphanumeric());
    if is_aim { chars.as_str() } else { text }
}

pub(super) fn shape(text: &str) -> Shape {
    let text = without_aim(text);
    if let Some((code, inverted)) = whole(text) {
        return Shape::Whole {
            codes: vec![code],
            inverted,
        };
    }
    let glued = glued(text);
    if !glued.is_empty() {
        return Shape::Whole {
            codes: glued,
            inverted: false,
        };
    }
    if begins(text) {
        Shape::Partial
    } else {
        Shape::Foreign
    }
}

/// The code, and whether capitals and small letters were exchanged: some imagers look at the caps lock
/// of the keyboard and type the opposite.
fn whole(text: &str) -> Option<(String, bool)> {
    let swapped: String = text.chars().map(swap_case).collect();
    [(text.to_owned(), false), (swapped, true)]
        .into_iter()
        .find(|(text, _)| {
            Parsed::read(text).is_ok()
                || text.parse::<PairingCode>().is_ok()
                || settings::code::read(text).is_ok()
        })
}

/// Tickets typed one behind the other without anything between, or behind a key that a person hit in
/// the same moment.
fn glued(text: &str) -> Vec<String> {
    let mut starts: Vec<usize> = text
        .match_indices(token::PREFIX)
        .map(|(start, _)| start)
        .collect();
    starts.push(text.len());
    let pieces = starts.windows(2).map(|pair| &text[pair[0]..pair[1]]);
    let mut tickets = Vec::new();
    for piece in pieces {
        if Parsed::read(piece).is_err() {
            return Vec::new();
        }
        tickets.push(piece.to_owned());
    }
    tickets
}

fn swap_case(char: char) -> char {
    if char.is_ascii_uppercase() {
        char.to_ascii_lowercase()
    } else {
        char.to_ascii_uppercase()
    }
}
