//! Open connections, and those among them on which no paired scanner has proven itself yet. Anybody
//! on the LAN can open one, from as many addresses as they like: so an address may have few of
//! these, they have little time, and when all connections are in use the oldest of these is closed
//! for a new one.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    locked,
    per_address_limit::{PerAddressLimit, Permit},
};

/// From the end of the handshake to the first signed request, its body included. A scanner that
/// takes longer, as after its pairing, connects again.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// All connections of the LAN API.
#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    unauthenticated: Arc<PerAddressLimit>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// By age; an unauthenticated connection has a token that closes it.
    all: BTreeMap<u64, Option<CancellationToken>>,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its address has as many unauthenticated connections as it may.
    TooManyUnauthenticated,
    /// All connections are in use by scanners.
    Full,
}

/// An open connection. It counts as open until all copies are dropped.
#[derive(Clone, Debug)]
pub(super) struct ConnectionHandle(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    connections: Arc<Connections>,
    number: u64,
    /// None once a scanner has proven itself.
    permit: Mutex<Option<Permit>>,
    evicted: CancellationToken,
}

impl Connections {
    pub(super) fn new(max: usize, max_unauthenticated_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            unauthenticated: PerAddressLimit::new(max_unauthenticated_per_address),
            open: Mutex::default(),
        })
    }

    /// Admits a connection that was just accepted.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionHandle, Refusal> {
        // A v4 address is the same one on a socket that listens on both.
        let permit = self.unauthenticated.acquire(address.to_canonical());
        let permit = permit.ok_or(Refusal::TooManyUnauthenticated)?;
        let mut open = locked(&self.open);
        if open.all.len() >= self.max {
            open.evict().ok_or(Refusal::Full)?;
        }
        let (number, evicted) = (open.next, CancellationToken::new());
        open.next += 1;
        open.all.insert(number, Some(evicted.clone()));
        Ok(ConnectionHandle(Arc::new(Entry {
            connections: Arc::clone(self),
            number,
            permit: Mutex::new(Some(permit)),
            evicted,
        })))
    }
}

impl Open {
    /// Closes the oldest unauthenticated connection. It no longer counts as open from now on.
    fn evict(&mut self) -> Option<()> {
        let (number, evicted) = self
            .all
            .iter()
            .find_map(|(number, evicted)| Some((*number, evicted.clone()?)))?;
        self.all.remove(&number);
        evicted.cancel();
        Some(())
    }
}

impl ConnectionHandle {
    /// A paired scanner has proven itself on this connection.
    pub(super) fn mark_authenticated(&self) {
        let Self(entry) = self;
        if locked(&entry.permit).take().is_none() {
            return;
        }
        // It is not there if it was evicted a moment ago: then it closes, and the scanner connects
        // again.
        if let Some(evicted) = locked(&entry.connections.open).all.get_mut(&entry.number) {
            *evicted = None;
        }
    }

    /// Ends when the connection was evicted or has not been authenticated in time. Never ends for
    /// an authenticated connection.
    pub(super) async fn evicted_or_late(self) {
        tokio::select! {
            () = self.evicted() => return,
            () = sleep(AUTHENTICATION_TIMEOUT) => {}
        }
        if locked(&self.0.permit).is_none() {
            self.evicted().await;
        }
    }

    /// Ends when the connection was evicted, which can happen during the handshake.
    pub(super) async fn evicted(&self) {
        self.0.evicted.cancelled().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        locked(&self.connections.open).all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 0, last])
    }

    #[test]
    fn the_oldest_unauthenticated_connection_makes_room_and_a_scanner_never_does() {
        let connections = Connections::new(3, 1);
        let open: Vec<_> = (0..3)
            .map(|last| connections.admit(address(last)).unwrap())
            .collect();
        open[0].mark_authenticated();
        let fourth = connections.admit(address(3)).unwrap();
        let is_evicted = |handle: &ConnectionHandle| handle.0.evicted.is_cancelled();
        let evicted: Vec<_> = open.iter().map(is_evicted).collect();
        assert_eq!(evicted, [false, true, false]);
        fourth.mark_authenticated();
        open[2].mark_authenticated();
        let refused = connections.admit(address(4)).unwrap_err();
        assert_eq!(refused, Refusal::Full);
        drop(fourth);
        connections.admit(address(4)).unwrap();
    }

    #[test]
    fn an_address_has_few_unauthenticated_connections_and_any_number_of_scanners() {
        let connections = Connections::new(8, 1);
        let first = connections.admit(address(1)).unwrap();
        let refused = connections.admit(address(1)).unwrap_err();
        assert_eq!(refused, Refusal::TooManyUnauthenticated);
        first.mark_authenticated();
        let second = connections.admit(address(1)).unwrap();
        drop((first, second));
        assert!(locked(&connections.open).all.is_empty());
    }
}
