//! Laying a file and variables over the defaults. Each key and type is checked against the
//! defaults, and each value keeps where it came from.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::{File, Program, Settings, SettingsError, variables::Variable};

impl Settings {
    pub(crate) fn defaults(program: &'static Program) -> Self {
        Self {
            program,
            table: program.table(),
            origins: BTreeMap::new(),
        }
    }

    pub(crate) fn overlay_file(&mut self, file: File<'_>) -> Result<(), SettingsError> {
        let table = file.text.parse().map_err(|error| syntax(file, &error))?;
        self.overlay(table, file.name)
    }

    pub(crate) fn overlay_variable(&mut self, variable: Variable) -> Result<(), SettingsError> {
        let path = variable.path(self.program);
        let value = typed(&self.table, &path, variable.text);
        let nested = path[1..].iter().rev().fold(value, |inner, key| {
            Value::Table(Table::from_iter([(key.clone(), inner)]))
        });
        let table = Table::from_iter([(path[0].clone(), nested)]);
        self.overlay(table, &variable.name)
    }

    fn overlay(&mut self, over: Table, origin: &str) -> Result<(), SettingsError> {
        let mut layer = Layer {
            program: self.program,
            origin,
            origins: &mut self.origins,
        };
        layer.overlay(&mut self.table, over, "")
    }
}

/// One file or variable, while it is laid over the layers before.
struct Layer<'a> {
    program: &'static Program,
    origin: &'a str,
    origins: &'a mut BTreeMap<String, String>,
}

impl Layer<'_> {
    fn overlay(&mut self, base: &mut Table, over: Table, path: &str) -> Result<(), SettingsError> {
        for (name, value) in over {
            let key = join(path, &name);
            if self.program.open_tables.contains(&path) {
                self.origins.insert(key, self.origin.to_owned());
                base.insert(name, value);
                continue;
            }
            match (base.get_mut(&name), value) {
                (None, _) => return Err(self.unknown(key, base, path)),
                (Some(Value::Table(inner)), Value::Table(value)) => {
                    self.overlay(inner, value, &key)?;
                }
                (Some(known), value) => {
                    *known = self.checked(&key, known, value)?;
                    self.origins.insert(key, self.origin.to_owned());
                }
            }
        }
        Ok(())
    }

    fn checked(&self, key: &str, known: &Value, value: Value) -> Result<Value, SettingsError> {
        match (known, value) {
            (Value::Float(_), Value::Integer(value)) => {
                let value = i32::try_from(value).unwrap_or(i32::MAX);
                Ok(Value::Float(value.into()))
            }
            (known, value) if known.same_type(&value) => Ok(value),
            (known, value) => Err(SettingsError::NotAllowed {
                origin: self.origin.to_owned(),
                key: key.to_owned(),
                value: self.program.shown(key, &value),
                allowed: self.program.expected(key, known),
            }),
        }
    }

    fn unknown(&self, key: String, base: &Table, path: &str) -> SettingsError {
        let known: Vec<_> = base.keys().map(|name| join(path, name)).collect();
        SettingsError::UnknownKey {
            origin: self.origin.to_owned(),
            key,
            allowed: known.join(", "),
        }
    }
}

impl Program {
    fn expected(&self, key: &str, known: &Value) -> String {
        match self.limits.iter().find(|(limited, _)| *limited == key) {
            Some((_, range)) => format!("an integer from {} to {}", range.start(), range.end()),
            None => format!("a value of type {}", known.type_str()),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A variable's text as the type that the defaults have at this place. Text that is not of this
/// type stays text, and the comparison of types names the key.
fn typed(defaults: &Table, path: &[String], text: String) -> Value {
    let mut table = Some(defaults);
    let mut known = None;
    for key in path {
        known = table.and_then(|table| table.get(key));
        table = known.and_then(Value::as_table);
    }
    if matches!(known, None | Some(Value::String(_))) {
        return Value::String(text);
    }
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or(Value::String(text))
}

fn syntax(file: File<'_>, error: &toml::de::Error) -> SettingsError {
    let at = error.span().map_or(0, |span| span.start);
    let before = file.text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    SettingsError::Syntax {
        origin: file.name.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: error.message().to_owned(),
    }
}
