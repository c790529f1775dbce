//! `eventify-core keys`: the ceremony of the signing keys.

use std::path::PathBuf;

use clap::Subcommand;
use eventify_kernel::clock::Clock;
use eventify_kernel::keys::{self, Lifetime};

use super::print;

/// Longest life of new keys, where nothing else is asked for.
const DEFAULT_DAYS: u32 = 400;
/// How far ahead the ticket key has to reach: a season, and its planning.
const DEFAULT_REACH: u32 = 240;

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Makes the root key, the first signing keys and the key set. Move root.pem to a safe place
    /// afterwards.
    Init {
        /// An empty directory, which becomes `keys.directory`.
        directory: PathBuf,
        /// The new keys sign no ticket that expires later than so many days from now.
        #[arg(long, default_value_t = DEFAULT_DAYS)]
        days: u32,
    },
    /// Adds new signing keys and retires the old ones; needs root.pem.
    Rotate {
        /// The directory that `init` filled.
        directory: PathBuf,
        /// The new keys sign no ticket that expires later than so many days from now.
        #[arg(long, default_value_t = DEFAULT_DAYS)]
        days: u32,
    },
    /// Rotates if the ticket key ends within so many days, else does nothing; needs root.pem. Nothing
    /// is scheduled or sold beyond the end of the key, so run it from a timer, and restart the
    /// processes with the new directory when it has rotated.
    Renew {
        /// The directory that `init` filled.
        directory: PathBuf,
        /// The new keys sign no ticket that expires later than so many days from now.
        #[arg(long, default_value_t = DEFAULT_DAYS)]
        days: u32,
        /// Rotates if the ticket key ends sooner than so many days from now.
        #[arg(long, default_value_t = DEFAULT_REACH)]
        reach: u32,
    },
    /// Withdraws a compromised key: nothing that it signed is accepted any more; needs root.pem.
    Withdraw {
        /// The directory that `init` filled.
        directory: PathBuf,
        /// Key id, as in the key set.
        kid: String,
    },
}

pub(crate) fn run(command: Keys, clock: &Clock) -> anyhow::Result<()> {
    let lifetime = |days: u32| Lifetime {
        from: clock.now().timestamp(),
        seconds: i64::from(days) * 86_400,
    };
    let mut seed = || clock.random_bytes();
    match command {
        Keys::Init { directory, days } => {
            let root = keys::init(&directory, lifetime(days), &mut seed)?;
            let fingerprint = root.fingerprint();
            print(&format!("root key {root}, fingerprint {fingerprint}"))
        }
        Keys::Rotate { directory, days } => {
            let set = keys::rotate(&directory, lifetime(days), &mut seed)?;
            print(&format!("key set version {}", set.version()))
        }
        Keys::Renew {
            directory,
            days,
            reach,
        } => {
            anyhow::ensure!(reach < days, "--reach must be less than --days");
            let reach_seconds = i64::from(reach) * 86_400;
            match keys::renew(&directory, lifetime(days), reach_seconds, &mut seed)? {
                Some(set) => print(&format!("key set version {}", set.version())),
                None => print(&format!("the ticket key is good for {reach} days and more")),
            }
        }
        Keys::Withdraw { directory, kid } => {
            let set = keys::withdraw(&directory, &kid)?;
            let version = set.version();
            print(&format!("key set version {version}: {kid} withdrawn"))
        }
    }
}
