//! The short code as text of modules: a face of five by seven dots for the 32 characters of Crockford's
//! Base32 and the hyphen, so that a picture needs no font of the machine that draws or shows it.

/// Dots of a character, and the space behind it.
const WIDTH: u32 = 5;
const HEIGHT: u32 = 7;
const SPACE: u32 = 1;

/// A line of text in the middle under a code.
pub(super) struct Caption {
    glyphs: Vec<[u8; HEIGHT as usize]>,
    /// Its first row.
    top: u32,
    /// How wide the picture is.
    width: u32,
}

impl Caption {
    /// Under a picture so wide.
    pub(super) fn new(text: &str, top: u32, width: u32) -> Self {
        let glyphs: Vec<_> = text.chars().map(glyph).collect();
        let caption = Self { glyphs, top, width };
        let width = width.max(caption.text_width() + 2 * SPACE);
        Self { width, ..caption }
    }

    fn text_width(&self) -> u32 {
        let characters = u32::try_from(self.glyphs.len()).unwrap_or_default();
        (characters * (WIDTH + SPACE)).saturating_sub(SPACE)
    }

    pub(super) fn width(&self) -> u32 {
        self.width
    }

    /// With the margin under it; above it is the code's own.
    pub(super) fn height(&self) -> u32 {
        HEIGHT + super::QUIET_ZONE_MODULES
    }

    /// By position in the picture.
    pub(super) fn is_dark(&self, x: u32, y: u32) -> bool {
        let left = (self.width - self.text_width()) / 2;
        let (Some(x), Some(y)) = (x.checked_sub(left), y.checked_sub(self.top)) else {
            return false;
        };
        let (place, column) = (x / (WIDTH + SPACE), x % (WIDTH + SPACE));
        let dots = self.glyphs.get(place as usize);
        let dots = dots.and_then(|glyph| glyph.get(y as usize)).copied();
        column < WIDTH && dots.unwrap_or_default() >> (WIDTH - 1 - column) & 1 == 1
    }
}

/// The dots of a character, row by row; none for one that no short code has.
#[rustfmt::skip]
fn glyph(character: char) -> [u8; HEIGHT as usize] {
    match character {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
        '3' => [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        'A' => [0b01110, 0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110],
        'C' => [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
        'D' => [0b11100, 0b10010, 0b10001, 0b10001, 0b10001, 0b10010, 0b11100],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        'G' => [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111],
        'H' => [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'J' => [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100],
        'K' => [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
        'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
        'N' => [0b10001, 0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001],
        'P' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
        'Q' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101],
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'S' => [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        'V' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
        'W' => [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b10101, 0b01010],
        'X' => [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001],
        'Y' => [0b10001, 0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100],
        'Z' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111],
        '-' => [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000],
        _ => [0; HEIGHT as usize],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_character_of_a_code_looks_different() {
        let characters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ-";
        let seen: BTreeSet<_> = characters.chars().map(glyph).collect();
        assert_eq!(seen.len(), characters.len());
        assert!(!seen.contains(&glyph('U')));
    }
}
