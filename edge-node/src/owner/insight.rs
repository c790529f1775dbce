//! What somebody needs who reads the replica beside the owner: long reads hold up no scan.

use std::path::PathBuf;

use eventify_protocol::{ids::TicketId, lan::NodeStatus, verdict::FirstEntry};
use tokio::sync::oneshot;

use super::Owner;

/// Of one moment.
#[derive(Debug)]
pub struct Insight {
    /// The replica's file. Another one may take its place at any moment, and then it is deleted: ask again.
    pub replica: PathBuf,
    /// This node's own admissions that the replica may not show yet.
    pub admissions: Vec<(TicketId, FirstEntry)>,
    pub status: NodeStatus,
}

impl Owner {
    pub(super) fn reply_insight(&self, request: oneshot::Sender<Insight>) {
        let insight = Insight {
            replica: self.replica.path().to_owned(),
            admissions: self.machine.own_admissions().collect(),
            status: self.current_status(),
        };
        // The caller may have gone.
        drop(request.send(insight));
    }
}
