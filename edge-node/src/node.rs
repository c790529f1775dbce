//! A running node: its owner, its link to the core, its LAN API and its control socket, started and
//! stopped together.

use std::{net::SocketAddr, path::Path, sync::Arc};

use eventify_protocol::{hash::Hash32, ids::GateId, lan::PairingCode};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    config::Config,
    control, durable_file,
    enrol::Renewal,
    identity::Identity,
    instance_lock::InstanceLock,
    lan::{self, Bound, Endpoint, Lan, Scanners, Staff},
    link::{self, Access},
    owner::{self, Fatal, Handle, Parts, StartError},
};

/// A running node. Dropping it stops it; [`Node::stop`] also waits for the end.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    lan: Arc<Lan>,
    address: SocketAddr,
    ending: oneshot::Receiver<Result<(), Fatal>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    _lock: InstanceLock,
}

impl Node {
    /// Starts a node on this runtime. When this returns, the LAN API answers.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let folder = &config.data_dir;
        let identity = Identity::load(folder)?.behind(config.broker.as_ref());
        let lock = own_folder(folder)?;
        let scanners = Scanners::open(folder)?;
        let bound = Bound::new(&identity, config.lan.listen).await?;
        let address = bound.address;
        let endpoint = endpoint(config, &identity, address).map_err(StartError::Unusable)?;

        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (line, renewal) = connection(config, &identity, clock)?;
        let (link, keep_open) = link::open(line, stop.clone());
        let (line_owner, line) = owner::scanner_line();
        let (staff_owner, staff_line) = owner::staff_line();
        let parts = Parts {
            config,
            scanner_line: line_owner,
            staff_line: staff_owner,
            identity: &identity,
            clock,
            link,
            stop: stop.clone(),
        };
        let (handle, ending) = owner::start(parts)?;
        let pin_life = config.staff.pin_life;
        let (asks, answers) = (staff_line.asks, staff_line.answers);
        let staff = Staff::open((folder, pin_life), clock, handle.staff(), asks);
        let lan = Arc::new(Lan::new(
            (identity.node_id, identity.venue_id),
            clock,
            handle.clone(),
            (scanners, staff),
            (endpoint, &config.lan),
            stop.clone(),
        ));
        let control = control::listen(folder, Arc::clone(&lan), stop.clone()).map_err(|error| {
            StartError::System {
                what: "opening the control socket".to_owned(),
                error,
            }
        })?;
        tasks.spawn(keep_open);
        tasks.spawn(stop.clone().run_until_cancelled_owned(renewal.run()));
        tasks.spawn(control);
        tasks.spawn(lan::line::keep(Arc::clone(&lan), line));
        tasks.spawn(lan::keep_staff(Arc::clone(&lan), answers));
        tasks.spawn(lan::forget_guests(Arc::clone(&lan)));
        tasks.spawn(bound.serve(Arc::clone(&lan), stop.clone()));
        tasks.close();
        tracing::info!(
            code = "node.started",
            node_id = %identity.node_id,
            venue_id = %identity.venue_id,
            %address,
            software = crate::SOFTWARE,
            "the node is running"
        );
        Ok(Self {
            handle,
            lan,
            address,
            ending,
            stop,
            tasks,
            _lock: lock,
        })
    }

    /// The owner, as the LAN API reaches it.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where the LAN API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A one-time code that pairs a scanner; `gates` narrows what it may scan for.
    #[must_use]
    pub fn pairing_code(&self, gates: Option<Vec<GateId>>) -> PairingCode {
        self.lan.pairing_code(gates)
    }

    /// Waits until the node ends by itself, which it does only when it can't continue.
    ///
    /// # Errors
    /// Why it can't continue.
    pub async fn ended(&mut self) -> Result<(), Fatal> {
        (&mut self.ending)
            .await
            .unwrap_or(Err(Fatal::Gone("owner")))
    }

    /// Stops the node and waits until nothing of it is left.
    ///
    /// # Errors
    /// Why it could not continue, if it ended before.
    pub async fn stop(mut self) -> Result<(), Fatal> {
        self.stop.cancel();
        let outcome = self.ended().await;
        self.tasks.wait().await;
        outcome
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Makes the folder this node's alone: other users may not look into it, other nodes not use it.
fn own_folder(folder: &Path) -> Result<InstanceLock, StartError> {
    durable_file::private_folder(folder).map_err(|error| StartError::System {
        what: format!("removing the rights of others from {}", folder.display()),
        error,
    })?;
    InstanceLock::take(folder).map_err(|error| StartError::System {
        what: format!(
            "locking {} (is another node running with this data directory?)",
            folder.display()
        ),
        error,
    })
}

/// How the core is reached, and what keeps that in force.
fn connection(
    config: &Config,
    identity: &Identity,
    clock: Clock,
) -> Result<(link::Settings, Renewal), StartError> {
    let access = Access::of(identity).map_err(StartError::Unusable)?;
    let (renewed_access, access) = watch::channel(Arc::new(access));
    let expired = Arc::new(Notify::new());
    let renewal = Renewal {
        data_dir: config.data_dir.clone(),
        clock,
        broker: config.broker.clone(),
        access: renewed_access,
        expired: Arc::clone(&expired),
    };
    let settings = link::Settings {
        node: identity.node_id,
        access,
        expired,
        limits: config.link,
    };
    Ok((settings, renewal))
}

/// The address and key in pairing codes.
fn endpoint(config: &Config, identity: &Identity, bound: SocketAddr) -> Result<Endpoint, String> {
    let key: Hash32 = identity.lan_fingerprint()?;
    let host = config.lan.advertise.clone().unwrap_or_else(|| {
        if bound.ip().is_unspecified() {
            format!("{}:{}", own_host_name(), bound.port())
        } else {
            bound.to_string()
        }
    });
    Ok(Endpoint {
        url: format!("https://{host}"),
        key,
    })
}

/// The machine's name, which scanners may resolve; the loopback address if it has none.
fn own_host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "127.0.0.1".to_owned(), |name| name.trim().to_owned())
}
