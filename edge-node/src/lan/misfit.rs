//! A body that does not fit its request, in words: which field, what was given, what is taken.
//!
//! What is taken is read from the schema of the type itself. Of what was given only its kind and length go on: it
//! may be a PIN, a code, a guest's name.

use eventify_protocol::text;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Of a field's name that a refusal repeats.
const MAX_FIELD_CHARS: usize = 64;
const AN_ID: &str = "an id, such as 01a22511-fa05-766a-b0c1-f4c4134240d0";

/// A field, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) field: String,
    pub(super) issue: String,
}

/// A JSON schema without references.
#[derive(Clone, Copy)]
struct Shape<'a>(&'a Value);

/// The first field that does not fit the type; none if its schema takes it all.
pub(super) fn find<T: JsonSchema>(sent: &Value) -> Option<Misfit> {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
    misfit_in(sent, Shape(schema.as_value()), "")
}

fn misfit_in(sent: &Value, shape: Shape<'_>, path: &str) -> Option<Misfit> {
    if sent.is_null() && shape.may_be_null() {
        return None;
    }
    let wrong = || {
        let issue = format!("must be {}; given: {}", shape.allowed(), kind_of(sent));
        Some(misfit(path, issue))
    };
    if let Some(words) = shape.words() {
        let fits = sent.as_str().is_some_and(|sent| words.contains(&sent));
        return if fits { None } else { wrong() };
    }
    if shape.is_object() {
        let Some(sent) = sent.as_object() else {
            return wrong();
        };
        return misfit_in_object(sent, shape, path);
    }
    match sent.as_str() {
        Some(sent) if !shape.is_id() || sent.parse::<Uuid>().is_ok() => None,
        Some(_) | None => wrong(),
    }
}

fn misfit_in_object(sent: &Map<String, Value>, shape: Shape<'_>, path: &str) -> Option<Misfit> {
    let within = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let shape = match shape.kind_sent(sent) {
        Ok(shape) => shape,
        Err((tag, kinds)) => {
            let kinds = format!("one of {}", kinds.join(", "));
            let issue = match sent.get(tag) {
                None => format!("is required: {kinds}"),
                Some(sent) => format!("must be {kinds}; given: {}", kind_of(sent)),
            };
            return Some(misfit(&within(tag), issue));
        }
    };
    for (name, value) in sent {
        let found = match shape.field(name) {
            Some(field) => misfit_in(value, field, &within(name)),
            None if shape.is_closed() => {
                let issue = format!("is unknown; allowed: {}", shape.fields());
                Some(misfit(&within(name), issue))
            }
            None => None,
        };
        if found.is_some() {
            return found;
        }
    }
    let missing = shape.required().find(|name| !sent.contains_key(*name))?;
    let allowed = shape
        .field(missing)
        .map_or_else(String::new, |field| format!(": {}", field.allowed()));
    Some(misfit(&within(missing), format!("is required{allowed}")))
}

fn misfit(path: &str, issue: String) -> Misfit {
    let path = if path.is_empty() { "body" } else { path };
    let field = path.chars().filter(|it| text::shows(*it));
    Misfit {
        field: field.take(MAX_FIELD_CHARS).collect(),
        issue,
    }
}

fn kind_of(sent: &Value) -> String {
    match sent {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(sent) => match sent.chars().count() {
            0 => "an empty text".to_owned(),
            1 => "a text of 1 character".to_owned(),
            chars => format!("a text of {chars} characters"),
        },
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

impl<'a> Shape<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    fn types(self) -> impl Iterator<Item = &'a str> {
        let given = self.get("type");
        let several = given.and_then(Value::as_array).into_iter().flatten();
        given.into_iter().chain(several).filter_map(Value::as_str)
    }

    fn alternatives(self) -> impl Iterator<Item = Self> {
        let of = |name| self.get(name).and_then(Value::as_array);
        let given = of("oneOf").or_else(|| of("anyOf"));
        given.into_iter().flatten().map(Self)
    }

    fn may_be_null(self) -> bool {
        self.types().any(|it| it == "null") || self.alternatives().any(Self::may_be_null)
    }

    /// Those that it may be, without null.
    fn choices(self) -> Vec<Self> {
        let alternatives: Vec<_> = self.alternatives().collect();
        if alternatives.is_empty() {
            return vec![self];
        }
        let is_null = |it: &Self| it.types().eq(["null"]);
        let others = alternatives.into_iter().filter(|it| !is_null(it));
        others.flat_map(Self::choices).collect()
    }

    /// A closed list of words.
    fn words(self) -> Option<Vec<&'a str>> {
        let mut words = Vec::new();
        for choice in self.choices() {
            if let Some(listed) = choice.get("enum").and_then(Value::as_array) {
                words.extend(listed.iter().filter_map(Value::as_str));
            } else {
                words.push(choice.get("const")?.as_str()?);
            }
        }
        Some(words)
    }

    fn is_object(self) -> bool {
        let is_object = |it: Self| it.types().any(|kind| kind == "object");
        self.choices().into_iter().any(is_object)
    }

    fn is_id(self) -> bool {
        self.get("format").and_then(Value::as_str) == Some("uuid")
    }

    /// It takes no fields but its own.
    fn is_closed(self) -> bool {
        self.get("additionalProperties") == Some(&Value::Bool(false))
    }

    fn properties(self) -> impl Iterator<Item = (&'a str, Self)> {
        let all = self.get("properties").and_then(Value::as_object);
        all.into_iter()
            .flatten()
            .map(|(name, field)| (name.as_str(), Self(field)))
    }

    fn field(self, name: &str) -> Option<Self> {
        let mut properties = self.properties();
        properties.find_map(|(of, field)| (of == name).then_some(field))
    }

    fn required(self) -> impl Iterator<Item = &'a str> {
        let all = self.get("required").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_str)
    }

    /// The object that is meant; of several kinds the one that the field which tells them apart names. Else
    /// that field, and the kinds.
    fn kind_sent(self, sent: &Map<String, Value>) -> Result<Self, (&'a str, Vec<&'a str>)> {
        let choices = self.choices();
        let tag_of = |choice: &Self| {
            let mut properties = choice.properties();
            properties.find_map(|(name, field)| Some((name, field.get("const")?.as_str()?)))
        };
        let kinds: Vec<_> = choices.iter().filter_map(tag_of).collect();
        let Some((tag, _)) = kinds.first() else {
            return Ok(choices.first().copied().unwrap_or(self));
        };
        let given = sent.get(*tag).and_then(Value::as_str);
        let is_sent = |choice: &&Self| tag_of(choice).is_some_and(|(_, kind)| Some(kind) == given);
        match choices.iter().find(is_sent) {
            Some(choice) => Ok(*choice),
            None => Err((tag, kinds.iter().map(|(_, kind)| *kind).collect())),
        }
    }

    fn fields(self) -> String {
        let mut names: Vec<_> = self.properties().map(|(name, _)| name).collect();
        names.sort_unstable();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    }

    /// What is taken, to follow "must be".
    fn allowed(self) -> String {
        if let Some(words) = self.words() {
            return format!("one of {}", words.join(", "));
        }
        if self.is_object() {
            let choices = self.choices();
            return match choices.as_slice() {
                [one] if one.properties().next().is_none() => "an object without fields".to_owned(),
                [one] => format!("an object with {}", one.fields()),
                _ => "an object with the fields of its kind".to_owned(),
            };
        }
        let text = if self.is_id() { AN_ID } else { "a text" };
        text.to_owned()
    }
}

#[cfg(test)]
#[path = "misfit_tests.rs"]
mod tests;
