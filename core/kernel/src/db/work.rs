//! Kinds of work, each with connections of its own (DECISIONS 46).

use std::time::Duration;

use crate::config::Database;

/// Who waits for the answer. No kind can take another's connections: a rush in the shop is no reason
/// for a gate to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Guests at a gate: messages of edge nodes.
    Gates,
    /// Requests that prove who they come from, consumers, jobs.
    Ordinary,
    /// Requests to public routes.
    Anonymous,
    /// Locks that elect one process ([`super::lock`]). Who holds one needs connections for the work
    /// itself: from the same pool, as many elections as it has connections would wait for each other.
    Elections,
}

impl Work {
    pub(super) const ALL: [Self; 4] = [
        Self::Gates,
        Self::Ordinary,
        Self::Anonymous,
        Self::Elections,
    ];

    /// Connections of a context in a process, which holds at most so many locks in it at once.
    pub(super) const fn connections(self, config: &Database, elections: u32) -> u32 {
        match self {
            Self::Gates => config.gate_connections,
            Self::Ordinary => config.max_connections,
            Self::Anonymous => config.anonymous_connections,
            Self::Elections => elections,
        }
    }

    /// Longest wait for one of them.
    pub(super) fn patience(self, config: &Database) -> Duration {
        match self {
            Self::Gates | Self::Ordinary | Self::Elections => config.acquire_timeout(),
            Self::Anonymous => config.anonymous_wait(),
        }
    }
}
