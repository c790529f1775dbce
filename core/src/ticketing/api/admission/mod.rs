//! Deciding a scan (ADMISSION 3). The scans that come while a transaction runs share the next one:
//! [`turnstile`] gathers them, [`decide`] locks, looks, decides and writes.

use std::sync::Arc;

use eventify_protocol::ids::{GateId, NodeId, ScanId, ScannerId, TicketId};
use eventify_protocol::keys::KeySet;
use eventify_protocol::sync::Epoch;
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::Verdict;
use eventify_sync::token::{SignedTicket, TokenCheck};

use self::turnstile::Outcome;
use super::Error;
use crate::app::App;
use crate::cause::Cause;
use crate::ticketing::model::Ticket;

mod decide;
mod turnstile;

pub use turnstile::Turnstile;

/// What is asked.
#[derive(Clone, Debug)]
pub(in crate::ticketing) struct Asked {
    pub(in crate::ticketing) scan: ScanId,
    pub(in crate::ticketing) scanner: ScannerId,
    pub(in crate::ticketing) gate: GateId,
    /// None over REST.
    pub(in crate::ticketing) node: Option<NodeId>,
    /// As the caller of the REST API names it.
    pub(in crate::ticketing) device: Option<String>,
    pub(in crate::ticketing) presented: Presented,
    pub(in crate::ticketing) deadline: Option<CoreTime>,
    pub(in crate::ticketing) replaces: Vec<ScanId>,
}

/// What the guest has shown.
#[derive(Clone, Debug)]
pub(in crate::ticketing) enum Presented {
    /// The text that was scanned.
    Text(String),
    /// The caller vouches for the ticket itself.
    Ticket(TicketId),
}

/// What is answered.
#[derive(Clone, Debug)]
pub(in crate::ticketing) struct Answered {
    pub(in crate::ticketing) verdict: Verdict,
    /// When it was decided.
    pub(in crate::ticketing) at: CoreTime,
    /// From which database's rows.
    pub(in crate::ticketing) epoch: Epoch,
    /// The ticket, as it is from now on.
    pub(in crate::ticketing) ticket: Option<Ticket>,
    /// A node asked at a gate that is not one of its own: it is refused, and there is an alarm.
    pub(in crate::ticketing) foreign_gate: bool,
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
pub(in crate::ticketing) async fn decide(
    app: &App,
    cause: &Cause,
    asked: &Asked,
) -> Result<Answered, Error> {
    let mut keys = app.keys.in_force()?;
    loop {
        let checked = Checked::new(asked, cause, &keys);
        match turnstile::pass(app, checked).await? {
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
