//! Names, orders and seats as they are compared: without regard to case, accents and punctuation.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Fewest digits of an order's number that say which.
const MIN_ORDER_DIGITS: usize = 4;

/// Letters without case, accents and ligatures.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for char in text.nfkd().filter(|char| !is_combining_mark(*char)) {
        for lower in char.to_lowercase() {
            match lower {
                'ß' => folded.push_str("ss"),
                'æ' => folded.push_str("ae"),
                'œ' => folded.push_str("oe"),
                'ø' => folded.push('o'),
                'đ' | 'ð' => folded.push('d'),
                'ł' => folded.push('l'),
                'ı' => folded.push('i'),
                'þ' => folded.push_str("th"),
                lower if is_combining_mark(lower) => {}
                lower => folded.push(lower),
            }
        }
    }
    folded
}

fn is_apostrophe(char: char) -> bool {
    matches!(char, '\'' | '’' | '‘' | 'ʼ' | '`')
}

/// The words of a name: `d’Artagnan` is found by its parts and as one word.
fn words(name: &str) -> Vec<String> {
    let folded = fold(name);
    let is_within = |char: char| char.is_alphanumeric() || is_apostrophe(char);
    let mut words = Vec::new();
    for word in folded.split(|char| !is_within(char)) {
        let joined: String = word.chars().filter(|char| !is_apostrophe(*char)).collect();
        if word.contains(is_apostrophe) {
            let parts = word.split(is_apostrophe).filter(|part| !part.is_empty());
            words.extend(parts.map(str::to_owned));
        }
        if !joined.is_empty() {
            words.push(joined);
        }
    }
    words
}

/// What is looked for among names.
#[derive(Debug)]
pub(super) struct NameQuery(Vec<String>);

impl NameQuery {
    pub(super) fn new(text: &str) -> Self {
        let folded = fold(text);
        let is_within = |char: char| char.is_alphanumeric() || is_apostrophe(char);
        let words = folded.split(|char| !is_within(char)).map(|word| {
            let letters = word.chars().filter(|char| !is_apostrophe(*char));
            letters.collect::<String>()
        });
        let mut words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        // What says most takes its word first.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self(words)
    }

    /// Each word of it begins a word of the name, another one each.
    pub(super) fn finds(&self, name: &str) -> bool {
        let mut left = words(name);
        let each = self.0.iter().all(|wanted| {
            let found = left.iter().position(|word| word.starts_with(wanted));
            found.map(|at| left.swap_remove(at)).is_some()
        });
        each && !self.0.is_empty()
    }
}

/// The order of names in an answer.
pub(super) fn sort_key(name: &str) -> String {
    fold(name)
}

/// An order's number or its end, as hexadecimal digits; none if it can be none, or says too little.
pub(super) fn order_digits(text: &str) -> Option<String> {
    let mut digits = String::new();
    for char in text.chars() {
        match char.to_ascii_lowercase() {
            '-' | ' ' | '#' | '…' => {}
            digit if digit.is_ascii_hexdigit() => digits.push(digit),
            _ => return None,
        }
    }
    (digits.len() >= MIN_ORDER_DIGITS).then_some(digits)
}

/// A seat or zone without what people leave out: `A-12` is `a 12`.
pub(super) fn place(text: &str) -> String {
    let folded = fold(text);
    folded
        .chars()
        .filter(|char| char.is_alphanumeric())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, name: &str) -> bool {
        NameQuery::new(query).finds(name)
    }

    #[test]
    fn a_name_is_found_by_the_beginnings_of_its_words_in_any_order() {
        for (query, name) in [
            ("lefevre", "Zoé Lefèvre"),
            ("LEF zo", "Zoé Lefèvre"),
            ("Zoé", "ZOE LEFEVRE"),
            ("müller", "Hans Muller"),
            ("muller", "Hans Müller"),
            ("strasse", "Anna Straße"),
            ("soren", "Søren Ågård"),
            ("agard", "Søren Ågård"),
            ("lukasz", "Łukasz Đurić"),
            ("oconnor", "Sinéad O’Connor"),
            ("connor", "Sinéad O'Connor"),
            ("o'con", "Sinead OConnor"),
            ("pierre jean", "Jean-Pierre Lévy"),
            ("jean-pi", "Jean-Pierre Lévy"),
            ("ΕΛΕ", "Ελένη"),
            ("ma ma", "Mary Magnus"),
        ] {
            assert!(finds(query, name), "{query} in {name}");
        }
        for (query, name) in [
            ("fevre", "Zoé Lefèvre"),
            ("zoe zoe", "Zoé Lefèvre"),
            ("lef x", "Zoé Lefèvre"),
            ("--", "Zoé Lefèvre"),
            ("mary mary", "Mary Magnus"),
        ] {
            assert!(!finds(query, name), "{query} in {name}");
        }
    }

    #[test]
    fn an_orders_number_is_read_however_it_is_written() {
        assert_eq!(order_digits("…9F-0a1 b").as_deref(), Some("9f0a1b"));
        assert_eq!(order_digits("9f0"), None, "that is half the hall");
        assert_eq!(order_digits("Lefevre"), None);
    }

    #[test]
    fn a_seat_is_read_however_it_is_written() {
        assert_eq!(place("A-12"), place("a 12"));
        assert_eq!(place("Fosse côté cour"), "fossecotecour");
    }
}
