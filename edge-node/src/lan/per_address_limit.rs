//! How many unauthenticated connections each address may have.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use super::locked;

/// So many permits for each address. An address without permits in use takes no memory.
#[derive(Debug)]
pub(super) struct PerAddressLimit {
    max: usize,
    in_use: Mutex<HashMap<IpAddr, usize>>,
}

/// One permit of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limit: Arc<PerAddressLimit>,
    address: IpAddr,
}

impl PerAddressLimit {
    pub(super) fn new(max: usize) -> Arc<Self> {
        let in_use = Mutex::default();
        Arc::new(Self { max, in_use })
    }

    /// None if all permits of `address` are in use.
    pub(super) fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        let mut in_use = locked(&self.in_use);
        let count = in_use.get(&address).copied().unwrap_or(0);
        if count >= self.max {
            return None;
        }
        in_use.insert(address, count + 1);
        Some(Permit {
            limit: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut in_use = locked(&self.limit.in_use);
        let left = in_use.get(&self.address).map_or(0, |count| count - 1);
        if left == 0 {
            in_use.remove(&self.address);
        } else {
            in_use.insert(self.address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_permits_and_those_given_back_are_free() {
        let limit = PerAddressLimit::new(2);
        let [a, b] = [1, 2].map(|last| IpAddr::from([192, 168, 0, last]));
        let (first, second) = (limit.acquire(a).unwrap(), limit.acquire(a).unwrap());
        assert!(limit.acquire(a).is_none());
        let other = limit.acquire(b).unwrap();
        drop(first);
        let third = limit.acquire(a).unwrap();
        assert!(limit.acquire(a).is_none());
        drop((second, third, other));
        assert!(locked(&limit.in_use).is_empty());
    }
}
