//! Connections, and those among them on which no paired scanner has shown itself yet. Whoever is on
//! the LAN can open one, from as many addresses as it likes: so an address has few strangers, they
//! have little time, and when all places are taken the oldest stranger makes room.

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
    places::{Place, Places},
};

/// From the end of the handshake to the first signed request, its body included. A scanner that
/// takes longer, as after its pairing, connects anew.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(5);

/// All connections of the LAN API.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    strangers: Arc<Places<IpAddr>>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// By age; a stranger can be told to go.
    all: BTreeMap<u64, Option<CancellationToken>>,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its address has as many strangers as it may.
    TooManyStrangers,
    /// All places are taken, by scanners.
    Full,
}

/// A connection: a stranger's, until a scanner is known on it. Its place is free again when all
/// copies are gone.
#[derive(Clone, Debug)]
pub(super) struct Stranger(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    of: Arc<Connections>,
    number: u64,
    place: Mutex<Option<Place<IpAddr>>>,
    told_to_go: CancellationToken,
}

impl Connections {
    pub(super) fn new(most: usize, strangers_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            strangers: Places::new(strangers_per_address),
            open: Mutex::default(),
        })
    }

    /// A place for a connection that just came.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Stranger, Refusal> {
        // A v4 address is the same one on a socket that listens on both.
        let place = self.strangers.take(address.to_canonical());
        let place = place.ok_or(Refusal::TooManyStrangers)?;
        let mut open = locked(&self.open);
        if open.all.len() >= self.most {
            open.evict().ok_or(Refusal::Full)?;
        }
        let (number, told_to_go) = (open.next, CancellationToken::new());
        open.next += 1;
        open.all.insert(number, Some(told_to_go.clone()));
        Ok(Stranger(Arc::new(Connection {
            of: Arc::clone(self),
            number,
            place: Mutex::new(Some(place)),
            told_to_go,
        })))
    }
}

impl Open {
    /// Tells the oldest stranger to go. Its place is the newcomer's at once.
    fn evict(&mut self) -> Option<()> {
        let (number, stranger) = self
            .all
            .iter()
            .find_map(|(number, stranger)| Some((*number, stranger.clone()?)))?;
        self.all.remove(&number);
        stranger.cancel();
        Some(())
    }
}

impl Stranger {
    /// A paired scanner has proven itself on this connection.
    pub(super) fn is_known(&self) {
        let Self(connection) = self;
        if locked(&connection.place).take().is_none() {
            return;
        }
        // Told to go a moment ago: then it goes, and the scanner connects anew.
        if let Some(stranger) = locked(&connection.of.open).all.get_mut(&connection.number) {
            *stranger = None;
        }
    }

    /// Ends when nobody has become known in time, or when the place is needed; never if somebody
    /// has.
    pub(super) async fn overstays(self) {
        tokio::select! {
            () = self.0.told_to_go.cancelled() => return,
            () = sleep(STRANGER_TIMEOUT) => {}
        }
        if locked(&self.0.place).is_none() {
            self.0.told_to_go.cancelled().await;
        }
    }

    /// Ends when the place is needed, as it can be during a handshake.
    pub(super) async fn is_told_to_go(&self) {
        self.0.told_to_go.cancelled().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        locked(&self.of.open).all.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 0, last])
    }

    fn is_told_to_go(stranger: &Stranger) -> bool {
        stranger.0.told_to_go.is_cancelled()
    }

    #[test]
    fn the_oldest_stranger_makes_room_and_a_scanner_never_does() {
        let connections = Connections::new(3, 1);
        let came: Vec<_> = (0..3)
            .map(|last| connections.admit(address(last)).unwrap())
            .collect();
        came[0].is_known();
        let fourth = connections.admit(address(3)).unwrap();
        let told: Vec<_> = came.iter().map(is_told_to_go).collect();
        assert_eq!(told, [false, true, false]);
        fourth.is_known();
        came[2].is_known();
        let refused = connections.admit(address(4)).unwrap_err();
        assert_eq!(refused, Refusal::Full);
        drop(fourth);
        connections.admit(address(4)).unwrap();
    }

    #[test]
    fn an_address_has_few_strangers_and_any_number_of_scanners() {
        let connections = Connections::new(8, 1);
        let first = connections.admit(address(1)).unwrap();
        let refused = connections.admit(address(1)).unwrap_err();
        assert_eq!(refused, Refusal::TooManyStrangers);
        first.is_known();
        let second = connections.admit(address(1)).unwrap();
        drop((first, second));
        assert!(locked(&connections.open).all.is_empty());
    }
}
