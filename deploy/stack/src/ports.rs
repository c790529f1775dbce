//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use crate::clock;
use crate::error::{Result, StackError};

const ATTEMPTS: usize = 100;

/// A port on which nobody listens now. Another process could take it before the server does; a random
/// choice from 22,000 ports makes that rare. Each server proves with a secret of this run that it is
/// ours, so a collision fails the start and never mixes two runs.
pub(crate) fn free() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = clock::random_port();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(StackError::Missing {
        missing: format!("a free port ({ATTEMPTS} attempts)"),
        remedy: "stop programs that listen on the loopback address",
    })
}
