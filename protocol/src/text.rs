//! Texts that somebody writes and somebody else sees on a glass, a screen or a terminal: names, labels,
//! reasons. One law for all of them, because whoever reads one can't see what is in it.
//!
//! Deliberately not here: what looks alike in another alphabet, and how much a name may be decorated.

use std::ops::RangeInclusive;

/// Whether a character shows as itself and leaves what stands beside it alone. Control characters don't, nor
/// those that turn the direction of a line, break it, show as nothing, or are nobody's or everybody's own. The two joiners do: Persian and
/// Hindi are not written without them.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is that law")]
pub fn shows(char: char) -> bool {
    !char.is_control()
        && !matches!(char,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{fffe}' | '\u{ffff}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// The same in a text of several lines.
#[must_use]
pub fn shows_in_lines(char: char) -> bool {
    shows(char) || matches!(char, '\n' | '\r' | '\t')
}

/// Whether a text of one line may be shown to people: so many characters, each of which [`shows`], and not
/// only white space, joiners and empty patterns. An empty one may, where there may be none.
#[must_use]
pub fn is_line(text: &str, chars: RangeInclusive<usize>) -> bool {
    let is_blank = |char: char| {
        char.is_whitespace()
            || matches!(char, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{2800}'
                | '\u{fe00}'..='\u{fe0f}')
    };
    chars.contains(&text.chars().count())
        && text.chars().all(shows)
        && (text.is_empty() || !text.chars().all(is_blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_alphabets_are_lines() {
        for name in [
            "Zoé Lefèvre",
            "Sinéad O’Connor",
            "שרה כהן",
            "محمد علی‌رضا",
            "क्षत्रिय",
            "山田 太郎",
            "Gate 1 👩‍🚀",
            "❤️",
        ] {
            assert!(is_line(name, 1..=60), "{name}");
        }
        assert!(is_line("", 0..=60));
    }

    #[test]
    fn what_turns_or_hides_a_line_or_says_nothing_is_none() {
        for text in [
            "a\nb",
            "a\0b",
            "a\u{7f}b",
            "\u{1b}[2J",
            "Sam \u{202e}rosivrepuS",
            "Sam\u{200f}",
            "Sam\u{2067}\u{2069}",
            "Sam\u{200b}",
            "Sam\u{feff}",
            "a\u{2028}b",
            "Sam\u{e0041}",
            "\u{3164}",
            "   ",
            "\u{200d}\u{200c}",
            "\u{2800}\u{180b}",
            "\u{1d159}",
            "\u{fffc}",
            "\u{e000}",
            "\u{f0000}",
            "\u{fdd0}",
        ] {
            assert!(!is_line(text, 1..=60), "{text:?}");
        }
        assert!(!is_line("", 1..=60) && !is_line("abc", 1..=2));
    }
}
