//! What fleet keeps in memory, one in each process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use eventify_kernel::config::ConfigError;
use eventify_protocol::enrolment::BrokerAddress;
use eventify_protocol::ids::VenueId;
use eventify_sync::core::watermark::Watermark;

use super::FleetError;
use crate::contexts::fleet::model::authority::DeviceAuthority;
use crate::contexts::fleet::model::settings::Settings;

/// A venue's last watermark, with the time before it was read. The task that reads it anew holds the
/// lock, so that many requests at once cause one read.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Watermark)>>>;

/// Files that were read at the start, the address that was bound, watermarks that are fresh.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    authority: Option<DeviceAuthority>,
    /// PEM; empty where no nodes are enrolled.
    mqtt_authority: String,
    /// Of this process's enrolment listener, if it has one.
    pub(crate) enrolment_address: OnceLock<SocketAddr>,
    watermarks: Mutex<HashMap<VenueId, Slot>>,
}

impl State {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// [`ConfigError::NotAllowed`] for one that can't be read or has the wrong content.
    pub fn open(settings: &Settings) -> Result<Self, ConfigError> {
        let authority = match settings.device_authority() {
            Some((certificate, key)) => Some(authority(certificate, key)?),
            None => None,
        };
        let mqtt_authority = match settings.mqtt_authority() {
            Some(path) => read("fleet.mqtt_authority", path)?,
            None => String::new(),
        };
        Ok(Self {
            settings: settings.clone(),
            authority,
            mqtt_authority,
            enrolment_address: OnceLock::new(),
            watermarks: Mutex::default(),
        })
    }

    /// The device authority, where nodes can be enrolled.
    pub(crate) fn authority(&self) -> Result<&DeviceAuthority, FleetError> {
        self.authority.as_ref().ok_or(FleetError::NotConfigured)
    }

    /// Where nodes reach the broker.
    pub(crate) fn broker(&self) -> BrokerAddress {
        BrokerAddress {
            host: self.settings.mqtt_host.clone(),
            port: self.settings.mqtt_port,
            authority: self.mqtt_authority.clone(),
        }
    }

    /// The configured URL of the enrolment listener, or the one of its address.
    pub(crate) fn enrolment_url(&self) -> Option<String> {
        let configured = self.settings.enrolment_url().map(str::to_owned);
        let bound = self.enrolment_address.get();
        configured.or_else(|| bound.map(|address| format!("https://{address}")))
    }

    pub(crate) fn watermark_slot(&self, venue: VenueId) -> Slot {
        let mut slots = match self.watermarks.lock() {
            Ok(slots) => slots,
            Err(poisoned) => poisoned.into_inner(),
        };
        slots.entry(venue).or_default().clone()
    }
}

fn authority(certificate: &Path, key: &Path) -> Result<DeviceAuthority, ConfigError> {
    let setting = "fleet.device_authority_certificate";
    let certificate_pem = read(setting, certificate)?;
    let key_pem = read("fleet.device_authority_key", key)?;
    DeviceAuthority::from_pem(&certificate_pem, &key_pem)
        .map_err(|error| not_allowed(setting, certificate, &format!("an authority ({error})")))
}

fn read(setting: &str, path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|error| not_allowed(setting, path, &format!("a readable PEM file ({error})")))
}

fn not_allowed(key: &str, path: &Path, allowed: &str) -> ConfigError {
    ConfigError::NotAllowed {
        origin: "the configuration".to_owned(),
        key: key.to_owned(),
        value: path.display().to_string(),
        allowed: allowed.to_owned(),
    }
}
