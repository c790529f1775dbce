//! A scanner's side of the API that an edge node serves on the venue's LAN
//! ([`eventify_protocol::lan`] has the messages).
//!
//! | item | what |
//! |---|---|
//! | [`Scanner`] | a paired scanner: the calls of the API |
//! | [`Pairing`] | what a scanner stores to use its node again after a restart |
//! | [`OpenScan`] | one scan from the trigger to the verdict on the screen: what to do next |
//! | [`Attempts`] | the same for what is answered by no verdict: a supervisor's act |
//! | [`Events`] | the node's mode and counts, as they change |
//! | [`NodeClient`], [`Request`], [`Credentials`] | single requests, and how they are signed |
//! | [`pinned_tls`] | TLS that trusts one key, for other connections to a node |
//!
//! ```no_run
//! # use eventify_protocol::{ids::ScanId, time::BootTime};
//! # async fn example(
//! #     seed: [u8; 32], scan_id: ScanId, token: String, now: BootTime,
//! # ) -> Result<(), eventify_lan_client::ClientError> {
//! use std::time::Duration;
//! use eventify_lan_client::{OpenScan, Scanner, SigningKey, Step, Timeouts};
//! use eventify_protocol::lan::{PairingCode, ScanRequest};
//!
//! let timeouts = Timeouts {
//!     connect: Duration::from_secs(1),
//!     request: Duration::from_secs(3),
//!     silence: Duration::from_secs(5),
//! };
//! let code: PairingCode = "evp1.…".parse().unwrap();
//! let key = SigningKey::from_bytes(&seed);
//! let mut scanner = Scanner::pair(&code, key, "North door", timeouts).await?;
//! let gate_id = scanner.pairing().gates[0];
//!
//! let mut scan = OpenScan::new(ScanRequest { scan_id, gate_id, token }, now);
//! loop {
//!     match scan.next(scanner.scan(scan.request()).await, now) {
//!         Step::Show { answer, light } => break println!("{light:?} {}", answer.verdict.name()),
//!         Step::RenewAccess => scanner.renew_access().await?,
//!         Step::Retry { pause, .. } => tokio::time::sleep(pause).await,
//!         Step::GiveUp(error) => return Err(error),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Time, randomness and timeouts are arguments. Deliberately absent: any decision to admit (the node
//! decides), retries that the caller does not see, and log lines.

mod error;
mod events;
mod node;
mod request;
mod scan;
mod scanner;
mod staff;
mod tls;

pub use ed25519_dalek::SigningKey;
pub use reqwest::Method;

pub use error::{ClientError, Refusal};
pub use events::Events;
pub use node::{NodeClient, Reply, Timeouts};
pub use request::{Credentials, Request};
pub use scan::{AfterFailure, Attempts, Light, OpenScan, Step};
pub use scanner::{Pairing, Scanner};
pub use tls::pinned_tls;
