//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::error::{Result, StackError};

const ATTEMPTS: usize = 100;

/// Reserve the ports of this process's servers until it ends. The servers listen on TCP, so a UDP
/// socket of the same number disturbs none.
static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port on which nobody listens now, and that no other stack gets while this process runs. A
/// foreign process could take it before the server does; a random choice from 22,000 ports makes that
/// rare. Each server proves with a secret of this run that it is ours, so a collision fails the start
/// and never mixes two runs.
pub(crate) fn free() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = clock::random_port();
        if let Some(reservation) = reserve(port) {
            let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
            reserved.push(reservation);
            return Ok(port);
        }
    }
    Err(StackError::Missing {
        missing: format!("a free port ({ATTEMPTS} attempts)"),
        remedy: "stop programs that listen on the loopback address",
    })
}

fn reserve(port: u16) -> Option<UdpSocket> {
    let reservation = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    is_free.then_some(reservation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_whose_server_has_not_started_yet_is_given_to_no_other_stack() {
        let port = free().unwrap();
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        assert!(server.is_ok(), "its server can listen");
        drop(server);
        assert!(reserve(port).is_none(), "another stack gets another port");
    }
}
