//! Schemas of every event, compiled once: checked at emission in debug builds, at consumption
//! always. Unknown fields pass, so that a publisher can add some.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

use crate::event::{EventType, Malformed};

/// All known event types. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Schemas(Arc<HashMap<&'static str, Validator>>);

/// A schema that can't be compiled, or a type that was registered twice.
#[derive(Debug, thiserror::Error)]
#[error("schema of {kind}: {reason}")]
pub struct SchemaError {
    kind: &'static str,
    reason: String,
}

impl Schemas {
    /// Compiles them.
    ///
    /// # Errors
    /// [`SchemaError`] for a bad schema or a type registered twice.
    pub fn compile(events: impl IntoIterator<Item = EventType>) -> Result<Self, SchemaError> {
        let mut compiled = HashMap::new();
        for EventType { kind, schema, .. } in events {
            let validator = jsonschema::validator_for(&schema).map_err(|error| SchemaError {
                kind,
                reason: error.to_string(),
            })?;
            if compiled.insert(kind, validator).is_some() {
                return Err(SchemaError {
                    kind,
                    reason: "registered twice".to_owned(),
                });
            }
        }
        Ok(Self(Arc::new(compiled)))
    }

    /// Checks an event's data.
    ///
    /// # Errors
    /// [`Malformed::Data`] with the place of the first misfit, never the value (it may be personal).
    pub fn check(&self, kind: &str, data: &Value) -> Result<(), Malformed> {
        let malformed = |reason: String| Malformed::Data {
            kind: kind.to_owned(),
            reason,
        };
        let validator = self
            .0
            .get(kind)
            .ok_or_else(|| malformed("the type is unknown".to_owned()))?;
        match validator.iter_errors(data).next() {
            None => Ok(()),
            Some(error) => Err(malformed(format!(
                "at '{}' ({})",
                error.instance_path(),
                error.schema_path()
            ))),
        }
    }
}
