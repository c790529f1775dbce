//! Which environment variables are settings, and which look as if they were meant to be one.

use super::layers::ConfigError;

/// Prefix of the settings.
pub(super) const PREFIX: &str = "EVENTIFY_CORE__";
/// Names the file.
const FILE: &str = "EVENTIFY_CORE_CONFIG";
/// Settings of the edge node, which may run beside.
const EDGES: &str = "EVENTIFY_EDGE__";

/// The settings among the variables, by name, without their prefix.
pub(super) fn settings(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut settings = Vec::new();
    for (name, value) in variables {
        if let Some(key) = name.strip_prefix(PREFIX) {
            settings.push((key.to_owned(), value));
        } else if is_mistaken(&name, &value) {
            return Err(ConfigError::UnknownVariable { name });
        }
    }
    settings.sort();
    Ok(settings)
}

/// Without this check a misspelt setting would silently keep its default.
fn is_mistaken(name: &str, value: &str) -> bool {
    let shouted = name.to_ascii_uppercase();
    if name == FILE || name.starts_with(EDGES) || is_service_link(name, value) {
        return false;
    }
    shouted.starts_with("EVENTIFY_CORE")
        || (shouted.starts_with("EVENTIFY") && shouted.contains("__"))
}

/// What Kubernetes sets in each container of a service named `eventify-core`.
fn is_service_link(name: &str, value: &str) -> bool {
    let numbered = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.split("_PORT_").skip(1).any(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Vec<(String, String)>, String> {
        settings([(name.to_owned(), value.to_owned())]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_variable_stops_the_start() {
        for name in [
            "EVENTIFY_CORE_HTTP__LISTEN",
            "EVENTIFY_CORE_HTTP_LISTEN",
            "EVENTIFY_COREHTTP_LISTEN",
            "EVENTIFY_COER__HTTP__LISTEN",
            "EVENTIFY__HTTP__LISTEN",
            "EVENTIFY_CORE_CONFG",
            "EVENTIFY_CORE_HTTP_PORT",
            "eventify_core__http__listen",
        ] {
            let said = read(name, "8080").unwrap_err();
            for part in [name, "EVENTIFY_CORE__SECTION__KEY", FILE] {
                assert!(said.contains(part), "{said}");
            }
        }
    }

    #[test]
    fn what_is_meant_for_others_is_left_alone() {
        for (name, value) in [
            ("PATH", "/bin"),
            (FILE, "core.toml"),
            ("EVENTIFY_EDGE__LAN__LISTEN", "0.0.0.0:1"),
            ("EVENTIFY_STACK", "{}"),
            ("EVENTIFY_CORE_SERVICE_HOST", "10.0.0.1"),
            ("EVENTIFY_CORE_SERVICE_PORT_HTTP", "8080"),
            ("EVENTIFY_CORE_PORT", "tcp://10.0.0.1:8080"),
            ("EVENTIFY_CORE_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ] {
            assert_eq!(read(name, value), Ok(Vec::new()), "{name}");
        }
        let setting = ("HTTP__LISTEN".to_owned(), "x".to_owned());
        assert_eq!(read("EVENTIFY_CORE__HTTP__LISTEN", "x"), Ok(vec![setting]));
    }
}
