//! Key sequences as imagers and people make them. A row: what comes with which pauses, and what it is.

use eventify_protocol::{
    hash::Hash32,
    ids::{PerformanceId, TicketId},
    keys::{PrivateKey, Window},
    lan::PairingCode,
    token::{Claims, TicketSigner},
};
use uuid::Uuid;

use super::*;
use crate::{
    command::KeyStroke,
    wedge::keys::{byte, key},
};

fn ticket(number: u128) -> String {
    let window = Window {
        not_before: 0,
        not_after: 4_000_000_000,
    };
    let claims = Claims {
        ticket: TicketId(Uuid::from_u128(number)),
        performance: PerformanceId(Uuid::from_u128(7)),
        category: "A".parse().unwrap(),
        not_before: 1_000_000,
        expiry: 3_900_000_000,
        revision: 1,
    };
    let signer = TicketSigner::new(PrivateKey::from_seed(&[3; 32]), window);
    signer.sign(&claims).unwrap().to_string()
}

fn pairing_code() -> String {
    PairingCode {
        node: "https://10.0.0.5:7443".to_owned(),
        key: Hash32([9; 32]),
        secret: "c2VjcmV0".to_owned(),
    }
    .to_string()
}

/// Physical keys of a US keyboard, which is what an imager plays whatever the machine's layout is: in a
/// French layout `KeyQ` is the letter A, and `code` is still `KeyQ`.
fn strokes(text: &str, caps_lock: bool) -> Vec<KeyStroke> {
    let stroke = |char: char| {
        let codes = ('A'..='Z').map(|letter| format!("Key{letter}"));
        let digits = ('0'..='9').map(|digit| format!("Digit{digit}"));
        let named = [
            "Minus",
            "Equal",
            "BracketRight",
            "BracketLeft",
            "Semicolon",
            "Period",
            "Slash",
            "Space",
            "Quote",
            "Comma",
            "Enter",
            "Tab",
            "Backspace",
            "Escape",
        ]
        .map(str::to_owned);
        let all: Vec<String> = codes.chain(digits).chain(named).collect();
        let wanted = match char {
            '\r' => Key::Enter,
            '\t' => Key::Tab,
            '\u{8}' => Key::Backspace,
            char => Key::Char(char),
        };
        [false, true]
            .iter()
            .flat_map(|shift| all.iter().map(move |code| (code, *shift)))
            .map(|(code, shift)| KeyStroke {
                code: code.clone(),
                shift,
                caps_lock,
                repeat: false,
                at_ms: 0,
            })
            .find(|stroke| key(stroke) == Some(wanted))
            .unwrap()
    };
    text.chars().map(stroke).collect()
}

/// Something that comes in: a text with the time between two characters, or a pause.
enum Comes<'a> {
    /// As an imager types.
    Fast(&'a str),
    /// As an imager of a slow radio types.
    Radio(&'a str),
    /// As a person types.
    Slow(&'a str),
    Pause(u32),
}
use Comes::{Fast, Pause, Radio, Slow};

fn assemble(line: Line, comes: &[Comes<'_>]) -> Vec<Assembled> {
    let mut assembler = Assembler::new(line);
    let mut out = Vec::new();
    // Shortly before the clock of the window begins anew.
    let mut at = u32::MAX - 700;
    for part in comes {
        let (text, gap) = match part {
            Fast(text) => (*text, 4),
            Radio(text) => (*text, 90),
            Slow(text) => (*text, 180),
            Pause(pause) => {
                at = at.wrapping_add(*pause);
                continue;
            }
        };
        for stroke in strokes(text, false) {
            at = at.wrapping_add(gap);
            let key = match line {
                Line::Keyboard => key(&stroke),
                Line::Serial => key(&stroke).and_then(|key| match key {
                    Key::Char(char) => byte(u8::try_from(char).unwrap()),
                    Key::Enter => byte(b'\r'),
                    Key::Tab => byte(b'\t'),
                    Key::Backspace | Key::Escape | Key::Function(_) => None,
                }),
            };
            // As timers do between keys.
            while let Some(wake) = assembler.wakes_after_ms() {
                let due = assembler.last_ms().wrapping_add(wake);
                if at.wrapping_sub(due) > u32::MAX / 2 {
                    break;
                }
                assembler.pass(due, &mut out);
            }
            assembler.press(key.unwrap(), at, &mut out);
        }
    }
    while let Some(wake) = assembler.wakes_after_ms() {
        assembler.pass(assembler.last_ms().wrapping_add(wake), &mut out);
    }
    out
}

fn code(text: &str) -> Assembled {
    Assembled::Code {
        text: text.to_owned(),
        inverted: false,
    }
}

fn typed(text: &str) -> Vec<Assembled> {
    text.chars()
        .map(|char| Assembled::Typed(Key::Char(char)))
        .collect()
}

#[test]
fn a_code_is_one_code_however_it_ends_and_whatever_stands_before_it() {
    let ticket = ticket(1);
    let with = |before: &str, after: &str| format!("{before}{ticket}{after}");
    for text in [
        with("", "\r"),
        with("", "\t"),
        with("", ""),
        with("", "\r\r"),
        with("]Q1", "\r"),
        with("]Q3", ""),
        with("]C1", "\t"),
    ] {
        for line in [Line::Keyboard, Line::Serial] {
            assert_eq!(assemble(line, &[Fast(&text)]), [code(&ticket)], "{text:?}");
        }
    }
    // Enter long after a code that needed none.
    let seen = assemble(Line::Keyboard, &[Fast(&ticket), Pause(50), Fast("\r")]);
    assert_eq!(seen, [code(&ticket)]);
}

#[test]
fn codes_of_pairing_settings_and_other_makers_are_codes_too() {
    let pairing = pairing_code();
    assert_eq!(
        assemble(Line::Keyboard, &[Fast(&pairing)]),
        [code(&pairing)]
    );
    for foreign in ["4006381333931", "https://example.org/x?y=1", "7K3M-9QX2-ZT"] {
        let ended = format!("{foreign}\r");
        assert_eq!(assemble(Line::Keyboard, &[Fast(&ended)]), [code(foreign)]);
        assert_eq!(assemble(Line::Keyboard, &[Fast(foreign)]), [code(foreign)]);
    }
}

#[test]
fn a_code_that_is_cut_is_never_handed_on_and_its_second_half_completes_it() {
    let ticket = ticket(1);
    let (first, second) = ticket.split_at(100);
    let second_ended = format!("{second}\r");
    // A pause of a radio is no end.
    let seen = assemble(
        Line::Keyboard,
        &[Fast(first), Pause(200), Fast(&second_ended)],
    );
    assert_eq!(seen, [code(&ticket)]);
    let seen = assemble(
        Line::Keyboard,
        &[Fast(first), Pause(900), Fast(&second_ended)],
    );
    assert_eq!(seen, [Assembled::Half, code(&ticket)]);
    // Too late, and the same without a terminator: no verdict on half a code.
    for second in [second, second_ended.as_str()] {
        let seen = assemble(
            Line::Keyboard,
            &[Fast(first), Pause(400), Fast(&second[3..])],
        );
        assert_eq!(seen, [Assembled::Half, Assembled::Half]);
    }
    let cut = format!("{first}\r");
    assert_eq!(assemble(Line::Serial, &[Fast(&cut)]), [Assembled::Half]);
    // The whole code after the half one.
    let seen = assemble(Line::Keyboard, &[Fast(first), Pause(800), Fast(&ticket)]);
    assert_eq!(seen, [Assembled::Half, code(&ticket)]);
}

#[test]
fn what_is_read_twice_alike_is_what_the_paper_says() {
    let damaged = "EV1:NOT A TICKET";
    let line = format!("{damaged}\r");
    let seen = assemble(Line::Keyboard, &[Fast(&line), Pause(2_000), Fast(&line)]);
    assert_eq!(seen, [Assembled::Half, code(damaged)]);
}

#[test]
fn two_codes_back_to_back_are_two_codes() {
    let (one, two) = (ticket(1), ticket(2));
    let expected = [code(&one), code(&two)];
    for between in ["\r", "\t", ""] {
        let text = format!("{one}{between}{two}");
        assert_eq!(
            assemble(Line::Keyboard, &[Fast(&text)]),
            expected,
            "{between:?}"
        );
        assert_eq!(
            assemble(Line::Serial, &[Fast(&text)]),
            expected,
            "{between:?}"
        );
    }
    let seen = assemble(Line::Keyboard, &[Fast(&one), Pause(40), Fast(&two)]);
    assert_eq!(seen, expected);
}

#[test]
fn what_a_person_types_stays_typing_with_a_code_in_between() {
    let ticket = ticket(1);
    let text = format!("{ticket}\r");
    let seen = assemble(
        Line::Keyboard,
        &[
            Slow("7k3"),
            Pause(200),
            Fast(&text),
            Pause(300),
            Slow("m9\r"),
        ],
    );
    let mut expected = typed("7k3");
    expected.push(code(&ticket));
    expected.extend(typed("m9"));
    expected.push(Assembled::Typed(Key::Enter));
    assert_eq!(seen, expected);
    // Two fingers on two keys, and Enter at once after the last one.
    let seen = assemble(
        Line::Keyboard,
        &[Slow("7"), Fast("k3"), Slow("m"), Fast("\r")],
    );
    let mut expected = typed("7k3m");
    expected.push(Assembled::Typed(Key::Enter));
    assert_eq!(seen, expected);
    // A key that was hit in the moment when the imager began.
    let seen = assemble(Line::Keyboard, &[Slow("X"), Fast(&text)]);
    assert_eq!(seen, [code(&ticket)]);
}

#[test]
fn an_imager_that_types_slowly_shows_itself_by_how_its_codes_begin() {
    let ticket = ticket(1);
    let text = format!("{ticket}\r");
    assert_eq!(assemble(Line::Keyboard, &[Radio(&text)]), [code(&ticket)]);
}

#[test]
fn a_pairing_code_can_be_typed_by_hand() {
    let pairing = pairing_code();
    assert_eq!(
        assemble(Line::Keyboard, &[Radio(&pairing)]),
        typed(&pairing)
    );
}

#[test]
fn caps_lock_changes_nothing_but_for_imagers_that_look_at_it() {
    let ticket = ticket(1);
    let honest: Vec<_> = strokes(&ticket, true).iter().map(key).collect();
    assert_eq!(
        honest,
        strokes(&ticket, false).iter().map(key).collect::<Vec<_>>()
    );
    let swap = |text: &str| -> String {
        let swap = |char: char| match char {
            'a'..='z' => char.to_ascii_uppercase(),
            char => char.to_ascii_lowercase(),
        };
        text.chars().map(swap).collect()
    };
    for text in [ticket, pairing_code()] {
        let seen = assemble(Line::Keyboard, &[Fast(&swap(&text)), Fast("\r")]);
        let inverted = true;
        assert_eq!(seen, [Assembled::Code { text, inverted }]);
    }
}

#[test]
fn a_flood_of_characters_takes_no_memory_and_is_no_code() {
    let flood = "A".repeat(MAX_CHARS + 1);
    assert_eq!(assemble(Line::Serial, &[Fast(&flood)]), [Assembled::Half]);
}
