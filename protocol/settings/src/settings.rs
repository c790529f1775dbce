use std::{collections::BTreeMap, fmt};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{Program, SettingsError};

/// The merged settings of a program: names, types and limits hold.
pub struct Settings {
    pub(crate) program: &'static Program,
    pub(crate) table: Table,
    /// File or variable of each key that is not a default.
    pub(crate) origins: BTreeMap<String, String>,
}

/// Without the values: secrets are among them.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The settings as the program's own type.
    ///
    /// # Errors
    /// [`SettingsError::NotAllowed`] with the first value that the type does not accept.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        serde_path_to_error::deserialize(self.table.clone()).map_err(|error| {
            let key = error.path().to_string();
            let value = self.find(&key);
            let value = value.map_or("(missing)".to_owned(), |value| {
                self.program.shown(&key, value)
            });
            let allowed = expected(error.inner().message(), self.program.hides(&key)).to_owned();
            self.not_allowed(&key, value, allowed)
        })
    }

    /// A condition on a value that its type can't express. `shown` is what the message shows as the
    /// value: for a secret, something else.
    ///
    /// # Errors
    /// [`SettingsError::NotAllowed`] unless `fits`.
    pub fn require(
        &self,
        key: &str,
        shown: impl fmt::Display,
        fits: bool,
        allowed: &str,
    ) -> Result<(), SettingsError> {
        if fits {
            return Ok(());
        }
        Err(self.not_allowed(key, shown.to_string(), allowed.to_owned()))
    }

    /// The value is a URL of one of these schemes, each with `://` at its end. Messages show the
    /// scheme only: a URL may hold a password.
    ///
    /// # Errors
    /// [`SettingsError::NotAllowed`].
    pub fn require_url(&self, key: &str, url: &str, schemes: &[&str]) -> Result<(), SettingsError> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        let fits = schemes.iter().any(|scheme| url.starts_with(scheme));
        let allowed = format!("a URL that begins with {}", schemes.join(" or "));
        self.require(key, scheme.unwrap_or("(no scheme)"), fits, &allowed)
    }

    /// Before the numbers are read into their types, so that one that is too large for its type
    /// gets the same message as the others.
    pub(crate) fn check_limits(&self) -> Result<(), SettingsError> {
        for (key, range) in self.program.limits {
            let value = self.find(key).and_then(Value::as_integer);
            let value = value.expect("the defaults have a number here, and types are checked");
            let allowed = format!("{} to {}", range.start(), range.end());
            self.require(key, value, range.contains(&value), &allowed)?;
        }
        Ok(())
    }

    fn not_allowed(&self, key: &str, value: String, allowed: String) -> SettingsError {
        SettingsError::NotAllowed {
            origin: self.origin(key).to_owned(),
            key: key.to_owned(),
            value,
            allowed,
        }
    }

    /// Of the key itself or of the nearest one that contains it.
    fn origin(&self, key: &str) -> &str {
        let mut key = key;
        loop {
            if let Some(origin) = self.origins.get(key) {
                return origin;
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return "the defaults",
            }
        }
    }

    /// `auth.issuers[0].issuer` and the like.
    fn find(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split(['.', '[']);
        let first = self.table.get(parts.next()?)?;
        parts.try_fold(first, |value, part| match part.strip_suffix(']') {
            Some(index) => value.get(index.parse::<usize>().ok()?),
            None => value.get(part),
        })
    }
}

/// What the type would have accepted: of "unknown variant `x`, expected one of …" the end. Two of
/// the standard library's messages do not say it.
fn expected(message: &str, is_hidden: bool) -> &str {
    match message {
        "invalid socket address syntax" => "ADDRESS:PORT, such as 0.0.0.0:8080",
        "invalid IP address syntax" => "an IP address",
        _ => match message.rsplit_once("expected ") {
            // The name of a type in the program tells nobody anything.
            Some((_, expected)) if expected.starts_with("struct ") => "a table",
            Some((_, expected)) => expected,
            None if is_hidden => "a value as the defaults describe it",
            None => message,
        },
    }
}
