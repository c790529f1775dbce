use std::{io, path::PathBuf};

/// Why a configuration is refused. `origin` is the file or variable that set the value.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("reading {}: {error}", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// From the system.
        error: io::Error,
    },
    /// The file is not TOML. The line itself is not shown: it may hold a secret.
    #[error("{origin}: not valid TOML at line {line}, column {column}: {message}")]
    Syntax {
        /// The file.
        origin: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// From the parser.
        message: String,
    },
    /// The defaults do not have this key.
    #[error("{origin}: {key}: there is no such setting; allowed here: {allowed}")]
    UnknownKey {
        /// File or variable.
        origin: String,
        /// Dotted path.
        key: String,
        /// The keys that exist at this place.
        allowed: String,
    },
    /// A variable that looks like a setting and is none.
    #[error(
        "environment variable {name}: nothing reads it; allowed are {prefix}SECTION__KEY (upper \
         case, two underscores) and {file_variable}"
    )]
    UnknownVariable {
        /// As it is set.
        name: String,
        /// Of this program's settings.
        prefix: &'static str,
        /// The variable that names the file.
        file_variable: &'static str,
    },
    /// The value is not allowed.
    #[error("{origin}: {key} = {value}: allowed is {allowed}")]
    NotAllowed {
        /// File, variable or "the defaults".
        origin: String,
        /// Dotted path.
        key: String,
        /// As it is set; `(hidden)` for a secret.
        value: String,
        /// What is accepted.
        allowed: String,
    },
}
