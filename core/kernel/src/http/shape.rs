//! What a body or a query may hold. It is made from the type that reads it, so that the reference of the API, and
//! what a refusal says is allowed, can't differ from what is taken.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// In a schema: what is taken, in words that follow "must be". For types whose JSON alone does not say it.
const ALLOWED: &str = "x-allowed";
const AN_ID: &str = "an id, such as 01a22511-fa05-766a-b0c1-f4c4134240d0";
const A_TIME: &str = "a time, such as 2026-06-01T18:00:00Z";
const A_TIME_ZONE: &str = "a time zone by its name in the tz database, such as Europe/Paris";

/// A JSON schema without references.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a>(&'a Value);

/// A field for readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// With the names around it: `items[].seatId`.
    pub name: String,
    pub required: bool,
    /// What is taken.
    pub allowed: String,
    /// What it is for, if its type says so.
    pub meaning: Option<String>,
}

/// The schema of a type as it is read, made once.
#[must_use]
pub(super) fn schema_of<T: JsonSchema + 'static>() -> Arc<Value> {
    static MADE: Mutex<BTreeMap<TypeId, Arc<Value>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let schema = made.entry(TypeId::of::<T>());
    Arc::clone(schema.or_insert_with(|| Arc::new(generate::<T>())))
}

fn generate<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

impl<'a> Shape<'a> {
    #[must_use]
    pub fn of(schema: &'a Value) -> Self {
        Self(schema)
    }

    /// Those that it may be, without null.
    fn choices(self) -> Vec<Self> {
        let of = |name| self.0.get(name).and_then(Value::as_array);
        let Some(choices) = of("oneOf").or_else(|| of("anyOf")) else {
            return vec![self];
        };
        let is_null = |choice: &&Value| choice.get("type") == Some(&Value::from("null"));
        let choices = choices.iter().filter(|choice| !is_null(choice));
        choices.flat_map(|choice| Self(choice).choices()).collect()
    }

    /// A field of an object.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Self> {
        let of = |shape: Self| shape.0.get("properties")?.get(name).map(Self);
        self.choices().into_iter().find_map(of)
    }

    /// What a list holds.
    #[must_use]
    pub fn item(self) -> Option<Self> {
        let of = |shape: Self| shape.0.get("items").map(Self);
        self.choices().into_iter().find_map(of)
    }

    /// Whether it may be an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        let choices = self.choices().into_iter();
        choices.map(Self::kind).any(|kind| kind == Some("object"))
    }

    fn properties(self) -> Option<&'a Map<String, Value>> {
        let of = |shape: Self| shape.0.get("properties")?.as_object();
        self.choices().into_iter().find_map(of)
    }

    fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    fn kind(self) -> Option<&'a str> {
        let given = self.0.get("type")?;
        let several = given.as_array().into_iter().flatten();
        let mut kinds = std::iter::once(given)
            .chain(several)
            .filter_map(Value::as_str);
        kinds.find(|kind| *kind != "null")
    }

    fn number(self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    /// Words of a closed list.
    #[must_use]
    pub fn listed(self) -> Option<Vec<&'a str>> {
        let mut listed = Vec::new();
        for choice in self.choices() {
            match (choice.0.get("enum"), choice.0.get("const")) {
                (Some(Value::Array(values)), _) => {
                    listed.extend(values.iter().filter_map(Value::as_str));
                }
                (_, Some(Value::String(value))) => listed.push(value),
                _ => return None,
            }
        }
        (!listed.is_empty()).then_some(listed)
    }

    /// Whether what is sent for it can be no text of a person's: it may be repeated to its sender.
    #[must_use]
    pub fn is_closed(self) -> bool {
        let is_plain = |shape: Self| match shape.kind() {
            Some("boolean" | "integer" | "number") => true,
            Some("string") => matches!(
                shape.text("format"),
                Some("uuid" | "date-time" | "time-zone")
            ),
            _ => false,
        };
        self.listed().is_some() || self.choices().into_iter().all(is_plain)
    }

    /// What is taken, to follow "must be".
    #[must_use]
    pub fn allowed(self) -> String {
        if let Some(words) = self.text(ALLOWED) {
            return words.to_owned();
        }
        if let Some(listed) = self.listed() {
            return format!("one of {}", listed.join(", "));
        }
        let choices = self.choices().into_iter().map(Self::allowed_of_one);
        choices.collect::<Vec<_>>().join(", or ")
    }

    fn allowed_of_one(self) -> String {
        if let Some(words) = self.text(ALLOWED) {
            return words.to_owned();
        }
        match (self.kind(), self.text("format")) {
            (Some("string"), Some("uuid")) => AN_ID.to_owned(),
            (Some("string"), Some("date-time")) => A_TIME.to_owned(),
            (Some("string"), Some("time-zone")) => A_TIME_ZONE.to_owned(),
            (Some("string"), _) if self.text("pattern").is_some() => {
                format!(
                    "a text that matches {}",
                    self.text("pattern").unwrap_or_default()
                )
            }
            (Some("string"), _) => format!(
                "a text{}",
                self.limits("minLength", "maxLength", " characters")
            ),
            (Some("boolean"), _) => "true or false".to_owned(),
            (Some("integer"), _) => {
                format!("a whole number{}", self.limits("minimum", "maximum", ""))
            }
            (Some("number"), _) => format!("a number{}", self.limits("minimum", "maximum", "")),
            (Some("array"), _) => {
                let limits = self.limits("minItems", "maxItems", " items");
                let item = self.item().filter(|item| item.properties().is_none());
                let each = item.map_or_else(String::new, |it| format!(", each {}", it.allowed()));
                format!("a list{limits}{each}")
            }
            (Some("object"), _) => match self.properties() {
                Some(fields) if !fields.is_empty() => {
                    let names: Vec<_> = fields.keys().map(String::as_str).collect();
                    format!("an object with {}", names.join(", "))
                }
                _ => "an object".to_owned(),
            },
            (Some(_) | None, _) => "of another kind".to_owned(),
        }
    }

    fn limits(self, least: &str, most: &str, unit: &str) -> String {
        match (self.number(least), self.number(most)) {
            (Some(least), Some(most)) => format!(" of {least} to {most}{unit}"),
            (None, Some(most)) => format!(" of at most {most}{unit}"),
            (Some(least), None) => format!(" of at least {least}{unit}"),
            (None, None) => String::new(),
        }
    }

    /// All fields, those within fields after them.
    #[must_use]
    pub fn fields(self) -> Vec<Field> {
        let mut fields = Vec::new();
        self.collect("", &mut fields);
        fields
    }

    fn collect(self, around: &str, fields: &mut Vec<Field>) {
        for choice in self.choices() {
            if let Some(item) = choice.item() {
                item.collect(&format!("{around}[]"), fields);
            }
            let required = choice.0.get("required").and_then(Value::as_array);
            for (name, schema) in choice
                .0
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                let shape = Self(schema);
                let dot = if around.is_empty() { "" } else { "." };
                let full = format!("{around}{dot}{name}");
                let is_required = required.is_some_and(|names| names.iter().any(|it| it == name));
                fields.push(Field {
                    name: full.clone(),
                    required: is_required,
                    allowed: shape.allowed(),
                    meaning: shape.text("description").map(one_line),
                });
                if shape.text(ALLOWED).is_none() {
                    shape.collect(&full, fields);
                }
            }
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Sold {
        /// Whose
        /// it is.
        order_id: uuid::Uuid,
        channel: Option<Channel>,
        #[serde(default)]
        places: Vec<Place>,
        since: Option<chrono::DateTime<chrono::Utc>>,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its shape is looked at")]
    enum Channel {
        Online,
        /// With words of its own.
        BoxOffice,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Place {
        #[schemars(length(min = 1, max = 8))]
        row: String,
        number: u8,
        free: bool,
    }

    #[test]
    fn a_shape_says_what_each_field_takes() {
        let schema = schema_of::<Sold>();
        let fields = Shape::of(&schema).fields();
        let said: Vec<_> = fields
            .iter()
            .map(|it| (it.name.as_str(), it.required, it.allowed.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                ("channel", false, "one of online, box_office"),
                ("orderId", true, AN_ID),
                ("places", false, "a list"),
                ("places[].free", true, "true or false"),
                ("places[].number", true, "a whole number of 0 to 255"),
                ("places[].row", true, "a text of 1 to 8 characters"),
                ("since", false, A_TIME),
            ]
        );
        assert_eq!(fields[1].meaning.as_deref(), Some("Whose it is."));
        assert_eq!(
            Shape::of(&schema).allowed(),
            "an object with channel, orderId, places, since"
        );
    }

    #[test]
    fn only_what_can_be_no_text_of_a_persons_is_closed() {
        let schema = schema_of::<Sold>();
        let field = |name| Shape::of(&schema).field(name).unwrap();
        for closed in ["orderId", "channel", "since"] {
            assert!(field(closed).is_closed(), "{closed}");
        }
        assert!(!field("places").is_closed());
        let row = field("places").item().unwrap().field("row").unwrap();
        assert!(!row.is_closed());
    }
}
