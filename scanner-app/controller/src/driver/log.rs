//! Log lines for venue IT, who are not at the gate: what the screen began to show. A line a change, never a
//! line a scan, and no ticket in any.

use crate::{
    io::Loaded,
    view::{NodeMode, PairAgainReason, Screen, View},
};

/// What was written last.
#[derive(Debug, Default)]
pub(super) struct Log {
    mode: Option<NodeMode>,
    pair_again: Option<PairAgainReason>,
    gate: Option<String>,
}

impl Log {
    /// What was found at the start.
    pub(super) fn loaded(loaded: &Loaded) {
        tracing::info!(
            code = "scanner.started",
            is_paired = loaded.pairing.is_some(),
            open_scans = loaded.scans.len(),
            "the scanner app is running"
        );
        for what in &loaded.damaged {
            tracing::error!(
                code = "scanner.stored_lost",
                ?what,
                "a stored file can't be read; it was put aside"
            );
        }
    }

    pub(super) fn view(&mut self, view: &View) {
        let gate = view.place.as_ref().map(|place| &place.gate);
        if gate.is_some() && gate != self.gate.as_ref() {
            self.gate = gate.cloned();
            tracing::info!(
                code = "scanner.gate_chosen",
                gate = self.gate,
                "the scanner works at a gate"
            );
        }
        let mode = view.truth.as_ref().map(|truth| truth.mode);
        if mode.is_some() && mode != self.mode {
            self.mode = mode;
            match mode {
                Some(NodeMode::Unreachable) => tracing::warn!(
                    code = "scanner.node_unreachable",
                    "the node does not answer; it is tried again until it does"
                ),
                Some(mode) => {
                    tracing::info!(
                        code = "scanner.node_mode",
                        ?mode,
                        "the node's mode has changed"
                    );
                }
                None => {}
            }
        }
        let pair_again = if let Screen::PairAgain { reason } = &view.screen {
            Some(*reason)
        } else {
            None
        };
        if pair_again != self.pair_again {
            self.pair_again = pair_again;
            if let Some(reason) = pair_again {
                tracing::error!(
                    code = "scanner.pair_again",
                    ?reason,
                    "the node refuses this scanner until it is paired again"
                );
            }
        }
    }

    pub(super) fn paired(stored: bool) {
        tracing::info!(code = "scanner.paired", stored, "the scanner was paired");
    }

    pub(super) fn not_paired(error: &eventify_lan_client::ClientError) {
        tracing::warn!(
            code = "scanner.not_paired",
            %error,
            "the scanner could not be paired"
        );
    }

    pub(super) fn not_stored(error: &std::io::Error) {
        tracing::error!(
            code = "scanner.not_stored",
            %error,
            "a change could not be stored"
        );
    }
}
