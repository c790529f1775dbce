//! Texts that are no tokens.

use super::bad::Case;

/// What stands before the Base45.
pub(crate) fn prefix_cases(text: &str) -> Vec<Case<String>> {
    let body = &text[4..];
    vec![
        ("empty text", "token_prefix", String::new()),
        ("prefix alone", "cose_cbor", "EV1:".to_owned()),
        (
            "prefix in lower case",
            "token_prefix",
            format!("ev1:{body}"),
        ),
        (
            "another version's prefix",
            "token_prefix",
            format!("EV2:{body}"),
        ),
        (
            "prefix of health certificates",
            "token_prefix",
            format!("HC1:{body}"),
        ),
        ("no prefix", "token_prefix", body.to_owned()),
        ("space before", "token_prefix", format!(" {text}")),
    ]
}

/// Rules of Base45 and of the length.
pub(crate) fn body_cases(text: &str) -> Vec<Case<String>> {
    let body = &text[4..];
    let whole_groups = &text[..4 + body.len() / 3 * 3];
    vec![
        ("line end after", "token_base45", format!("{text}\n")),
        ("prefix twice", "token_base45", format!("EV1:{text}")),
        (
            "lower case",
            "token_base45",
            format!("EV1:{}", body.to_lowercase()),
        ),
        (
            "one lower-case letter",
            "token_base45",
            last_letter_lowered(text),
        ),
        (
            "a character outside of the alphabet",
            "token_base45",
            format!("EV1:!{}", &body[1..]),
        ),
        (
            "a digit outside of ASCII",
            "token_base45",
            format!("EV1:\u{660}{}", &body[1..]),
        ),
        (
            "a group above 65535",
            "token_base45",
            format!("EV1::::{}", &body[3..]),
        ),
        (
            "one character too many for a group",
            "token_base45",
            format!("{whole_groups}0"),
        ),
        // "::" stands for 2024, which some decoders cut to a byte.
        (
            "a last pair above 255",
            "token_base45_not_canonical",
            format!("{whole_groups}::"),
        ),
        (
            "one character above the limit",
            "token_too_long",
            format!("EV1:{}", "0".repeat(259)),
        ),
        (
            "a whole page",
            "token_too_long",
            format!("EV1:{}", "0".repeat(5_000)),
        ),
        (
            "cut in half",
            "cose_cbor",
            format!("EV1:{}", &body[..body.len() / 6 * 3]),
        ),
        (
            "last group cut off",
            "cose_cbor",
            format!("EV1:{}", &body[..body.len() / 3 * 3 - 3]),
        ),
    ]
}

fn last_letter_lowered(text: &str) -> String {
    let at = text
        .rfind(|character: char| character.is_ascii_uppercase())
        .unwrap();
    let mut lowered = text.to_owned();
    lowered[at..=at].make_ascii_lowercase();
    lowered
}
