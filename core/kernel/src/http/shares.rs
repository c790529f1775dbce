//! How the connections of a listener are shared: an address has so many at most; and when all are in use, the
//! address with most of them gives its oldest up to one that has fewer. So whoever opens many takes their
//! own, and nobody else's.
//!
//! Trusted proxies have any number and give none up: they connect for everybody.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::address::{self, Network};

/// The connections of one listener.
#[derive(Debug)]
pub(super) struct Shares {
    max: usize,
    max_per_address: usize,
    proxies: Vec<Network>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    total: usize,
    /// By age. An address without a connection is not there.
    of: HashMap<IpAddr, BTreeMap<u64, CancellationToken>>,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its address has as many as it may.
    OfAddress,
    /// All are in use, and no address has more than this one.
    Full,
}

/// One connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    address: IpAddr,
    number: u64,
    end: CancellationToken,
}

impl Shares {
    pub(super) fn new(max: usize, max_per_address: usize, proxies: Vec<Network>) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            proxies,
            open: Mutex::default(),
        })
    }

    /// A place for a connection that was just accepted.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Result<Share, Refusal> {
        let is_proxy = address::is_among(&self.proxies, peer);
        let address = match is_proxy {
            true => peer.to_canonical(),
            false => address::counted(peer),
        };
        let mut open = self.lock();
        let own = open.of.get(&address).map_or(0, BTreeMap::len);
        if !is_proxy && own >= self.max_per_address {
            return Err(Refusal::OfAddress);
        }
        if open.total >= self.max {
            let least = if is_proxy { 0 } else { own };
            open.end_one_beyond(least + 1, &self.proxies)
                .ok_or(Refusal::Full)?;
        }
        let (number, end) = (open.next, CancellationToken::new());
        open.next += 1;
        open.total += 1;
        let of_address = open.of.entry(address).or_default();
        of_address.insert(number, end.clone());
        drop(open);
        Ok(Share {
            shares: Arc::clone(self),
            address,
            number,
            end,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Ends the oldest connection of the address that has most, if these are more than `least`.
    fn end_one_beyond(&mut self, least: usize, proxies: &[Network]) -> Option<()> {
        let others = self.of.iter();
        let others = others.filter(|(address, _)| !address::is_among(proxies, **address));
        let (address, most) = others.max_by_key(|(_, open)| open.len())?;
        if most.len() <= least {
            return None;
        }
        let (address, number) = (*address, *most.keys().next()?);
        self.remove(address, number)?.cancel();
        Some(())
    }

    fn remove(&mut self, address: IpAddr, number: u64) -> Option<CancellationToken> {
        let open = self.of.get_mut(&address)?;
        let end = open.remove(&number)?;
        if open.is_empty() {
            self.of.remove(&address);
        }
        self.total -= 1;
        Some(end)
    }
}

impl Share {
    /// Ends when its place is given to somebody else.
    pub(super) fn taken_away(&self) -> CancellationToken {
        self.end.clone()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // It is not there if it was given to somebody else.
        let _taken_away = self.shares.lock().remove(self.address, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn has_ended(share: &Share) -> bool {
        share.end.is_cancelled()
    }

    /// S6
    #[test]
    fn who_has_most_connections_gives_the_oldest_up_to_who_has_fewer() {
        let shares = Shares::new(5, 9, Vec::new());
        let greedy: Vec<_> = (0..4).map(|_| shares.take(from(1)).unwrap()).collect();
        let other = shares.take(from(2)).unwrap();
        let third = shares.take(from(3)).unwrap();
        let fourth = shares.take(from(2)).unwrap();
        let ended: Vec<_> = greedy.iter().map(has_ended).collect();
        assert_eq!(ended, [true, true, false, false]);
        assert_eq!(shares.take(from(1)).unwrap_err(), Refusal::Full);
        assert_eq!(shares.take(from(2)).unwrap_err(), Refusal::Full);
        assert!(![&other, &third, &fourth].into_iter().any(has_ended));
        drop(greedy);
        assert_eq!(shares.lock().total, 3);
        shares.take(from(1)).unwrap();
    }

    #[test]
    fn an_address_has_so_many_connections_and_a_proxy_as_many_as_there_are() {
        let proxies = vec!["192.0.2.9".parse().unwrap()];
        let shares = Shares::new(4, 2, proxies);
        let own = [(); 2].map(|()| shares.take(from(1)).unwrap());
        assert_eq!(shares.take(from(1)).unwrap_err(), Refusal::OfAddress);
        let of_proxy = [(); 3].map(|()| shares.take(from(9)).unwrap());
        assert!(has_ended(&own[0]) && !has_ended(&own[1]));
        assert_eq!(shares.take(from(2)).unwrap_err(), Refusal::Full);
        assert!(!of_proxy.iter().any(has_ended));
        drop((own, of_proxy));
        assert!(shares.lock().of.is_empty());
        assert_eq!(shares.lock().total, 0);
    }

    #[test]
    fn the_addresses_of_one_customer_share_their_places() {
        let shares = Shares::new(4, 1, Vec::new());
        let first = shares.take("2001:db8::1".parse().unwrap()).unwrap();
        let second = shares.take("2001:db8::2".parse().unwrap());
        assert_eq!(second.unwrap_err(), Refusal::OfAddress);
        drop(first);
    }
}
