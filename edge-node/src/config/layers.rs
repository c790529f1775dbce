//! Settings as text laid over each other, each with where it came from.

use std::{collections::BTreeMap, ops::RangeInclusive};

use toml::{Table, Value};

use super::{ConfigError, DEFAULTS};

/// Every setting by `section.name`.
#[derive(Debug)]
pub(super) struct Layers {
    settings: BTreeMap<String, Setting>,
}

#[derive(Debug)]
struct Setting {
    value: Value,
    origin: String,
}

impl Layers {
    pub(super) fn defaults() -> Self {
        let table: Table = DEFAULTS
            .parse()
            .expect("the embedded defaults are valid TOML");
        let mut settings = BTreeMap::new();
        for (section, names) in table {
            let Value::Table(names) = names else {
                panic!("`{section}` is not a section")
            };
            for (name, value) in names {
                let setting = Setting {
                    value,
                    origin: "the defaults".to_owned(),
                };
                settings.insert(format!("{section}.{name}"), setting);
            }
        }
        Self { settings }
    }

    pub(super) fn overlay_file(&mut self, text: &str, origin: &str) -> Result<(), ConfigError> {
        let table: Table = text.parse().map_err(|error| ConfigError::Syntax {
            origin: origin.to_owned(),
            error: Box::new(error),
        })?;
        for (section, names) in table {
            let Value::Table(names) = names else {
                return Err(self.unknown(&section, origin));
            };
            for (name, value) in names {
                let key = format!("{section}.{name}");
                if !self.settings.contains_key(&key) {
                    return Err(self.unknown(&key, origin));
                }
                self.settings.insert(
                    key,
                    Setting {
                        value,
                        origin: origin.to_owned(),
                    },
                );
            }
        }
        Ok(())
    }

    /// A variable holds text; it is read as what the default is.
    pub(super) fn overlay_variable(
        &mut self,
        key: &str,
        name: &str,
        text: &str,
    ) -> Result<(), ConfigError> {
        let Some(setting) = self.settings.get_mut(key) else {
            return Err(self.unknown(key, name));
        };
        let number = if setting.value.is_integer() {
            text.parse().ok()
        } else {
            None
        };
        setting.value = number.map_or_else(|| Value::String(text.to_owned()), Value::Integer);
        name.clone_into(&mut setting.origin);
        Ok(())
    }

    pub(super) fn number(
        &self,
        key: &str,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let number = self
            .get(key)
            .value
            .as_integer()
            .and_then(|number| u64::try_from(number).ok());
        number
            .filter(|number| allowed.contains(number))
            .ok_or_else(|| {
                self.refused(
                    key,
                    &format!("a number from {} to {}", allowed.start(), allowed.end()),
                )
            })
    }

    pub(super) fn count(
        &self,
        key: &str,
        allowed: RangeInclusive<u64>,
    ) -> Result<usize, ConfigError> {
        self.number(key, allowed)
            .map(|n| usize::try_from(n).expect("counts are small"))
    }

    pub(super) fn text<T>(
        &self,
        key: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.get(key)
            .value
            .as_str()
            .and_then(read)
            .ok_or_else(|| self.refused(key, allowed))
    }

    fn get(&self, key: &str) -> &Setting {
        self.settings
            .get(key)
            .unwrap_or_else(|| panic!("`{key}` stands in the defaults"))
    }

    /// Says that a setting has a value that is not allowed.
    pub(super) fn refused(&self, key: &str, allowed: &str) -> ConfigError {
        let Setting { value, origin } = self.get(key);
        ConfigError::Value {
            key: key.to_owned(),
            value: value.to_string(),
            origin: origin.clone(),
            allowed: allowed.to_owned(),
        }
    }

    fn unknown(&self, key: &str, origin: &str) -> ConfigError {
        ConfigError::UnknownKey {
            key: key.to_owned(),
            origin: origin.to_owned(),
            allowed: self
                .settings
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        }
    }
}
