//! Which address a request counts for: that of its connection or, behind trusted proxies, the one that
//! they forward.
//!
//! `X-Forwarded-For` is one list, however many lines it comes in, and grows at its end: each proxy appends
//! whom it was called by. So it is read from the right, as far as trusted proxies wrote it. What stands
//! further left is a claim of the client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

const FORWARDED_FOR: &str = "x-forwarded-for";
/// One customer of a provider gets at least so many bits of an IPv6 address, and any number of addresses
/// behind them.
const CUSTOMER_PREFIX: u32 = 64;
/// `::ffff:0:0/96`: IPv4 addresses as a socket for both sees them.
const MAPPED_PREFIX: u32 = 96;

/// An address, or a range: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u32,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an address such as 10.0.0.7, or a range such as 10.0.0.0/8 with zeros behind its prefix"
)]
pub struct NoNetwork;

impl Network {
    /// Whether an address lies in it. An IPv4 address is the same one on a socket for both versions.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let given: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let first = given.to_canonical();
        let is_mapped = given.is_ipv6() && first.is_ipv4();
        let bits = bits(first);
        let prefix = match prefix.map(str::parse::<u32>) {
            None => bits,
            Some(Ok(prefix)) if is_mapped => prefix.checked_sub(MAPPED_PREFIX).ok_or(NoNetwork)?,
            Some(Ok(prefix)) => prefix,
            Some(Err(_)) => return Err(NoNetwork),
        };
        let fits = prefix <= bits && masked(first, prefix) == first;
        fits.then_some(Self { first, prefix }).ok_or(NoNetwork)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Whether one of these networks has the address.
pub(super) fn is_among(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// The client behind a connection. Something that can't be read ends the search: it counts for the last
/// proxy that is known to have sent it, and buys nobody a limit of their own.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut known = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    for line in lines.into_iter().rev() {
        let Ok(list) = line.to_str() else {
            return known;
        };
        for entry in list.rsplit(',') {
            if !is_among(trusted, known) {
                return known;
            }
            match read(entry.trim()) {
                Some(address) => known = address,
                None => return known,
            }
        }
    }
    known
}

/// Whom a limit per address counts: of an IPv6 address the part that a provider gives one customer.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        address @ IpAddr::V4(_) => address,
        address @ IpAddr::V6(_) => masked(address, CUSTOMER_PREFIX),
    }
}

/// As proxies write them: `203.0.113.5`, `203.0.113.5:4711`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:4711`.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => match text.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}

fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => Ipv4Addr::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    let behind = bits(address).saturating_sub(prefix);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn of(peer: &str, lines: &[&str], trusted: &[&str]) -> IpAddr {
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append(FORWARDED_FOR, line);
        }
        client(ip(peer), &headers, &networks(trusted))
    }

    #[test]
    fn a_range_has_its_addresses_whatever_version_a_socket_shows() {
        let [ten, mapped, six] = ["10.0.0.0/8", "::ffff:192.0.2.0/120", "2001:db8::/32"]
            .map(|text| text.parse::<Network>().unwrap());
        for (network, inside, outside) in [
            (ten, "10.255.0.1", "11.0.0.1"),
            (ten, "::ffff:10.1.2.3", "::10.1.2.3"),
            (mapped, "192.0.2.255", "192.0.3.0"),
            (six, "2001:db8:ffff::1", "2001:db9::"),
        ] {
            assert!(network.contains(ip(inside)), "{inside}");
            assert!(!network.contains(ip(outside)), "{outside}");
        }
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains(ip("192.0.2.1"))
        );
        let alone: Network = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!(alone.to_string(), "127.0.0.1/32");
        for none in [
            "",
            "proxy",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "::ffff:10.0.0.0/64",
            "10.0.0.1:80",
        ] {
            assert_eq!(none.parse::<Network>(), Err(NoNetwork), "{none}");
        }
    }

    /// C12, S13
    #[test]
    fn the_address_behind_a_proxy_is_found_however_the_proxy_writes_it() {
        for written in [
            &["203.0.113.5"][..],
            &["6.6.6.6, 203.0.113.5"],
            &["6.6.6.6", "203.0.113.5"],
            &["not at all", "6.6.6.6,203.0.113.5 "],
            &["203.0.113.5:4711"],
            &["::ffff:203.0.113.5"],
            &["[::ffff:203.0.113.5]:443"],
            &["6.6.6.6, 203.0.113.5, 10.0.0.9"],
            &["203.0.113.5", "10.0.0.9:80", "10.1.0.1"],
        ] {
            for peer in ["10.0.0.1", "::ffff:10.0.0.1"] {
                let found = of(peer, written, &["10.0.0.0/8"]);
                assert_eq!(found, ip("203.0.113.5"), "{written:?}");
            }
        }
        for written in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"] {
            assert_eq!(of("10.0.0.1", &[written], &["10.0.0.1"]), ip("2001:db8::1"));
        }
    }

    #[test]
    fn what_can_not_be_read_counts_for_the_proxy_that_sent_it() {
        for unreadable in [
            "unknown",
            "_hidden",
            "",
            "1.2.3.4:99999",
            "[1.2.3.4]",
            "1.2.3.4,",
            "fe80::1%eth0",
            "adresse é",
        ] {
            let lines = ["203.0.113.5", unreadable];
            assert_eq!(of("10.0.0.1", &lines, &["10.0.0.1"]), ip("10.0.0.1"));
            let behind = format!("{unreadable}, 10.0.0.2");
            let found = of("10.0.0.1", &[&behind], &["10.0.0.0/30"]);
            // A line that is no text is not read at all.
            let last = if behind.is_ascii() {
                "10.0.0.2"
            } else {
                "10.0.0.1"
            };
            assert_eq!(found, ip(last), "{unreadable}");
        }
    }

    #[test]
    fn nobody_is_believed_who_is_no_trusted_proxy() {
        let claimed = &["203.0.113.5"];
        assert_eq!(of("192.0.2.7", claimed, &["10.0.0.0/8"]), ip("192.0.2.7"));
        assert_eq!(of("192.0.2.7", claimed, &[]), ip("192.0.2.7"));
        assert_eq!(of("10.0.0.1", &[], &["10.0.0.1"]), ip("10.0.0.1"));
    }

    #[test]
    fn addresses_of_one_customer_are_counted_as_one() {
        assert_eq!(
            counted(ip("2001:db8:0:1:a::1")),
            counted(ip("2001:db8:0:1:b::2"))
        );
        assert_ne!(
            counted(ip("2001:db8:0:1::1")),
            counted(ip("2001:db8:0:2::1"))
        );
        assert_eq!(counted(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
        assert_ne!(counted(ip("192.0.2.7")), counted(ip("192.0.2.8")));
    }
}
