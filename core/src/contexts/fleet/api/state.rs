//! What fleet keeps in memory, one in each process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use eventify_protocol::ids::VenueId;
use eventify_sync::core::watermark::Watermark;

use crate::contexts::fleet::model::authority::DeviceAuthority;
use crate::contexts::fleet::model::settings::Settings;
use eventify_kernel::config::ConfigError;

/// A venue's last watermark with the moment before it was read. Whoever reads it anew holds the
/// lock, so that a burst of questions makes one read.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Watermark)>>>;

/// Files that were read at the start, addresses that were bound, watermarks that are fresh.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) authority: Option<DeviceAuthority>,
    /// PEM; empty where no nodes are enrolled.
    pub(crate) mqtt_authority: String,
    /// Where this process takes enrolments, if it does.
    pub(crate) enrolment_address: OnceLock<SocketAddr>,
    watermarks: Mutex<HashMap<VenueId, Slot>>,
}

impl State {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// [`ConfigError::NotAllowed`] for one that can't be read or doesn't hold what it should.
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

    pub(crate) fn watermark_slot(&self, venue: VenueId) -> Slot {
        let mut slots = match self.watermarks.lock() {
            Ok(slots) => slots,
            Err(poisoned) => poisoned.into_inner(),
        };
        slots.entry(venue).or_default().clone()
    }
}

fn authority(certificate: &Path, key: &Path) -> Result<DeviceAuthority, ConfigError> {
    let certificate_text = read("fleet.device_authority_certificate", certificate)?;
    let key_text = read("fleet.device_authority_key", key)?;
    DeviceAuthority::from_pem(&certificate_text, &key_text).map_err(|error| {
        let path = certificate.display().to_string();
        not_allowed(
            "fleet.device_authority_certificate",
            path,
            &format!("an authority ({error})"),
        )
    })
}

fn read(setting: &str, path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        not_allowed(
            setting,
            path.display().to_string(),
            &format!("a readable PEM file ({error})"),
        )
    })
}

fn not_allowed(key: &str, value: String, allowed: &str) -> ConfigError {
    ConfigError::NotAllowed {
        origin: "the configuration".to_owned(),
        key: key.to_owned(),
        value,
        allowed: allowed.to_owned(),
    }
}
