//! Texts that somebody writes and somebody else sees on a glass, a screen or a terminal: names, labels,
//! reasons. One law and one form for all of them, because whoever reads one can't see what is in it.
//!
//! Deliberately not here: what looks alike in another alphabet, and how much a name may be decorated.

use std::ops::{RangeInclusive, RangeToInclusive};

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Why a text can't be shown to people: what is allowed, and what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Another length.
    #[error("must be {} characters, and has {given}", span(*.least, *.most))]
    Length {
        /// So many at least.
        least: usize,
        /// So many at most.
        most: usize,
        /// So many were given, once it was brought to its form.
        given: usize,
    },
    /// A character that does not [`show`](shows).
    #[error(
        "must not have {}, its character {place}: it does not show, or changes what stands beside it",
        code_point(*.char)
    )]
    Hidden {
        /// The first of these.
        char: char,
        /// Its place, from 1.
        place: usize,
    },
    /// Only white space, joiners and empty patterns.
    #[error("must have a character that shows")]
    Blank,
}

/// `U+202E`: a name for what doesn't show.
fn code_point(char: char) -> String {
    format!("U+{:04X}", u32::from(char))
}

fn span(least: usize, most: usize) -> String {
    match least {
        0 => format!("at most {most}"),
        least => format!("{least} to {most}"),
    }
}

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

/// A text of one line as it is stored and shown: each letter in one form (NFC), one space between words and none
/// around, and joiners and selectors only where they have an effect. So what looks the same is the same.
///
/// # Errors
/// [`Unfit`]: another number of characters, one that does not [`show`](shows), or none that does. An empty text may
/// be, where there may be none.
pub fn line(text: &str, chars: RangeInclusive<usize>) -> Result<String, Unfit> {
    must_show(text, shows)?;
    let (least, most) = (*chars.start(), *chars.end());
    // Its form costs more than to read it, and it is kept as it was written at some places.
    let written = text.trim().chars().take(most_written(most) + 1).count();
    if written > most_written(most) {
        let given = text.trim().chars().count();
        return Err(Unfit::Length { least, most, given });
    }
    let line = in_form(text);
    let given = line.chars().count();
    if !chars.contains(&given) {
        if line.is_empty() && !text.trim().is_empty() {
            return Err(Unfit::Blank);
        }
        return Err(Unfit::Length { least, most, given });
    }
    if !line.is_empty() && line.chars().all(has_no_shape) {
        return Err(Unfit::Blank);
    }
    Ok(line)
}

/// So many characters, joiners and marks may become that many: a letter with two accents is three.
const fn most_written(most: usize) -> usize {
    most.saturating_mul(4).saturating_add(64)
}

/// A text of several lines: its white space and letters are its author's, without what stands around it.
///
/// # Errors
/// [`Unfit`]: more characters, or one that does not [`show`](shows_in_lines).
pub fn lines(text: &str, most: RangeToInclusive<usize>) -> Result<String, Unfit> {
    must_show(text, shows_in_lines)?;
    let text = text.trim();
    let (given, most) = (text.chars().count(), most.end);
    if given > most {
        return Err(Unfit::Length {
            least: 0,
            most,
            given,
        });
    }
    Ok(text.to_owned())
}

/// Whether a text may be shown to people as a [`line`].
#[must_use]
pub fn is_line(text: &str, chars: RangeInclusive<usize>) -> bool {
    line(text, chars).is_ok()
}

/// What two names have in common that people take for one: the same letters, whatever their case and width, and
/// whatever joins or selects them. Names that have to differ differ in this.
#[must_use]
pub fn key(line: &str) -> String {
    if line.is_ascii() {
        return line.to_ascii_lowercase();
    }
    let shown = line
        .chars()
        .filter(|char| !is_joiner(*char) && !is_selector(*char));
    let plain = shown.nfkc().map(|char| match char {
        '\u{2010}' => '-',
        char => char,
    });
    // By way of upper case: "ß" is "SS" there, and both sigmas are one.
    let upper: String = plain.flat_map(char::to_uppercase).collect();
    let folded: String = upper.chars().flat_map(char::to_lowercase).nfkc().collect();
    in_form(&folded)
}

/// White space around a text is no part of it, line breaks too.
fn must_show(text: &str, shows: fn(char) -> bool) -> Result<(), Unfit> {
    let around = text.len() - text.trim_start().len();
    let first = text[..around].chars().count() + 1;
    let hidden = (first..)
        .zip(text.trim().chars())
        .find(|(_, char)| !shows(*char));
    hidden.map_or(Ok(()), |(place, char)| Err(Unfit::Hidden { char, place }))
}

/// What is dropped may have stood between two characters that are one: again, until nothing changes.
fn in_form(text: &str) -> String {
    let mut line = closer_to_form(text);
    loop {
        let next = closer_to_form(&line);
        if next == line {
            return line;
        }
        line = next;
    }
}

fn closer_to_form(text: &str) -> String {
    let is_space = |char: char| char.is_whitespace() || char == '\u{2800}';
    let composed: Vec<char> = text.nfc().collect();
    let mut line = String::with_capacity(text.len());
    for (index, char) in composed.iter().copied().enumerate() {
        let before = line.chars().next_back();
        let after = composed[index + 1..].iter().copied();
        let has_effect = if is_space(char) {
            before.is_some_and(|it| it != ' ')
        } else if is_joiner(char) {
            joins(before, after)
        } else {
            !is_selector(char) || selects(before, char, after)
        };
        if has_effect {
            line.push(if is_space(char) { ' ' } else { char });
        }
    }
    line.truncate(line.trim_end().len());
    line
}

fn is_joiner(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}')
}

fn is_selector(char: char) -> bool {
    matches!(char, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}')
}

/// Shows nothing by itself.
fn has_no_shape(char: char) -> bool {
    char == ' ' || is_joiner(char) || is_selector(char) || is_combining_mark(char)
}

/// A joiner has an effect between two letters of one of the scripts that are written with it, and between two
/// pictures.
fn joins(before: Option<char>, mut after: impl Iterator<Item = char>) -> bool {
    let after = after.find(|it| !is_joiner(*it) && !is_selector(*it));
    before.zip(after).is_some_and(|(before, after)| {
        (is_cursive(before) && is_cursive(after))
            || ((is_picture(before) || is_selector(before)) && is_picture(after))
    })
}

/// A selector has an effect on a sign or picture, on the digit of a keycap, and the Mongolian ones on its letters.
fn selects(before: Option<char>, selector: char, mut after: impl Iterator<Item = char>) -> bool {
    before.is_some_and(|before| match selector {
        '\u{fe0e}' | '\u{fe0f}' => is_picture(before) || after.next() == Some('\u{20e3}'),
        '\u{fe00}'..='\u{fe0d}' => is_picture(before),
        _ => matches!(before, '\u{1800}'..='\u{18af}'),
    })
}

/// Letters and marks of scripts whose letters change with their neighbours: Arabic, Syriac, N'Ko, those of India and
/// around it, Khmer, Mongolian.
fn is_cursive(char: char) -> bool {
    (char.is_alphabetic() || is_combining_mark(char))
        && matches!(char,
            '\u{0600}'..='\u{08ff}' | '\u{0900}'..='\u{0dff}' | '\u{0f00}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
            | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{11000}'..='\u{11fff}')
}

/// Signs, arrows, pictures, and what makes them of another colour.
fn is_picture(char: char) -> bool {
    matches!(char, '©' | '®' | '\u{203c}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}')
        && !char.is_alphanumeric()
        && !is_combining_mark(char)
}

#[cfg(test)]
mod tests;
