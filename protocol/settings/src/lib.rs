//! The configuration of Eventify's programs: embedded defaults, then a file, then environment
//! variables; each layer replaces single keys of the one before.
//!
//! The defaults are TOML with comments and are the documentation: a key that they do not have does
//! not exist. A mistake stops the start with one line that names where the value was set, the key,
//! the value and what is allowed. The value of a secret is never shown.
//!
//! ```
//! use eventify_settings::{File, Program};
//!
//! static PROGRAM: Program = Program {
//!     defaults: "[http]\nlisten = \"127.0.0.1:80\"\nmax_connections = 64\n",
//!     prefix: "EVENTIFY_SHOP__",
//!     file_variable: "EVENTIFY_SHOP_CONFIG",
//!     neighbours: &["EVENTIFY_CORE__"],
//!     open_tables: &[],
//!     secrets: &[],
//!     limits: &[("http.max_connections", 1..=1_024)],
//! };
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     http: Http,
//! }
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Http {
//!     listen: std::net::SocketAddr,
//!     max_connections: usize,
//! }
//!
//! let file = File { name: "shop.toml", text: "[http]\nlisten = \"[::]:8080\"\n" };
//! let variable = |text: &str| [("EVENTIFY_SHOP__HTTP__MAX_CONNECTIONS".to_owned(), text.to_owned())];
//! let config: Config = PROGRAM.load(Some(file), variable("8"))?.read()?;
//! assert_eq!((config.http.listen.port(), config.http.max_connections), (8080, 8));
//!
//! let mistake = PROGRAM.load(Some(file), variable("0")).unwrap_err();
//! assert_eq!(
//!     mistake.to_string(),
//!     "EVENTIFY_SHOP__HTTP__MAX_CONNECTIONS: http.max_connections = 0: allowed is 1 to 1024"
//! );
//! # Ok::<(), eventify_settings::SettingsError>(())
//! ```
//!
//! Deliberately absent: a search for files in usual places, values computed from other values, and
//! changes while the program runs.

mod error;
mod layers;
mod settings;
mod variables;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

pub use error::SettingsError;
pub use settings::Settings;

/// What one program's configuration consists of. Keys are dotted paths: `http.listen`.
#[derive(Debug)]
pub struct Program {
    /// All settings with their defaults, as TOML.
    pub defaults: &'static str,
    /// Begins the name of each variable that is a setting: `EVENTIFY_CORE__`.
    pub prefix: &'static str,
    /// The variable that holds the path of the file. The program's command line reads it.
    pub file_variable: &'static str,
    /// Prefixes of other programs' variables, which may be set on the same machine.
    pub neighbours: &'static [&'static str],
    /// Tables that are empty in the defaults. Their keys are not checked here.
    pub open_tables: &'static [&'static str],
    /// Settings whose values are not shown in messages, and neither is anything inside them.
    pub secrets: &'static [&'static str],
    /// Smallest and largest value of each number.
    pub limits: &'static [(&'static str, RangeInclusive<i64>)],
}

/// A file that was read.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// How messages name it, usually its path.
    pub name: &'a str,
    /// TOML.
    pub text: &'a str,
}

impl Program {
    /// Merges the defaults, the file and the variables, and checks names, types and limits.
    /// Variables that are not meant for this program are ignored.
    ///
    /// # Errors
    /// The first mistake.
    pub fn load(
        &'static self,
        file: Option<File<'_>>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Settings, SettingsError> {
        let mut settings = Settings::defaults(self);
        if let Some(file) = file {
            settings.overlay_file(file)?;
        }
        for variable in variables::settings(self, variables)? {
            settings.overlay_variable(variable)?;
        }
        settings.check_limits()?;
        Ok(settings)
    }

    /// The keys of all numbers in the defaults: for a test that each of them has its limits.
    ///
    /// # Panics
    /// If the defaults are not TOML.
    #[must_use]
    pub fn number_keys(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        collect_numbers(&self.table(), "", &mut found);
        found
    }

    fn table(&self) -> Table {
        self.defaults
            .parse()
            .expect("the embedded defaults are TOML, as each start and each test shows")
    }

    /// Whether a message may not show what is at this key: a secret lies there, around it or in it.
    fn hides(&self, key: &str) -> bool {
        let contains = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.secrets
            .iter()
            .any(|secret| contains(secret, key) || contains(key, secret))
    }

    fn shown(&self, key: &str, value: &Value) -> String {
        if self.hides(key) {
            "(hidden)".to_owned()
        } else {
            value.to_string()
        }
    }
}

fn collect_numbers(table: &Table, path: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let full = format!("{path}{key}");
        if let Some(inner) = value.as_table() {
            collect_numbers(inner, &format!("{full}."), found);
        } else if value.is_integer() {
            found.insert(full);
        }
    }
}

/// Reads a configuration file. What is no regular file is refused: a named pipe that nobody writes to would be
/// waited for without end.
///
/// # Errors
/// [`SettingsError::File`].
pub fn read_file(path: &Path) -> Result<String, SettingsError> {
    let read = || {
        if std::fs::metadata(path)?.is_file() {
            return std::fs::read_to_string(path);
        }
        let what = "this is a folder, a pipe or a device, and must be a regular file";
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    };
    read().map_err(|error| SettingsError::File {
        path: PathBuf::from(path),
        error,
    })
}

/// The process's environment variables. Bytes that are not UTF-8 are replaced, so that they are
/// refused like other bad values.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |part: OsString| part.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}
