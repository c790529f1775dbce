//! Deciding a scan (ADMISSION 3). The scans that come while a transaction runs share the next one:
//! [`batches`] gathers them, [`decide`] locks, looks, decides and writes.

use std::sync::Arc;

use eventify_protocol::ids::{GateId, NodeId, ScanId, ScannerId, TicketId};
use eventify_protocol::keys::KeySet;
use eventify_protocol::sync::Epoch;
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::Verdict;
use eventify_sync::token::{SignedTicket, TokenCheck};

use self::batches::Outcome;
use super::Error;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::Ticket;
use eventify_kernel::cause::Cause;

mod batches;
mod decide;

pub use batches::ScanBatches;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) scan: ScanId,
    pub(crate) scanner: ScannerId,
    pub(crate) gate: GateId,
    /// None over REST.
    pub(crate) node: Option<NodeId>,
    /// As the caller of the REST API names it.
    pub(crate) device: Option<String>,
    pub(crate) presented: Presented,
    pub(crate) deadline: Option<CoreTime>,
    pub(crate) replaces: Vec<ScanId>,
}

/// What the guest has shown.
#[derive(Clone, Debug)]
pub(crate) enum Presented {
    /// The text that was scanned.
    Text(String),
    /// The caller vouches for the ticket itself.
    Ticket(TicketId),
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) verdict: Verdict,
    /// When it was decided.
    pub(crate) at: CoreTime,
    /// From which database's rows.
    pub(crate) epoch: Epoch,
    /// The ticket, as it is from now on.
    pub(crate) ticket: Option<Ticket>,
    /// A node asked at a gate that is not one of its own: it is refused, and there is an alarm.
    pub(crate) foreign_gate: bool,
}

/// A scan whose token was checked, before any lock is taken.
#[derive(Clone, Debug)]
struct Checked {
    asked: Asked,
    cause: Cause,
    /// None where the caller vouches.
    token: Option<TokenCheck>,
    /// Version of the key set that it was checked with.
    keys: u64,
}

/// Decides a scan. If its signature was checked against another key set than the one in force, it is
/// checked again.
pub(crate) async fn decide(app: &App, cause: &Cause, asked: &Asked) -> Result<Answered, Error> {
    let mut keys = app.keys.in_force()?;
    loop {
        let checked = Checked::new(asked, cause, &keys);
        match batches::pass(app, checked).await? {
            Outcome::Answered(answered) => return Ok(*answered),
            Outcome::OtherKeys(in_force) => keys = in_force,
        }
    }
}

impl Checked {
    fn new(asked: &Asked, cause: &Cause, keys: &Arc<KeySet>) -> Self {
        let token = match &asked.presented {
            Presented::Text(text) => Some(TokenCheck::of(text, keys)),
            Presented::Ticket(_) => None,
        };
        Self {
            asked: asked.clone(),
            cause: cause.clone(),
            token,
            keys: keys.version(),
        }
    }

    /// The ticket that it is about, if it is about one.
    fn ticket(&self) -> Option<TicketId> {
        match &self.asked.presented {
            Presented::Ticket(id) => Some(*id),
            Presented::Text(_) => self.token.as_ref()?.signed().map(SignedTicket::ticket),
        }
    }
}
