//! Which environment variables are settings, and which look as if they were meant to be one.

use crate::{Program, SettingsError};

/// Begins the names of all variables of Eventify.
const FAMILY: &str = "EVENTIFY";

/// A variable that is a setting.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Variable {
    /// `["http", "listen"]` for `EVENTIFY_CORE__HTTP__LISTEN`; never empty.
    pub(crate) fn path(&self, program: &Program) -> Vec<String> {
        let key = self.name.strip_prefix(program.prefix).unwrap_or_default();
        key.split("__").map(str::to_lowercase).collect()
    }
}

/// This program's settings among the variables, by name.
pub(crate) fn settings(
    program: &Program,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Variable>, SettingsError> {
    let mut settings = Vec::new();
    for (name, text) in variables {
        if name.starts_with(program.prefix) {
            settings.push(Variable { name, text });
        } else if is_mistake(program, &name, &text) {
            return Err(SettingsError::UnknownVariable {
                name,
                prefix: program.prefix,
                file_variable: program.file_variable,
            });
        }
    }
    settings.sort();
    Ok(settings)
}

/// A misspelt variable would leave a default in force that nobody wanted.
fn is_mistake(program: &Program, name: &str, text: &str) -> bool {
    let is_other = program
        .neighbours
        .iter()
        .any(|prefix| name.starts_with(prefix));
    if name == program.file_variable || is_other || is_service_link(name, text) {
        return false;
    }
    let upper = name.to_ascii_uppercase();
    upper.starts_with(program.prefix.trim_end_matches('_'))
        || (upper.starts_with(FAMILY) && upper.contains("__"))
}

/// What Kubernetes sets in each container for a service named like the program, such as
/// `eventify-core`.
fn is_service_link(name: &str, text: &str) -> bool {
    let is_numbered = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && text.contains("://"))
        || name.split("_PORT_").skip(1).any(is_numbered)
}
