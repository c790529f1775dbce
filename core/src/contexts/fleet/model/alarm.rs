//! Alarms for the venue's staff. Codes are stable; details hold ids and numbers, never personal
//! data.

use eventify_kernel::alarms::{self as standing, Stops};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::WireError;
use serde_json::{Value, json};

/// Something that must not happen in a healthy venue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alarm {
    pub(crate) code: Code,
    pub(crate) venue: Option<VenueId>,
    pub(crate) node: Option<NodeId>,
    /// The guest's ticket, the show: where a venue or node can have several of a code.
    pub(crate) one_of: Option<String>,
    pub(crate) about: standing::About,
    pub(crate) details: Value,
    /// What its code stops goes on for now.
    pub(crate) stops_nothing_yet: bool,
}

impl Alarm {
    /// Of no venue or node that is known.
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            venue: None,
            node: None,
            one_of: None,
            about: standing::About::new(),
            details: json!({}),
            stops_nothing_yet: false,
        }
    }

    pub(crate) fn of_node(mut self, venue: VenueId, node: NodeId) -> Self {
        self.node = Some(node);
        self.of_venue(venue)
    }

    pub(crate) fn of_venue(mut self, venue: VenueId) -> Self {
        self.venue = Some(venue);
        self
    }

    /// Each of these is an alarm of its own.
    pub(crate) fn of(mut self, name: &'static str, id: &impl ToString) -> Self {
        self.one_of = Some(id.to_string());
        self.also(name, id)
    }

    /// The same, where what it is about is more than one thing.
    pub(crate) fn one_of(self, subject: String) -> Self {
        Self {
            one_of: Some(subject),
            ..self
        }
    }

    pub(crate) fn stopping_nothing_yet(self) -> Self {
        Self {
            stops_nothing_yet: true,
            ..self
        }
    }

    /// It is about this, too: whoever may see that may see the alarm.
    pub(crate) fn also(mut self, name: &'static str, id: &impl ToString) -> Self {
        self.about.insert(name, id.to_string());
        self
    }

    pub(crate) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }

    /// Of those of its code, which.
    pub(crate) fn subject(&self) -> String {
        let node = || self.node.map(|node| node.to_string());
        let venue = || self.venue.map(|venue| venue.to_string());
        let one = self.one_of.clone().or_else(node).or_else(venue);
        one.unwrap_or_else(|| "core".to_owned())
    }

    /// The row of it.
    pub(crate) fn row(&self) -> standing::Alarm {
        let mut row = standing::Alarm::new(self.code.name(), self.subject(), self.code.act());
        row.momentary = !self.code.is_ended_by_fact();
        if !self.stops_nothing_yet {
            row.stops = self.code.stops();
        }
        row.details = self.details.clone();
        row.about.clone_from(&self.about);
        if let Some(venue) = self.venue {
            row = row.about(VENUE, &venue);
        }
        if let Some(node) = self.node {
            row = row.about(NODE, &node);
        }
        row
    }
}

/// What an alarm is about, as it stands in the answer.
pub(crate) const VENUE: &str = "venueId";
pub(crate) const NODE: &str = "nodeId";
pub(crate) const PERFORMANCE: &str = "performanceId";
pub(crate) const TICKET: &str = "ticketId";
/// Whose show it is.
pub(crate) const ORGANISER: &str = "organiserId";
pub(crate) const ORGANISATION: &str = "organisationId";

macro_rules! codes {
    ($($code:ident = $name:literal: $act:literal;)+) => {
        /// What happened. Each has its stable name and what a person does about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $($code,)+ }

        impl Code {
            const ALL: &[Self] = &[$(Self::$code,)+];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)+ }
            }

            /// What to do, in words.
            pub(crate) fn act(self) -> &'static str {
                match self { $(Self::$code => $act,)+ }
            }
        }
    };
}

codes! {
    GateCutOff = "gate_cut_off":
        "The core hears nothing of this node while its gates admit, or soon will. At the gate: is the node on, \
         is its network cable in, does the line work (eventify-edge doctor says which)? It decides alone until \
         decidesAloneUntil in the details; then it locks. Have the paper list and a second gate ready before.";
    GateLocked = "gate_locked":
        "Nobody is let in at these gates by the system: send the queue to a gate that works, follow the venue's \
         own procedure, and bring the node's line back (eventify-edge doctor on it says what is wrong). \
         presumed in the details: the core does not hear it, and its copy is too old by now.";
    GateFaulty = "gate_faulty":
        "This node answers every new scan with an error, because it can't write it down: send the queue to a gate \
         that works. journalFault in the details: held, another program has its journal open, so close that; \
         noSpace, so make room on its disk. eventify-edge doctor on it says which program, which folder.";
    GateDecidesAlone = "gate_decides_alone":
        "This node reaches the core and does not let it decide, for longer than a returning node needs. Its \
         gates lock when its copy is too old: run eventify-edge doctor on it, and look at the core's load.";
    NodeDiskLow = "node_disk_low":
        "This node's disk is nearly full; without room for its journal it lets nobody in. Make room on it: \
         eventify-edge doctor names the folder and the disk.";
    RefundedGuestAdmitted = "refunded_guest_admitted":
        "A gate without connection let a guest in whose money goes back. The venue's reconciliation report lists \
         all of them under refundedAdmissions. Decide with the organiser: ask the guest to pay or to leave, or \
         leave it at that. The place is sold to nobody else before the organiser releases it (POST \
         /inventory/performances/{performanceId}/kept-back/{ticketId}/release); if that was done before this \
         was known, the alarm guest_displaced stands too.";
    GuestDisplaced = "guest_displaced":
        "A guest is inside on a place that was given back before the gate's journal came. placeState in the \
         details says what the place is now: free and held can still be bought, sold is another guest's \
         (soldTo, an order). Send somebody to the place before the second guest comes, and seat one of both \
         elsewhere.";
    PerformanceAwaitsConfirmation = "performance_awaits_confirmation":
        "An organiser who is not of this venue plans performances here, and no gate admits to them yet. Look at \
         them with GET /fleet/venues/{venueId}/performances?waiting=true. Confirm what is agreed, and decline what is \
         not (POST …/performances/{performanceId}/confirm or /decline), with the version that you have read in \
         If-Match: it may move meanwhile. POST …/performances/decline with the organiserId declines all of them.";
    JournalRowsLost = "journal_rows_lost":
        "Rows of this node's journal are missing: nobody knows whom they let in. Look for double entries at its \
         gates, and import the journal if a copy was saved.";
    JournalFork = "journal_fork":
        "This node's journal contradicts what the core holds, as after a restored disk. It has begun a new file \
         by itself. Find out who restored it, and compare the rows in the details.";
    JournalRowMalformed = "journal_row_malformed":
        "The core can't read a row of this node's journal. Export the journal on the node, keep the file, and \
         update the node's software.";
    JournalChainBroken = "journal_chain_broken":
        "Rows of this node's journal don't follow each other: somebody has changed them, or the disk is bad. \
         Export the journal, keep the file, and replace the node.";
    NodeDuplicated = "node_duplicated":
        "Two machines run copies of this node's disk, and the younger one was stopped. Find that machine, save \
         its journal with export-journal, and import it here.";
    NodeWaitsForRenewal = "node_waits_for_renewal":
        "This node's certificate has expired, and it asks for a new one. If the machine is yours and where it \
         belongs, allow it with POST /fleet/nodes/{nodeId}/renewal; else revoke the node.";
    CertificateEnds = "certificate_ends":
        "This node's certificate ends soon, and it has not renewed it. Switch the node on and connect it: it \
         renews by itself. If it is connected, run eventify-edge doctor on it.";
    BrokerRefused = "broker_refused":
        "A node asked the broker for what it may not do. Check which machine uses its certificate; revoke the \
         node if it is not yours.";
    DigestMismatch = "digest_mismatch":
        "This node's copy of the tickets differed from the core's. It fetches a new one by itself. If it \
         happens again, check the node's disk.";
    DigestAlgorithmUnknown = "digest_algorithm_unknown":
        "This node's software is too old for the core, and it does not decide alone. Update it.";
    FeedDigestWrong = "feed_digest_wrong":
        "The checksum of the venue's feed was wrong and was corrected. Find out who changed rows of the \
         database, or restored it.";
    FeedDiffersFromTicketing = "feed_differs_from_ticketing":
        "The venue's feed differed from the tickets and was repaired. Nobody has to act at the gates. Find out \
         who changed rows of the database, or restored it.";
    FeedDiffersFromPerformances = "feed_differs_from_performances":
        "The venue's feed had other performances than the core, and was repaired. Nobody has to act at the \
         gates. If it happens more than once after an update, find out who changed rows of the database, or \
         restored it.";
    FeedDiffersFromStaff = "feed_differs_from_staff":
        "The nodes had other people than those who work at the venue, and the list was repaired. Until then \
         somebody who has left may have worked at a gate: look at what the people in the details did, in the \
         report's acts. Find out who changed rows of the database, or restored it.";
    TruthStandsStill = "truth_stands_still":
        "Changes don't reach the gates of this venue, and after five minutes none of them decides alone; other \
         venues don't wait for it. oldest in the details names what is stuck: look for it with eventify-core \
         dlq read, then at the relay and the broker. Without a venue, all of them wait.";
    UplinkKeyMalformed = "uplink_key_malformed":
        "A message came under a topic that belongs to no node, and was dropped. Check who may publish at the \
         broker.";
    UplinkNodeUnknown = "uplink_node_unknown":
        "A message came from a node that is not enrolled, and was dropped. Check which machine uses its \
         certificate.";
    UplinkSenderMismatch = "uplink_sender_mismatch":
        "A message named another sender than the node that sent it, and was dropped. Take this node out of \
         service, and look who has access to it.";
    UplinkKindMismatch = "uplink_kind_mismatch":
        "A message was of another kind than its topic says, and was dropped. Update the node's software; if it \
         happens again, look who has access to it.";
    NodeFloods = "node_floods":
        "This node sends far more messages than a node's software does, and the core drops the rest. Nobody \
         else waits for it. Restart the node; if it goes on, look who has access to it, and revoke it if it \
         is not yours.";
    MessageTooLarge = "message_too_large":
        "A message of this node is larger than any of its kind, and was dropped. Update its software; if it \
         happens again, look who has access to it.";
    MessageVersion = "message_version":
        "This node speaks a version that the core doesn't know. Update its software, or the core's.";
    MessageMalformed = "message_malformed":
        "The core can't read a message of this node, and dropped it. Update its software; if it happens again, \
         look who has access to it.";
    MessageTrailingBytes = "message_trailing_bytes":
        "A message of this node has more in it than the core reads, and was dropped. Update its software; if it \
         happens again, look who has access to it.";
    ScanNodeUnknown = "scan_node_unknown":
        "A scan came from a node that is not enrolled, and nobody was let in. Check which machine uses its \
         certificate.";
    ScanGateNotAssigned = "scan_gate_not_assigned":
        "A node scanned at a gate that is not one of its own. Give the node this gate if it stands there; else \
         look who has access to it.";
    ScanSuspected = "scan_suspected":
        "Ticketing dropped a scan for the reason in the details. Check the node that sent it.";
}

impl Code {
    /// Whether it stands until what it is about is over. The others have happened: who acknowledges one ends it.
    pub(crate) fn is_ended_by_fact(self) -> bool {
        Self::STANDING.contains(&self)
    }

    /// What does not go on while it stands.
    pub(crate) fn stops(self) -> &'static [Stops] {
        if Self::CLOSING.contains(&self) {
            &[Stops::Gates]
        } else {
            &[]
        }
    }

    /// Nobody is let in at these gates, or none but for five minutes more.
    const CLOSING: &[Self] = &[
        Self::GateLocked,
        Self::GateFaulty,
        Self::PerformanceAwaitsConfirmation,
        Self::DigestAlgorithmUnknown,
        Self::TruthStandsStill,
    ];

    const STANDING: &[Self] = &[
        Self::GateCutOff,
        Self::GateLocked,
        Self::GateFaulty,
        Self::GateDecidesAlone,
        Self::NodeDiskLow,
        Self::PerformanceAwaitsConfirmation,
        Self::NodeWaitsForRenewal,
        Self::CertificateEnds,
        Self::DigestAlgorithmUnknown,
        Self::TruthStandsStill,
    ];

    /// The code of a name, if this release has it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl From<&WireError> for Code {
    fn from(error: &WireError) -> Self {
        match error {
            WireError::TooLarge(_) => Self::MessageTooLarge,
            WireError::Version(_) => Self::MessageVersion,
            WireError::Malformed(_) => Self::MessageMalformed,
            WireError::Trailing(_) => Self::MessageTrailingBytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_has_a_name_of_its_own_and_says_what_to_do() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.act().len() > 40 && code.act().ends_with('.'),
                "{code:?}"
            );
            assert_eq!(Code::named(code.name()), Some(*code));
        }
    }
}
