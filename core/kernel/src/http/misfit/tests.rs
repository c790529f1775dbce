use serde::Deserialize;

use super::*;
use crate::http::{GivenTime, Words};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Asked {
    name: String,
    reason: Option<Reason>,
    #[serde(default, alias = "remark")]
    note: Words,
    #[serde(default)]
    places: Vec<Place>,
    since: Option<GivenTime>,
    search: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Refund,
    Fraud,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Place {
    seat_id: uuid::Uuid,
    qty: u8,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it is only read")]
struct Wanted {
    #[serde(default)]
    ended: bool,
    page: Option<u32>,
    venue_id: Option<uuid::Uuid>,
    state: Option<Reason>,
}

fn body(json: &str) -> String {
    format!("{:?}", read_body::<Asked>(json.as_bytes()).unwrap_err())
}

#[track_caller]
fn says(json: &str, wanted: &str) {
    let said = body(json);
    assert!(said.contains(&format!("{wanted}\"")), "{json}: {said}");
}

#[test]
fn what_does_not_fit_is_answered_with_field_what_was_given_and_what_is_taken() {
    says(
        r#"{"reason":"storm"}"#,
        "'reason': must be one of refund, fraud; given: 'storm'",
    );
    says(
        r#"{"reason":7}"#,
        "'reason': must be one of refund, fraud; given: 7",
    );
    says(r#"{"name":true}"#, "'name': must be a text; given: true");
    says(r#"{"name":null}"#, "'name': must be a text; given: null");
    says(
        r#"{"search":"no"}"#,
        "'search': must be true or false; given: 'no'",
    );
    says(
        r#"{"places":{}}"#,
        "'places': must be a list; given: an object",
    );
    let an_id = "must be an id, such as 01a22511-fa05-766a-b0c1-f4c4134240d0";
    says(
        r#"{"places":[{"seatId":""}]}"#,
        &format!("'places[0].seatId': {an_id}; given: an empty text"),
    );
    says(
        r#"{"places":[{"qty":256}]}"#,
        "'places[0].qty': must be a whole number of 0 to 255; given: 256",
    );
    says(
        r#"{"since":"soon"}"#,
        "'since': must be a time, such as 2026-06-01T18:00:00Z; given: 'soon'",
    );
    says(
        r#"{"since":"1999-01-01T00:00:00Z"}"#,
        "'since': must be in the years 2000 to 2200",
    );
    says(
        "[1, 2]",
        "must be an object with name, note, places, reason, search, since; given: a list of 2",
    );
}

#[test]
fn an_object_for_a_word_is_no_malformed_body() {
    says(
        r#"{"reason":{}}"#,
        "'reason': must be one of refund, fraud; given: an object",
    );
}

#[test]
fn a_field_that_is_missing_or_unknown_is_named_with_its_place() {
    says("{}", "field 'name' is required: a text");
    says(
        r#"{"places":[{"qty":1}]}"#,
        "field 'places[0].seatId' is required: an id, such as \
        01a22511-fa05-766a-b0c1-f4c4134240d0",
    );
    let all = "name, reason, note, remark, places, since, search";
    says(
        r#"{"naem":"x"}"#,
        &format!("field 'naem' is unknown; allowed: {all}"),
    );
    says(
        r#"{"places":[{"seat":1}]}"#,
        "field 'places[0].seat' is unknown; allowed: seatId, qty",
    );
    for strange in ["`, expected `x", "a`b", "", "name`"] {
        says(
            &format!(r#"{{"{strange}":1}}"#),
            &format!("is unknown; allowed: {all}"),
        );
    }
    says(
        r#"{"note":"a","remark":"b"}"#,
        "'note': stands there twice, perhaps under two names",
    );
}

/// It is kept for replay and seen on screens.
#[test]
fn of_a_persons_text_only_the_length_is_said() {
    let long = format!(r#"{{"search":"{}"}}"#, "x".repeat(100));
    says(&long, &format!("given: '{}…'", "x".repeat(MAX_SHOWN)));
    says(r#"{"search":"a\u202eb\u0007c"}"#, "given: 'abc'");
    says(
        r#"{"places":"Ada Lovelace"}"#,
        "'places': must be a list; given: a text of 12 characters",
    );
    let named = format!(r#"{{"{}\u202e":1}}"#, "x".repeat(100));
    says(
        &named,
        "is unknown; allowed: name, reason, note, remark, places, since, search",
    );
    assert!(!body(&named).contains(&"x".repeat(MAX_SHOWN + 1)));
}

/// What our own types say goes on; what serde says may hold what was sent.
#[test]
fn only_our_own_words_about_a_value_go_on() {
    says(
        &format!(r#"{{"note":"{}"}}"#, "x".repeat(501)),
        "'note': must be at most 500 characters, and has 501",
    );
    let theirs = body(r#"{"reason":{"says: Ada":1}}"#);
    assert!(!theirs.contains("Ada"), "{theirs}");
}

#[test]
fn what_is_no_json_is_answered_with_where_it_ends_to_be() {
    says(
        r#"{"name": x}"#,
        "malformed: it is no JSON from line 1, column 10 on",
    );
    says(
        r#"{"name": "x"} y"#,
        "malformed: it is no JSON from line 1, column 15 on",
    );
    assert!(body("").contains("malformed"));
}

#[test]
fn a_parameter_that_does_not_fit_is_answered_alike() {
    for (query, wanted) in [
        ("ended=Ada", "'ended': must be true or false; given: 'Ada'"),
        (
            "page=-1",
            "'page': must be a whole number of at least 0; given: '-1'",
        ),
        (
            "page=4294967296",
            "'page': must be a whole number of at least 0; given: '4294967296'",
        ),
        (
            "state=storm",
            "'state': must be one of refund, fraud; given: 'storm'",
        ),
        ("venueId=", "given: an empty text"),
        (
            "seiten=1",
            "field 'seiten' is unknown; allowed: ended, page, venueId, state",
        ),
    ] {
        let said = format!("{:?}", read_query::<Wanted>(query).unwrap_err());
        assert!(said.contains(&format!("{wanted}\"")), "{query}: {said}");
    }
    assert_eq!(read_query::<Wanted>("page=7").unwrap().page, Some(7));
}

#[test]
fn a_nul_is_seen_and_an_escaped_backslash_before_it_is_none() {
    assert!(has_nul(br#"{"seatId":"D-9\u0000"}"#));
    assert!(
        has_nul(br#"{"seatId":"\\\u0000"}"#),
        "a backslash, then NUL"
    );
    assert!(
        !has_nul(br#"{"seatId":"\\u0000"}"#),
        "a backslash, then letters"
    );
    assert!(!has_nul(br#"{"seatId":"\u0001"}"#));
}

/// Before, all of these were of 'body' and 'query'.
#[test]
fn a_nul_is_told_with_the_field_that_has_it() {
    for (json, field) in [
        (r#"{"name":"a\u0000b"}"#, "name"),
        (
            r#"{"name":"a","places":[{"seatId":"D-9\u0000"}]}"#,
            "places[0].seatId",
        ),
        (r#"{"places":[{"D-9\u0000":1}]}"#, "places[0]"),
        (r#"{"\u0000":1}"#, "body"),
    ] {
        says(json, &format!("'{field}': must not have U+0000"));
    }
    assert!(body(r#"{"name":"a\u0000"#).contains("it is no JSON from line 1"));
    for (query, field) in [("venueId=a%00b", "venueId"), ("pa%00ge=1", "query")] {
        let said = format!("{:?}", read_query::<Wanted>(query).unwrap_err());
        let wanted = format!("'{field}': must not have U+0000\"");
        assert!(said.contains(&wanted), "{said}");
    }
}
