//! Connections on which no paired scanner has shown itself yet. Whoever is on the LAN can open them,
//! so an address has few of them and they have little time; the rest is the scanners'.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    locked,
    places::{Place, Places},
};

/// From the end of the handshake to the first signed request, its body included. A scanner that
/// takes longer, as after its pairing, connects anew.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection's place among the strangers of its address, until a scanner is known on it.
#[derive(Clone, Debug)]
pub(super) struct Stranger(Arc<Mutex<Option<Place<IpAddr>>>>);

impl Stranger {
    /// None if the address has as many as it may.
    pub(super) fn new(places: &Arc<Places<IpAddr>>, address: IpAddr) -> Option<Self> {
        // A v4 address is the same one on a socket that listens on both.
        let place = places.take(address.to_canonical())?;
        Some(Self(Arc::new(Mutex::new(Some(place)))))
    }

    /// A paired scanner signed a request on this connection.
    pub(super) fn is_known(&self) {
        locked(&self.0).take();
    }

    /// Ends when nobody has become known in time, and never if somebody has.
    pub(super) async fn overstays(self) {
        sleep(STRANGER_TIMEOUT).await;
        if locked(&self.0).is_none() {
            std::future::pending::<()>().await;
        }
    }
}
