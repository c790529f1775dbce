//! Layering: default, file, environment; every key and type is checked against the default's.

use toml::{Table, Value};

use super::variables;

/// Tables that `default.toml` leaves empty. Their keys are names of contexts, which the start checks
/// ([`Database::must_know`](super::Database::must_know)).
const OPEN_TABLES: [&str; 1] = ["database.contexts"];

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is no TOML.
    #[error("the configuration file is not TOML: {0}")]
    Syntax(String),
    /// A key that `default.toml` doesn't have.
    #[error("{key}: there is no such setting; allowed here: {allowed}")]
    UnknownKey {
        /// Dotted path.
        key: String,
        /// Keys that exist at that place.
        allowed: String,
    },
    /// A variable that no program of Eventify reads.
    #[error(
        "environment variable {name}: nothing reads it; allowed are EVENTIFY_CORE__SECTION__KEY \
         (upper case, two underscores) and EVENTIFY_CORE_CONFIG"
    )]
    UnknownVariable {
        /// As it is set.
        name: String,
    },
    /// A value that is not allowed.
    #[error("{key} = {value}: allowed is {allowed}")]
    NotAllowed {
        /// Dotted path.
        key: String,
        /// What was given.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
}

/// Reads sections of the merged table; a value that doesn't fit is named with its place.
///
/// # Errors
/// [`ConfigError::NotAllowed`].
pub fn read<T: serde::de::DeserializeOwned>(merged: &Table) -> Result<T, ConfigError> {
    let all = Value::Table(merged.clone());
    serde_path_to_error::deserialize(all.clone()).map_err(|error| {
        let key = error.path().to_string();
        let value = key
            .split(['.', '['])
            .try_fold(&all, |value, part| match part.strip_suffix(']') {
                Some(index) => value.get(index.parse::<usize>().ok()?),
                None => value.get(part),
            })
            .map_or_else(|| "(missing)".to_owned(), Value::to_string);
        ConfigError::NotAllowed {
            key,
            value,
            allowed: expected(error.inner().message()).to_owned(),
        }
    })
}

/// What the parser would have taken: of its sentence "unknown variant `x`, expected one of …" the
/// end; of "invalid socket address syntax" nothing, so the form is given here.
fn expected(message: &str) -> &str {
    match message {
        "invalid socket address syntax" => "ADDRESS:PORT, such as 0.0.0.0:8080",
        "invalid IP address syntax" => "an IP address",
        _ => message
            .rsplit_once("expected ")
            .map_or(message, |(_, expected)| expected),
    }
}

/// The default with a file's and the environment's values laid over it.
///
/// # Errors
/// [`ConfigError`].
pub fn merge(
    default: &str,
    file: Option<&str>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Table, ConfigError> {
    let mut merged = parse(default)?;
    if let Some(text) = file {
        overlay(&mut merged, parse(text)?, "")?;
    }
    for (key, text) in variables::settings(env)? {
        let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
        let value = environment_value(&merged, &path, &text);
        let nested = path.iter().rev().fold(value, |inner, key| {
            Value::Table(Table::from_iter([(key.clone(), inner)]))
        });
        if let Value::Table(table) = nested {
            overlay(&mut merged, table, "")?;
        }
    }
    Ok(merged)
}

fn parse(text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>()
        .map_err(|error| ConfigError::Syntax(error.to_string()))
}

/// Reads the text as the type that the default has at this place; where it doesn't fit, the text
/// itself goes on, and the type check names the key.
fn environment_value(defaults: &Table, path: &[String], text: &str) -> Value {
    let mut here = Some(defaults);
    let mut known = None;
    for key in path {
        known = here.and_then(|table| table.get(key));
        here = known.and_then(Value::as_table);
    }
    let is_text = matches!(known, None | Some(Value::String(_)));
    if is_text {
        return Value::String(text.to_owned());
    }
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn overlay(base: &mut Table, over: Table, path: &str) -> Result<(), ConfigError> {
    for (key, value) in over {
        let full = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        if OPEN_TABLES.contains(&path) {
            base.insert(key, value);
            continue;
        }
        let Some(known) = base.get_mut(&key) else {
            let allowed = base.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(ConfigError::UnknownKey { key: full, allowed });
        };
        match (known, value) {
            (Value::Table(inner), Value::Table(value)) => overlay(inner, value, &full)?,
            (Value::Float(known), Value::Integer(value)) => {
                *known = f64::from(i32::try_from(value).unwrap_or(i32::MAX));
            }
            (known, value) if known.same_type(&value) => *known = value,
            (known, value) => {
                return Err(ConfigError::NotAllowed {
                    key: full,
                    value: value.to_string(),
                    allowed: format!("a value of type {}", known.type_str()),
                });
            }
        }
    }
    Ok(())
}
