//! What fleet keeps in memory, one in each process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use eventify_kernel::config::ConfigError;
use eventify_protocol::enrolment::BrokerAddress;
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_sync::core::watermark::Watermark;

use tokio::sync::Semaphore;

use super::FleetError;
use crate::contexts::fleet::model::authority::{Authority, BrokerAuthority, DeviceAuthority};
use crate::contexts::fleet::model::settings::Settings;

/// How often a node's evidence is added up, once it has had its share.
const LOOK_AT_EVIDENCE: TimeDelta = TimeDelta::minutes(1);
/// Sign-ins of staff that one process follows at once.
const MAX_SIGN_INS: usize = 256;

/// A venue's last watermark, with the time before it was read. The task that reads it anew holds the
/// lock, so that many requests at once cause one read.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Watermark)>>>;

/// Files that were read at the start, the address that was bound, watermarks that are fresh.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    /// Since when this process hears nodes.
    pub(crate) listening_since: DateTime<Utc>,
    authority: Option<DeviceAuthority>,
    /// None where no nodes are enrolled.
    broker_authority: Option<BrokerAuthority>,
    /// Of this process's enrolment listener, if it has one.
    pub(crate) enrolment_address: OnceLock<SocketAddr>,
    /// When people were last mailed.
    mailed_at: Mutex<Option<DateTime<Utc>>>,
    watermarks: Mutex<HashMap<VenueId, Slot>>,
    /// Those that this process asks the identity provider of.
    sign_ins: Arc<Semaphore>,
    /// The turn to make a snapshot.
    snapshots: Semaphore,
    /// Nodes that have had their share of evidence, and when that was looked at: it costs a sum of many rows.
    spent_evidence: Mutex<HashMap<NodeId, DateTime<Utc>>>,
}

impl State {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// [`ConfigError::NotAllowed`] for one that can't be read, has the wrong content, or has ended.
    pub fn open(settings: &Settings, now: DateTime<Utc>) -> Result<Self, ConfigError> {
        let authority = match settings.device_authority() {
            Some((certificate, key)) => Some(authority((certificate, key), now)?),
            None => None,
        };
        let broker_authority = match settings.mqtt_authority() {
            Some(path) => Some(broker_authority(path, now)?),
            None => None,
        };
        Ok(Self {
            settings: settings.clone(),
            listening_since: now,
            authority,
            broker_authority,
            enrolment_address: OnceLock::new(),
            mailed_at: Mutex::default(),
            watermarks: Mutex::default(),
            sign_ins: Arc::new(Semaphore::new(MAX_SIGN_INS)),
            snapshots: Semaphore::new(1),
            spent_evidence: Mutex::default(),
        })
    }

    /// Whether a node had had its share of evidence a moment ago.
    pub(crate) fn has_spent_evidence(&self, node: NodeId, now: DateTime<Utc>) -> bool {
        let spent = self.spent_evidence.lock();
        let spent = spent.unwrap_or_else(PoisonError::into_inner);
        spent
            .get(&node)
            .is_some_and(|at| now - *at < LOOK_AT_EVIDENCE)
    }

    /// It has, as the database says.
    pub(crate) fn evidence_is_spent(&self, node: NodeId, now: DateTime<Utc>) {
        let spent = self.spent_evidence.lock();
        let mut spent = spent.unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, at| now - *at < LOOK_AT_EVIDENCE);
        spent.insert(node, now);
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
            authority: self
                .broker_authority
                .as_ref()
                .map_or_else(String::new, |authority| authority.pem.clone()),
        }
    }

    /// When the authorities end that this process has.
    pub(crate) fn authority_ends(&self) -> [(Authority, Option<DateTime<Utc>>); 2] {
        let device = self.authority.as_ref().map(DeviceAuthority::ends_at);
        let broker = self.broker_authority.as_ref();
        [
            (Authority::Device, device),
            (Authority::Broker, broker.map(|it| it.first_ends_at)),
        ]
    }

    /// The configured URL of the enrolment listener, or the one of its address.
    pub(crate) fn enrolment_url(&self) -> Option<String> {
        let configured = self.settings.enrolment_url().map(str::to_owned);
        let bound = self.enrolment_address.get();
        configured.or_else(|| bound.map(|address| format!("https://{address}")))
    }

    /// Room for one more sign-in of staff.
    pub(crate) fn sign_ins(&self) -> &Arc<Semaphore> {
        &self.sign_ins
    }

    /// One snapshot is made at a time: each reads a whole venue and holds a connection.
    pub(crate) fn snapshots(&self) -> &Semaphore {
        &self.snapshots
    }

    /// Whether the last mail is so long ago.
    pub(crate) fn may_mail(&self, now: DateTime<Utc>, every: Duration) -> bool {
        let last = self
            .mailed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // A clock that was put back makes nobody wait.
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        last.is_none_or(|last| (now - last).abs() >= every)
    }

    pub(crate) fn mailed(&self, now: DateTime<Utc>) {
        let mut last = self
            .mailed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(now);
    }

    pub(crate) fn watermark_slot(&self, venue: VenueId) -> Slot {
        let mut slots = match self.watermarks.lock() {
            Ok(slots) => slots,
            Err(poisoned) => poisoned.into_inner(),
        };
        slots.entry(venue).or_default().clone()
    }
}

fn authority(
    (certificate, key): (&Path, &Path),
    now: DateTime<Utc>,
) -> Result<DeviceAuthority, ConfigError> {
    let setting = Authority::Device.setting();
    let certificate_pem = read(setting, certificate)?;
    let key_pem = read("fleet.device_authority_key", key)?;
    let authority = DeviceAuthority::from_pem(&certificate_pem, &key_pem)
        .map_err(|error| not_allowed(setting, certificate, &format!("an authority ({error})")))?;
    if authority.ends_at() <= now {
        let allowed = format!(
            "an authority that has not ended (this one has, on {}): put a new certificate of the same key \
             first into the file, or leave fleet.device_authority_* and fleet.enrolment_listen empty, and \
             no node is enrolled or renewed here",
            authority.ends_at()
        );
        return Err(not_allowed(setting, certificate, &allowed));
    }
    Ok(authority)
}

fn broker_authority(path: &Path, now: DateTime<Utc>) -> Result<BrokerAuthority, ConfigError> {
    let setting = Authority::Broker.setting();
    let authority = BrokerAuthority::from_pem(read(setting, path)?);
    let authority = authority
        .map_err(|_| not_allowed(setting, path, "a PEM file with one certificate or more"))?;
    if authority.last_ends_at <= now {
        let allowed = format!(
            "at least one authority that has not ended (here the last one has, on {}): nodes are given \
             this file",
            authority.last_ends_at
        );
        return Err(not_allowed(setting, path, &allowed));
    }
    Ok(authority)
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
