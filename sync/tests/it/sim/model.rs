//! The simple reference: what tokens and tickets are in this world, what was promised to whom, and
//! what has been shown.

use std::collections::BTreeMap;

use eventify_protocol::{
    hash::Hash32,
    ids::{ScanId, TicketId, VenueId},
    short_code::CodeHash,
    token::{Claims, TokenHash},
    verdict::{DecidedBy, Verdict},
};
use eventify_sync::{
    rules::Entitlement,
    token::{SignedTicket, TokenCheck},
};
use uuid::Uuid;

use super::{clock::Nanos, shows};

pub(crate) const VENUE: VenueId = VenueId(Uuid::from_u128(0xE0E0));

/// Rules that a world can break, to see that the checks bite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// T is the core's present time, even while rows wait in the outbox.
    TruthIgnoresTheOutbox,
    /// A scan that waited in a queue past its deadline is executed.
    CoreIgnoresDeadlines,
    /// Nodes' clocks run slower than the drift bound allows for.
    ClocksDriftBeyondTheBound,
    /// The shell reports rows as synced that are not.
    AnswersBeforeTheDisk,
    /// The shell doesn't read its unacknowledged admissions back after a restart.
    ForgetsTheOverlay,
    /// The core takes each refusal for one of its newest answer.
    OldRefusalsTakeAnswersBack,
    /// A show that moves is moved in the feed alone: the core decides by the old times.
    CoreKeepsOldTimes,
    /// A node's replica gives a suspended ticket out as a valid one.
    NodeAdmitsSuspended,
    /// The core suspends tickets and writes nothing of it into the feed.
    FeedLacksSuspensions,
    /// The core drops a journal row that it has acknowledged.
    CoreLosesRows,
    /// The core does not apply undos.
    CoreIgnoresUndos,
    /// A node lets in by a supervisor's word although nobody may decide.
    OverridesInLocked,
    /// The shell does not look for an act in its journal before it has it done.
    ActsTwice,
    /// The core knows nothing of a show that was moved after it had begun to admit.
    CoreForgetsRestarts,
}

/// Who reads a token: the core has keys that a node's key set does not have yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Core,
    Node,
}

/// A token's text: kind and number.
pub(crate) fn text(kind: &str, number: u128) -> String {
    format!("{kind}:{number}")
}

pub(crate) fn ticket_id(number: u128) -> TicketId {
    TicketId(Uuid::from_u128(0x7_0000 + number))
}

/// The tokens of this world need no arithmetic.
pub(crate) fn check(text: &str, reader: Reader) -> TokenCheck {
    let hash = Hash32::of(text.as_bytes());
    let Some((kind, number)) = text.split_once(':') else {
        return TokenCheck::Unreadable { hash };
    };
    let Ok(number) = number.parse::<u128>() else {
        return TokenCheck::Unreadable { hash };
    };
    let signed = SignedTicket {
        hash: TokenHash(hash),
        claims: claims(number),
    };
    match (kind, reader) {
        ("code", _) => TokenCheck::Code {
            code: CodeHash(hash),
            ticket: None,
        },
        ("ok", _) | ("new-key", Reader::Core) => TokenCheck::Signed(signed),
        ("new-key", Reader::Node) => TokenCheck::UnknownKey { claimed: signed },
        _ => TokenCheck::Forged {
            hash: TokenHash(hash),
        },
    }
}

/// What a guest's scan is made of: now and then staff type the short code of a ticket instead.
pub(crate) fn presented(text: &str, scan: ScanId) -> String {
    match text.split_once(':') {
        Some(("ok", number)) if scan.0.as_u128().is_multiple_of(8) => format!("code:{number}"),
        Some(_) | None => text.to_owned(),
    }
}

/// The ticket whose short code was typed, if this world has it.
pub(crate) fn ticket_of_code(text: &str) -> Option<TicketId> {
    let number = text.strip_prefix("code:")?.parse().ok()?;
    Some(ticket_id(number))
}

/// The claims of ticket `number`.
pub(crate) fn claims(number: u128) -> Claims {
    let (not_before, expiry) = shows::code_window();
    Claims {
        ticket: ticket_id(number),
        performance: shows::show_of(number),
        category: "STALLS".parse().expect("a category"),
        not_before,
        expiry,
        revision: 1,
    }
}

pub(crate) fn entitlement(number: u128, text: &str) -> Entitlement {
    let claims = claims(number);
    Entitlement {
        token: TokenHash(Hash32::of(text.as_bytes())),
        performance: claims.performance,
        category: claims.category,
    }
}

/// Whether ticket `number` is for tonight, from the beginning to the end.
pub(crate) fn is_plain(number: u128) -> bool {
    shows::show_of(number) == shows::TONIGHT
}

/// A guest was shown `Admit`.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) at: Nanos,
    /// By a supervisor, who knew of the others.
    pub(crate) overridden: bool,
    /// Which machine: of two copies of a node each is one.
    pub(crate) line: usize,
    pub(crate) scan: ScanId,
    pub(crate) by: DecidedBy,
}

/// All that was ever shown.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The first `Admit` of each scan, by ticket.
    pub(crate) admitted: BTreeMap<TicketId, Vec<Shown>>,
    /// When a final verdict was first shown.
    pub(crate) shown_at: BTreeMap<ScanId, Nanos>,
    /// Final verdicts.
    pub(crate) finals: BTreeMap<ScanId, Verdict>,
    /// When a text that is no ticket was shown last: its row comes within a minute.
    pub(crate) unreadable_at: Nanos,
    /// Scans whose rows were lost with a disk.
    pub(crate) lost: Vec<ScanId>,
    pub(crate) failovers: u32,
}

impl Model {
    pub(crate) fn admit(&mut self, ticket: TicketId, shown: Shown) {
        let earlier = self.admitted.entry(ticket).or_default();
        if earlier.iter().all(|held| held.scan != shown.scan) {
            earlier.push(shown);
        }
    }

    pub(crate) fn is_admitted(&self, ticket: TicketId, scan: ScanId) -> bool {
        self.admitted
            .get(&ticket)
            .is_some_and(|all| all.iter().any(|held| held.scan == scan))
    }
}
