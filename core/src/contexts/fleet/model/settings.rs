//! `[fleet]`: enrolment of edge nodes and the broker's authorization requests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use eventify_kernel::config::{self, ConfigError};
use serde::Deserialize;

/// Shortest secret in the path of the broker's requests.
const MIN_SECRET_CHARS: usize = 16;

/// A certificate's common name holds the virtual host, a colon and the node's id.
const MAX_VHOST_CHARS: usize = 64 - 1 - 36;

/// `[fleet]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    device_authority_certificate: PathBuf,
    device_authority_key: PathBuf,
    enrolment_listen: String,
    enrolment_url: String,
    code_seconds: u32,
    certificate_days: u32,
    /// Host name of the MQTT listener, as in its certificate.
    pub mqtt_host: String,
    pub mqtt_port: u16,
    mqtt_authority: PathBuf,
    broker_auth_listen: String,
    broker_auth_secret: String,
}

impl Settings {
    /// Checks the values that parse but can't work.
    ///
    /// # Errors
    /// [`ConfigError::NotAllowed`].
    pub fn check(&self, bus: &config::Bus, settings: &config::Settings) -> Result<(), ConfigError> {
        address(settings, "fleet.enrolment_listen", &self.enrolment_listen)?;
        address(
            settings,
            "fleet.broker_auth_listen",
            &self.broker_auth_listen,
        )?;
        let url = &self.enrolment_url;
        let fits = url.is_empty() || url.starts_with("https://");
        settings.require(
            "fleet.enrolment_url",
            url,
            fits,
            "empty or a URL that begins with https://",
        )?;
        let authority = self.device_authority();
        let both = given(&self.device_authority_certificate).is_some()
            == given(&self.device_authority_key).is_some();
        let certificate = self.device_authority_certificate.display();
        settings.require(
            "fleet.device_authority_certificate",
            certificate,
            both,
            "a PEM file together with fleet.device_authority_key, or both empty",
        )?;
        let enrols = self.enrolment_listen().is_some();
        settings.require(
            "fleet.enrolment_listen",
            &self.enrolment_listen,
            !enrols || (authority.is_some() && self.mqtt_authority().is_some()),
            "empty, unless fleet.device_authority_* and fleet.mqtt_authority are set",
        )?;
        let authorises = self.broker_auth_listen().is_some();
        let secret = &self.broker_auth_secret;
        let strong = secret.len() >= MIN_SECRET_CHARS
            && secret
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let allowed = format!("{MIN_SECRET_CHARS} or more of a-z, A-Z, 0-9, '-' and '_'");
        settings.require(
            "fleet.broker_auth_secret",
            "(hidden)",
            !authorises || strong,
            &allowed,
        )?;
        let vhost = bus.vhost();
        let short = vhost == "/" || vhost.chars().count() <= MAX_VHOST_CHARS;
        let allowed = format!("a virtual host of at most {MAX_VHOST_CHARS} characters");
        settings.require("bus.url", vhost, authority.is_none() || short, &allowed)
    }

    /// Certificate and key of the device authority, if nodes can be enrolled here.
    #[must_use]
    pub fn device_authority(&self) -> Option<(&Path, &Path)> {
        given(&self.device_authority_certificate).zip(given(&self.device_authority_key))
    }

    /// Address of the enrolment listener.
    #[must_use]
    pub fn enrolment_listen(&self) -> Option<SocketAddr> {
        self.enrolment_listen.parse().ok()
    }

    /// The enrolment listener's URL in enrolment codes, if configured.
    #[must_use]
    pub fn enrolment_url(&self) -> Option<&str> {
        Some(self.enrolment_url.trim_end_matches('/')).filter(|url| !url.is_empty())
    }

    /// Validity of an enrolment code.
    #[must_use]
    pub fn code_life(&self) -> Duration {
        Duration::from_secs(self.code_seconds.into())
    }

    /// Validity of a node's certificate.
    #[must_use]
    pub fn certificate_life(&self) -> TimeDelta {
        TimeDelta::days(self.certificate_days.into())
    }

    /// The authority of the MQTT listener's certificate.
    #[must_use]
    pub fn mqtt_authority(&self) -> Option<&Path> {
        given(&self.mqtt_authority)
    }

    /// Address of the listener for the broker's authorization requests.
    #[must_use]
    pub fn broker_auth_listen(&self) -> Option<SocketAddr> {
        self.broker_auth_listen.parse().ok()
    }

    /// The secret in the path of those requests.
    #[must_use]
    pub fn broker_auth_secret(&self) -> &str {
        &self.broker_auth_secret
    }
}

/// Without the secret.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("enrolment_listen", &self.enrolment_listen)
            .field("enrolment_url", &self.enrolment_url)
            .field("broker_auth_listen", &self.broker_auth_listen)
            .finish_non_exhaustive()
    }
}

fn given(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

fn address(settings: &config::Settings, key: &str, value: &str) -> Result<(), ConfigError> {
    let fits = value.is_empty() || value.parse::<SocketAddr>().is_ok();
    settings.require(key, value, fits, "empty or an address like 0.0.0.0:8443")
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn refused(file: &str) -> String {
        Config::load(Some(file), [])
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn mistakes_name_key_value_and_what_is_allowed() {
        for (file, key) in [
            (
                "[fleet]\nenrolment_listen = \"8443\"",
                "fleet.enrolment_listen = 8443",
            ),
            (
                "[fleet]\nenrolment_url = \"http://core\"",
                "fleet.enrolment_url = http://core",
            ),
            (
                "[fleet]\ndevice_authority_key = \"ca.key\"",
                "fleet.device_authority_certificate",
            ),
            (
                "[fleet]\nenrolment_listen = \"127.0.0.1:1\"",
                "fleet.mqtt_authority",
            ),
            (
                "[fleet]\nbroker_auth_listen = \"127.0.0.1:1\"\nbroker_auth_secret = \"short\"",
                "fleet.broker_auth_secret = (hidden): allowed is 16",
            ),
        ] {
            let message = refused(file);
            assert!(message.contains(key), "{file}: {message}");
        }
        assert_eq!(refused(""), "");
    }

    #[test]
    fn the_virtual_host_is_read_from_the_url() {
        let vhost = |url: &str| {
            let file = format!("[bus]\nurl = \"{url}\"");
            Config::load(Some(&file), []).unwrap().kernel.bus.vhost()
        };
        assert_eq!(vhost("amqp://u:p@host:5672"), "/");
        assert_eq!(vhost("amqp://u:p@host:5672/%2f"), "/");
        assert_eq!(vhost("amqp://host/venues?heartbeat=5"), "venues");
    }
}
