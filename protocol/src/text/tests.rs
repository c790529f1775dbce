use super::*;

#[test]
fn names_of_all_alphabets_are_lines_and_stay_as_they_are() {
    for name in [
        "Zoé Lefèvre",
        "Sinéad O’Connor",
        "שרה כהן",
        "محمد علی\u{200c}رضا",
        "क्षत्रिय",
        "क्\u{200d}ष",
        "山田 太郎",
        "ᠮᠣᠩᠭᠣᠯ\u{180b}",
        "Gate 1 👩\u{200d}🚀",
        "❤\u{fe0f}\u{200d}🔥",
        "Gate 1\u{fe0f}\u{20e3}",
        "❤️",
    ] {
        assert_eq!(line(name, 1..=60).as_deref(), Ok(name));
    }
    assert_eq!(line("", 0..=60).as_deref(), Ok(""));
}

/// All of these were names of one venue's gates, and looked the same on every scanner.
#[test]
fn what_looks_the_same_is_the_same() {
    for twin in [
        "North gate",
        " North gate\n",
        "North\u{200d} gate",
        "North gate\u{200c}",
        "Nor\u{200d}th gate",
        "North gate\u{fe0f}",
        "North\u{fe00} gate",
        "North\u{a0}gate",
        "North  gate",
        "North\u{2009}gate",
        "North \u{3000}gate",
        "North\u{2800}gate",
    ] {
        assert_eq!(line(twin, 1..=60).as_deref(), Ok("North gate"), "{twin:?}");
    }
    let composed = line("Entr\u{e9}e", 1..=6).unwrap();
    assert_eq!(line("Entre\u{301}e", 1..=6).unwrap(), composed);
    for (one, other) in [
        ("North gate", "NORTH Gate"),
        ("Entr\u{e9}e", "ENTRE\u{301}E"),
        ("Straße", "STRASSE"),
        ("ΟΔΟΣ", "οδος"),
        ("Ｇａｔｅ １", "gate 1"),
        ("محمد علی\u{200c}رضا", "محمد علیرضا"),
        ("❤️", "❤"),
        ("B\u{2011}2", "b-2"),
    ] {
        assert_eq!(key(one), key(other), "{one} {other}");
    }
    for (one, other) in [
        ("North gate", "Northgate"),
        ("Gate 1", "Gate 2"),
        ("é", "e"),
    ] {
        assert_ne!(key(one), key(other));
    }
}

/// Whatever is brought to its form or its key stays there.
#[test]
fn form_and_key_are_final() {
    let odd = [
        'a', 'É', 'e', '\u{301}', ' ', '\u{a0}', '\u{200c}', '\u{200d}', '\u{fe0f}', '\u{180b}',
        'ا', 'ی', 'क', '्', '❤', '👩', '1', '\u{20e3}', '\u{2800}', 'ß', 'ﬁ', 'İ', 'ᠮ', '\u{a8}',
    ];
    for first in odd {
        for second in odd {
            for third in odd {
                let text = String::from_iter([first, second, third]);
                let Ok(once) = line(&text, 0..=9) else {
                    continue;
                };
                assert_eq!(line(&once, 0..=9).as_ref(), Ok(&once), "{text:?}");
                let folded = key(&once);
                assert_eq!(key(&folded), folded, "{text:?}");
            }
        }
    }
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
        "\u{301}",
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

/// Before, a hidden character was told as "1 to 80 characters".
#[test]
fn a_refusal_names_the_cause() {
    let said = |text: &str| line(text, 1..=5).unwrap_err().to_string();
    assert_eq!(said("abcdef"), "must be 1 to 5 characters, and has 6");
    assert_eq!(said(""), "must be 1 to 5 characters, and has 0");
    assert_eq!(
        said(" ab\u{202e}cdefgh"),
        "must not have U+202E, its character 4: it does not show, or changes what stands beside it"
    );
    assert_eq!(said("\u{200d}"), "must have a character that shows");
    let long = lines("abcdef", ..=5).unwrap_err().to_string();
    assert_eq!(long, "must be at most 5 characters, and has 6");
    assert_eq!(lines(" a\n b \n", ..=5).as_deref(), Ok("a\n b"));
    assert!(lines("a\u{7}", ..=5).is_err());
}

/// Its form is at most as long as it may be; what it was written with is bounded too.
#[test]
fn a_text_is_as_long_as_it_was_written() {
    let apart = |spaces| format!("a{}b", " ".repeat(spaces));
    assert_eq!(line(&apart(90), 1..=10).as_deref(), Ok("a b"));
    let refused = line(&apart(10_000), 1..=10).unwrap_err();
    let length = Unfit::Length {
        least: 1,
        most: 10,
        given: 10_002,
    };
    assert_eq!(refused, length);
}
