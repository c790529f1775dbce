//! A node that plays a part: it speaks the LAN API with real TLS, pairing, signatures and tokens, and
//! answers as it is told to. For the window without a venue (`make scanner-dev`) and for tests.
//!
//! The text that is scanned chooses the verdict: `MOCK:USED`, `MOCK:NOT-YET`, … ([`script`] has the list).
//! A code of a real ticket, or `MOCK:ADMIT` with anything behind it, is admitted once. What the node is
//! like (mode, silence, lost answers, a cut line, sign-ins at the provider) is set by [`MockNode::command`],
//! which the program reads from its standard input. [`people`] has who works here and their PINs.
//!
//! Deliberately absent: replica, journal, core, limits, and every rule of admission. Nobody must be let in
//! by it.

mod acts;
mod api;
mod clock;
mod commands;
mod people;
mod scans;
mod script;
mod server;
mod state;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result};
use eventify_protocol::{hash::Hash32, lan::PairingCode};
use rcgen::{KeyPair, PublicKeyData as _};
use tokio::{net::TcpListener, task::JoinHandle};

pub use script::WORDS;

use state::State;

/// A running node. Ends when it is dropped.
#[derive(Debug)]
pub struct MockNode {
    address: SocketAddr,
    key: Hash32,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Sent at each change of the state.
    changed: tokio::sync::watch::Sender<u64>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MockNode {
    /// Listens; port 0 is any free one.
    ///
    /// # Errors
    /// The address is in use, or TLS can't be set up.
    pub async fn start(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("listening on {address}"))?;
        let address = listener.local_addr()?;
        let key = KeyPair::generate()?;
        let acceptor = server::acceptor(&key)?;
        let state = Arc::new(Shared {
            state: Mutex::new(State::new()),
            changed: tokio::sync::watch::Sender::new(0),
        });
        Ok(Self {
            address,
            key: Hash32::of(&key.subject_public_key_info()),
            task: tokio::spawn(server::serve(listener, acceptor, Arc::clone(&state))),
            state,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new code that pairs once.
    #[must_use]
    pub fn pairing_code(&self) -> PairingCode {
        PairingCode {
            node: format!("https://{}", self.address),
            key: self.key,
            secret: self.state.lock().new_code(),
        }
    }

    /// How many different scans were decided since the start.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.state.lock().scans.decided
    }

    /// How many different acts were done since the start.
    #[must_use]
    pub fn acts_done(&self) -> u64 {
        self.state.lock().acts_done
    }

    /// One line that changes how the node is.
    ///
    /// # Errors
    /// What the line should have been.
    pub fn command(&self, line: &str) -> Result<(), String> {
        let result = self.state.lock().command(line);
        self.state.changed.send_modify(|number| *number += 1);
        result
    }
}

impl Drop for MockNode {
    fn drop(&mut self) {
        self.task.abort();
        // Connections end too.
        drop(self.state.lock().command("cut"));
    }
}
