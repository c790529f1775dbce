//! Which environment variables are settings, and which look as if they were meant to be one.

use super::ConfigError;

/// Prefix of the settings.
const PREFIX: &str = "EVENTIFY_EDGE__";
/// Names the file.
const FILE: &str = "EVENTIFY_EDGE_CONFIG";
/// Settings of the core, which may run beside.
const CORES: &str = "EVENTIFY_CORE__";

/// The settings among the variables by name: `section.key`, the variable, its text.
pub(super) fn settings(
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Vec<(String, String, String)>, ConfigError> {
    let mut settings = Vec::new();
    for (name, text) in variables {
        if let Some(key) = name.strip_prefix(PREFIX) {
            let key = key.to_lowercase().replace("__", ".");
            settings.push((key, name, text));
        } else if is_mistaken(&name) {
            return Err(ConfigError::UnknownVariable { name });
        }
    }
    settings.sort();
    Ok(settings)
}

/// A misspelt setting would else be a default that nobody wanted.
fn is_mistaken(name: &str) -> bool {
    let shouted = name.to_ascii_uppercase();
    if name == FILE || name.starts_with(CORES) {
        return false;
    }
    shouted.starts_with("EVENTIFY_EDGE")
        || (shouted.starts_with("EVENTIFY") && shouted.contains("__"))
}
