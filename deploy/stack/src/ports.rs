//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use crate::clock;
use crate::error::{Result, StackError};

const TRIES: usize = 100;

/// A port that nobody listens on now. Between this answer and the server's own bind another process
/// could take it; drawing at random from 22,000 ports makes that rare, and each server proves by a
/// secret of this run that it is ours, so a collision fails the start and never mixes two runs.
pub(crate) fn free() -> Result<u16> {
    for _ in 0..TRIES {
        let port = clock::random_port();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(StackError::Missing {
        missing: format!("a free port ({TRIES} tries)"),
        remedy: "close programs that listen on the loopback address",
    })
}
