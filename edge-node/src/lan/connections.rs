//! Open connections, those among them on which no paired scanner has proven itself yet, and which scanner
//! has on the others. Anybody on the LAN can open one, from as many addresses as they like: so an address
//! may have few unauthenticated ones, they have little time, and when all connections are in use the
//! oldest of these is closed for a new one. A scanner's are closed when it is unpaired; and when all are in
//! use by scanners, the oldest one of a scanner that has far too many, so that one that is broken or stolen keeps
//! nobody else out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use eventify_protocol::ids::ScannerId;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    locked,
    per_address_limit::{PerAddressLimit, Permit},
};

/// From the end of the handshake to the first signed request, its body included. A scanner that
/// takes longer, as after its pairing, connects again.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of one scanner that are never closed for somebody else's: its stream, requests beside each other,
/// and some that broke without the node noticing.
const KEPT_PER_SCANNER: usize = 16;

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
    /// By age.
    all: BTreeMap<u64, OpenConnection>,
}

#[derive(Debug)]
struct OpenConnection {
    end: CancellationToken,
    /// Who has proven itself on it; nobody yet on an unauthenticated one.
    scanners: BTreeSet<ScannerId>,
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
    end: CancellationToken,
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
        let (number, end) = (open.next, CancellationToken::new());
        open.next += 1;
        let connection = OpenConnection {
            end: end.clone(),
            scanners: BTreeSet::new(),
        };
        open.all.insert(number, connection);
        Ok(ConnectionHandle(Arc::new(Entry {
            connections: Arc::clone(self),
            number,
            permit: Mutex::new(Some(permit)),
            end,
        })))
    }

    /// Closes the connections on which a scanner has proven itself.
    pub(super) fn close(&self, scanner: ScannerId) {
        let open = locked(&self.open);
        let of_scanner = open
            .all
            .values()
            .filter(|it| it.scanners.contains(&scanner));
        of_scanner.for_each(|connection| connection.end.cancel());
    }
}

impl Open {
    /// Closes the oldest unauthenticated connection, else the oldest one of the scanner that has most, if these
    /// are too many. It no longer counts as open from now on.
    fn evict(&mut self) -> Option<()> {
        let mut all = self.all.iter();
        let unauthenticated = all.find(|(_, connection)| connection.scanners.is_empty());
        let number = unauthenticated.map(|(number, _)| *number);
        let number = number.or_else(|| self.oldest_of_too_many())?;
        let evicted = self.all.remove(&number)?;
        evicted.end.cancel();
        Some(())
    }

    fn oldest_of_too_many(&self) -> Option<u64> {
        let mut by_scanner: BTreeMap<ScannerId, Vec<u64>> = BTreeMap::new();
        for (number, connection) in &self.all {
            for scanner in &connection.scanners {
                by_scanner.entry(*scanner).or_default().push(*number);
            }
        }
        let most = by_scanner.into_values().max_by_key(Vec::len)?;
        (most.len() > KEPT_PER_SCANNER).then(|| most[0])
    }
}

impl ConnectionHandle {
    /// A paired scanner has proven itself on this connection.
    pub(super) fn mark_authenticated(&self, scanner: ScannerId) {
        let Self(entry) = self;
        locked(&entry.permit).take();
        // It is not there if it was evicted a moment ago: then it closes, and the scanner connects
        // again.
        if let Some(connection) = locked(&entry.connections.open).all.get_mut(&entry.number) {
            connection.scanners.insert(scanner);
        }
    }

    /// Closes it.
    pub(super) fn close(&self) {
        self.0.end.cancel();
    }

    /// Ends when the connection is to be closed, or has not been authenticated in time.
    pub(super) async fn closed_or_late(self) {
        tokio::select! {
            () = self.closed() => return,
            () = sleep(AUTHENTICATION_TIMEOUT) => {}
        }
        if locked(&self.0.permit).is_none() {
            self.closed().await;
        }
    }

    /// Ends when the connection is to be closed, which can happen during the handshake.
    pub(super) async fn closed(&self) {
        self.0.end.cancelled().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        locked(&self.connections.open).all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ADA: ScannerId = ScannerId(Uuid::from_u128(1));
    const BOB: ScannerId = ScannerId(Uuid::from_u128(2));

    fn is_closed(handle: &ConnectionHandle) -> bool {
        handle.0.end.is_cancelled()
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 0, last])
    }

    #[test]
    fn the_oldest_unauthenticated_connection_makes_room_and_a_scanner_never_does() {
        let connections = Connections::new(3, 1);
        let open: Vec<_> = (0..3)
            .map(|last| connections.admit(address(last)).unwrap())
            .collect();
        open[0].mark_authenticated(ADA);
        let fourth = connections.admit(address(3)).unwrap();
        let evicted: Vec<_> = open.iter().map(is_closed).collect();
        assert_eq!(evicted, [false, true, false]);
        fourth.mark_authenticated(ADA);
        open[2].mark_authenticated(ADA);
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
        first.mark_authenticated(ADA);
        let second = connections.admit(address(1)).unwrap();
        drop((first, second));
        assert!(locked(&connections.open).all.is_empty());
    }

    #[test]
    fn a_scanner_with_far_too_many_connections_keeps_nobody_out() {
        let connections = Connections::new(KEPT_PER_SCANNER + 3, KEPT_PER_SCANNER + 3);
        let admit = |last| connections.admit(address(last));
        let other = admit(9).unwrap();
        other.mark_authenticated(BOB);
        let open: Vec<_> = (0..KEPT_PER_SCANNER + 2)
            .map(|_| admit(1).unwrap())
            .collect();
        open.iter().for_each(|it| it.mark_authenticated(ADA));
        let mine = [(); 2].map(|()| {
            let mine = admit(9).unwrap();
            mine.mark_authenticated(BOB);
            mine
        });
        let closed = open.iter().take_while(|it| is_closed(it)).count();
        assert_eq!(closed, 2, "its oldest ones");
        assert!(!open.iter().skip(closed).any(is_closed) && !is_closed(&other));
        assert_eq!(admit(9).unwrap_err(), Refusal::Full, "nobody has too many");
        drop(mine);
    }

    #[test]
    fn the_connections_of_a_scanner_are_closed_and_no_others() {
        let connections = Connections::new(8, 8);
        let open: Vec<_> = (0..4)
            .map(|last| connections.admit(address(last)).unwrap())
            .collect();
        open[0].mark_authenticated(ADA);
        open[1].mark_authenticated(BOB);
        open[2].mark_authenticated(BOB);
        open[2].mark_authenticated(ADA);
        connections.close(ADA);
        let closed: Vec<_> = open.iter().map(is_closed).collect();
        assert_eq!(closed, [true, false, true, false]);
    }
}
