//! A body or a query that does not fit its type, refused in words: which field, what was given, what is taken.
//!
//! What was given is repeated only where no person's text can stand ([`Shape::is_closed`]); of other texts their
//! length is said. The answer goes to whoever sent it, but is also kept for replay and read from screens.

mod lists;

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
pub(super) fn read_body<T: DeserializeOwned + JsonSchema + 'static>(
    json: &[u8],
) -> Result<T, ApiError> {
    if has_nul(json) {
        let sent: Value = serde_json::from_slice(json).map_err(|error| no_json(&error))?;
        let path = find_nul(&sent).unwrap_or_default();
        return Err(ApiError::invalid(
            name_of("body", &path),
            "must not have U+0000",
        ));
    }
    let mut from = serde_json::Deserializer::from_slice(json);
    let error = match serde_path_to_error::deserialize(&mut from) {
        Ok(value) => {
            from.end().map_err(|error| no_json(&error))?;
            return must_have_objects::<T>(json).map(|()| value);
        }
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

fn must_have_objects<T: JsonSchema + 'static>(json: &[u8]) -> Result<(), ApiError> {
    if !json.contains(&b'[') {
        return Ok(());
    }
    let schema = schema_of::<T>();
    let sent: Value = serde_json::from_slice(json).map_err(|error| no_json(&error))?;
    let Some(path) = lists::in_place_of_an_object(&sent, Shape::of(&schema)) else {
        return Ok(());
    };
    let misfit = Misfit {
        whole: "body",
        said: "",
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
pub(super) fn read_query<T: DeserializeOwned + JsonSchema + 'static>(
    query: &str,
) -> Result<T, ApiError> {
    let pairs = || form_urlencoded::parse(query.as_bytes());
    if let Some((name, _)) = pairs().find(|(name, value)| has_nul_in(name) || has_nul_in(value)) {
        let field = (!has_nul_in(&name)).then(|| Step::Field(name.into_owned()));
        return Err(ApiError::invalid(
            name_of("query", &field),
            "must not have U+0000",
        ));
    }
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

fn has_nul_in(text: &str) -> bool {
    text.contains('\0')
}

/// Where the first of them is: the field or item whose text it is in, or that has a field so named.
fn find_nul(sent: &Value) -> Option<Vec<Step>> {
    let within = |step: Step, value: &Value| {
        let mut path = find_nul(value)?;
        path.insert(0, step);
        Some(path)
    };
    match sent {
        Value::String(text) => has_nul_in(text).then(Vec::new),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| within(Step::Item(index), item))
        }
        Value::Object(fields) if fields.keys().any(|name| has_nul_in(name)) => Some(Vec::new()),
        Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.find_map(|(name, value)| within(Step::Field(name.clone()), value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Of an id or a number in a path: there is nothing to name.
pub(super) fn refuse_nul_in_path(encoded: &str) -> Result<(), ApiError> {
    if encoded.contains("%00") {
        return Err(ApiError::invalid("path", "must not have U+0000"));
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

    fn name(&self, path: &[Step], within: Option<&str>) -> String {
        let within = within.map(|field| Step::Field(field.to_owned()));
        name_of(self.whole, path.iter().chain(&within))
    }
}

/// `items[0].seatId`.
fn name_of<'a>(whole: &str, path: impl IntoIterator<Item = &'a Step>) -> String {
    let mut name = String::new();
    for step in path {
        match step {
            Step::Field(field) if name.is_empty() => name += &short(field),
            Step::Field(field) => name += &format!(".{}", short(field)),
            Step::Item(index) => name += &format!("[{index}]"),
        }
    }
    if name.is_empty() {
        whole.to_owned()
    } else {
        name
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
mod tests;
