//! A body or a query that does not fit its type, refused in words: which field, what was given, what is taken.
//!
//! What was given is repeated only where no person's text can stand ([`Shape::is_closed`]); of other texts their
//! length is said. The answer goes to whoever sent it, but is also kept for replay and read from screens.

use eventify_protocol::text;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::ApiError;
use super::fields::SAYS;
use super::shape::{Shape, schema_of};

/// Longest word or name that an error repeats, in characters.
const MAX_SHOWN: usize = 40;

struct Misfit<'a> {
    /// What it is a part of: `body`, `query`.
    whole: &'static str,
    path: Vec<Step>,
    /// By serde or a type's own reader. It may quote what was sent.
    said: &'a str,
    schema: &'a Value,
    given: Option<&'a Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
}

/// Reads a JSON body.
///
/// # Errors
/// 400 with the field.
pub(super) fn read_body<T: DeserializeOwned + JsonSchema>(json: &[u8]) -> Result<T, ApiError> {
    if has_nul(json) {
        return Err(ApiError::invalid("body", "must not have U+0000 in a text"));
    }
    let mut from = serde_json::Deserializer::from_slice(json);
    let error = match serde_path_to_error::deserialize(&mut from) {
        Ok(value) => return from.end().map(|()| value).map_err(|error| no_json(&error)),
        Err(error) => error,
    };
    // Its kind is no help: an object where a word is expected is a syntax error to `serde_json`.
    let sent: Value = serde_json::from_slice(json).map_err(|error| no_json(&error))?;
    let schema = schema_of::<T>();
    let path = within_lists(steps(error.path()), &schema);
    let misfit = Misfit {
        whole: "body",
        said: &error.inner().to_string(),
        schema: &schema,
        given: find(&sent, &path),
        path,
    };
    Err(misfit.refusal())
}

/// Reads a query.
///
/// # Errors
/// 400 with the parameter.
pub(super) fn read_query<T: DeserializeOwned + JsonSchema>(query: &str) -> Result<T, ApiError> {
    refuse_nul("query", query)?;
    let pairs = || form_urlencoded::parse(query.as_bytes());
    let from = serde_urlencoded::Deserializer::new(pairs());
    let error = match serde_path_to_error::deserialize(from) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let path = steps(error.path());
    let given = match path.first() {
        Some(Step::Field(name)) => pairs().find(|(key, _)| key == name),
        Some(Step::Item(_)) | None => None,
    };
    let given = given.map(|(_, value)| Value::from(value.into_owned()));
    let misfit = Misfit {
        whole: "query",
        path,
        said: &error.inner().to_string(),
        schema: &schema_of::<T>(),
        given: given.as_ref(),
    };
    Err(misfit.refusal())
}

/// U+0000 in a JSON text can only be written as an escape; PostgreSQL has no place for it.
fn has_nul(json: &[u8]) -> bool {
    const ESCAPE: &[u8] = br"\u0000";
    json.windows(ESCAPE.len())
        .enumerate()
        .filter(|(_, window)| *window == ESCAPE)
        .any(|(at, _)| {
            let before = json[..at].iter().rev();
            before.take_while(|byte| **byte == b'\\').count() % 2 == 0
        })
}

/// The same in a URI.
pub(super) fn refuse_nul(field: &'static str, encoded: &str) -> Result<(), ApiError> {
    if encoded.contains("%00") {
        return Err(ApiError::invalid(field, "must not have U+0000"));
    }
    Ok(())
}

fn no_json(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let message =
        format!("'body' is malformed: it is no JSON from line {line}, column {column} on");
    ApiError::validation(message).field("body", "malformed")
}

fn steps(path: &Path) -> Vec<Step> {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(Step::Item(*index)),
        Segment::Map { key } => Some(Step::Field(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(step).collect()
}

/// `serde` reads the fields of an object from a list too, by their places: what doesn't fit then is the list.
fn within_lists(path: Vec<Step>, schema: &Value) -> Vec<Step> {
    let mut shape = Some(Shape::of(schema));
    let is_known = |step: &Step| {
        shape = match step {
            Step::Field(name) => shape.and_then(|it| it.field(name)),
            Step::Item(_) => shape.and_then(Shape::item),
        };
        shape.is_some() || matches!(step, Step::Field(_))
    };
    path.into_iter().take_while(is_known).collect()
}

fn find<'a>(sent: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(sent, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Item(index) => value.get(index),
    })
}

impl Misfit<'_> {
    fn refusal(&self) -> ApiError {
        if let Some(name) = quoted(self.said, "missing field `") {
            let allowed = self.shape(&self.path).and_then(|it| it.field(&name));
            let allowed = allowed.map_or_else(String::new, |it| format!(": {}", it.allowed()));
            let field = self.name(&self.path, Some(&name));
            return refusal(
                format!("field '{field}' is required{allowed}"),
                field,
                "required",
            );
        }
        if let Some(name) = quoted(self.said, "unknown field `") {
            let around = match self.path.split_last() {
                Some((Step::Field(last), around)) if *last == name => around,
                Some(_) | None => &self.path,
            };
            let allowed = listed(self.said, "unknown field `").unwrap_or_else(|| "none".to_owned());
            let field = self.name(around, Some(&name));
            let message = format!("field '{field}' is unknown; allowed: {allowed}");
            return refusal(message, field, "unknown");
        }
        if let Some(name) = quoted(self.said, "duplicate field `") {
            let field = self.name(&self.path, Some(&name));
            return ApiError::invalid(field, "stands there twice, perhaps under two names");
        }
        let field = self.name(&self.path, None);
        if let Some(issue) = self.said.strip_prefix(SAYS) {
            let issue = issue
                .rsplit_once(" at line ")
                .map_or(issue, |(issue, _)| issue);
            return ApiError::invalid(field, issue);
        }
        let shape = self.shape(&self.path);
        let variants =
            listed(self.said, "unknown variant `").map(|words| format!("one of {words}"));
        let allowed = shape.map(Shape::allowed).or(variants);
        let is_closed = shape.is_none_or(Shape::is_closed);
        let given = self.given.map(|given| described(given, is_closed));
        match (allowed, given) {
            (Some(allowed), Some(given)) => {
                ApiError::invalid(field, format!("must be {allowed}; given: {given}"))
            }
            (Some(allowed), None) => ApiError::invalid(field, format!("must be {allowed}")),
            (None, _) => ApiError::malformed(&field, "invalid"),
        }
    }

    fn shape(&self, path: &[Step]) -> Option<Shape<'_>> {
        path.iter()
            .try_fold(Shape::of(self.schema), |shape, step| match step {
                Step::Field(name) => shape.field(name),
                Step::Item(_) => shape.item(),
            })
    }

    /// `items[0].seatId`.
    fn name(&self, path: &[Step], within: Option<&str>) -> String {
        let mut name = String::new();
        let within = within.map(|field| Step::Field(field.to_owned()));
        for step in path.iter().chain(&within) {
            match step {
                Step::Field(field) if name.is_empty() => name += &short(field),
                Step::Field(field) => name += &format!(".{}", short(field)),
                Step::Item(index) => name += &format!("[{index}]"),
            }
        }
        if name.is_empty() {
            self.whole.to_owned()
        } else {
            name
        }
    }
}

fn refusal(message: String, field: String, issue: &str) -> ApiError {
    ApiError::validation(message).field(field, issue)
}

fn quoted(said: &str, after: &str) -> Option<String> {
    let rest = said.strip_prefix(after)?;
    // What was sent may hold a backquote; what follows it is serde's.
    let end = rest
        .find("`, expected ")
        .or_else(|| rest.find("`, there are no fields"));
    let end = end.or_else(|| rest.find('`'))?;
    Some(rest[..end].to_owned())
}

/// What is taken instead, from serde's "unknown variant `x`, expected one of `a`, `b`", which it says of
/// fields too.
fn listed(said: &str, unknown: &str) -> Option<String> {
    if !said.starts_with(unknown) {
        return None;
    }
    // Whatever the word that was sent contains is cut off with it: the list comes last.
    let (_, list) = said.rsplit_once("`, expected ")?;
    let words: Vec<_> = list.split('`').skip(1).step_by(2).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// A word that was given for another, as an error may repeat it.
#[must_use]
pub fn shown(word: &str) -> String {
    format!("'{}'", short(word))
}

fn described(given: &Value, is_closed: bool) -> String {
    match given {
        Value::Null => "null".to_owned(),
        Value::Bool(given) => given.to_string(),
        Value::Number(given) => short(&given.to_string()),
        Value::String(given) if given.is_empty() => "an empty text".to_owned(),
        Value::String(given) if is_closed => shown(given),
        Value::String(given) => format!("a text of {} characters", given.chars().count()),
        Value::Array(given) => format!("a list of {}", given.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// What a client chose, as it can be shown.
fn short(given: &str) -> String {
    let mut shown: String = given
        .chars()
        .filter(|it| text::shows(*it))
        .take(MAX_SHOWN)
        .collect();
    if given.chars().count() > MAX_SHOWN {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
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
            "'note': at most 500 characters",
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
}
