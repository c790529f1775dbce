//! Names of people's making, as short as entries of the feed carry them: a scanner's screen shows no more,
//! and a ticket's entry is sent a hundred thousand times.

/// Longest name of a category in the feed, in characters; a longer one is cut.
pub const MAX_CATEGORY_NAME_CHARS: usize = 24;

/// Longest place of a ticket in the feed, in bytes; a longer one is cut where it says least.
pub const MAX_PLACE_BYTES: usize = 23;

/// Longest title of a performance in the feed, in characters; a longer one is cut.
pub const MAX_TITLE_CHARS: usize = 60;

/// Steps of a venue's procedure for when nobody decides: what fits a scanner's screen and is read in the rain.
pub const MAX_PROCEDURE_LINES: usize = 6;

/// Longest of these steps, in characters.
pub const MAX_PROCEDURE_LINE_CHARS: usize = 80;

/// A title as an entry carries it: not longer than a scanner's screen can show.
#[must_use]
pub fn short_title(title: &str) -> String {
    short_text(title, MAX_TITLE_CHARS)
}

/// A category's name as an entry carries it.
#[must_use]
pub fn short_category_name(name: &str) -> String {
    short_text(name, MAX_CATEGORY_NAME_CHARS)
}

fn short_text(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let kept = text.chars().take(max_chars - 1);
    kept.chain(['…']).collect()
}

/// A seat's label as an entry carries it. Of a long one the end is kept: row and number tell more than
/// the section, which the category often names too.
#[must_use]
pub fn short_seat(label: &str) -> String {
    let room = MAX_PLACE_BYTES - '…'.len_utf8();
    match label
        .char_indices()
        .find(|(at, _)| label.len() - at <= room)
    {
        Some((begin, _)) if label.len() > MAX_PLACE_BYTES => format!("…{}", &label[begin..]),
        Some(_) | None => label.to_owned(),
    }
}

/// A zone's name as an entry carries it.
#[must_use]
pub fn short_zone(name: &str) -> String {
    if name.len() <= MAX_PLACE_BYTES {
        return name.to_owned();
    }
    let room = MAX_PLACE_BYTES - '…'.len_utf8();
    let ends = name.char_indices().map(|(at, _)| at);
    let end = ends.take_while(|at| *at <= room).last().unwrap_or_default();
    format!("{}…", name[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_place_is_cut_where_it_says_least() {
        assert_eq!(short_seat("A-12"), "A-12");
        let seat = short_seat("Balcony on the left-XIV-104");
        assert_eq!(seat, "… on the left-XIV-104");
        assert_eq!(short_zone("Floor"), "Floor");
        let zone = short_zone("Fosse d’orchestre, côté cour");
        assert_eq!(zone, "Fosse d’orchestre,…");
        for text in [
            seat,
            zone,
            short_seat(&"é".repeat(60)),
            short_zone(&"é".repeat(60)),
        ] {
            assert!(text.len() <= MAX_PLACE_BYTES, "{text}");
        }
    }
}
