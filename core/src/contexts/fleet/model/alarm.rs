//! Alarms for the venue's staff. Codes are stable; details hold ids and numbers, never personal
//! data.

use std::borrow::Cow;

use eventify_protocol::ids::{NodeId, VenueId};
use serde_json::{Value, json};

/// Something that must not happen in a healthy venue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alarm {
    pub(crate) code: Cow<'static, str>,
    pub(crate) venue: Option<VenueId>,
    pub(crate) node: Option<NodeId>,
    pub(crate) details: Value,
}

impl Alarm {
    /// Of no venue or node that is known.
    pub(crate) fn new(code: &'static str) -> Self {
        Self {
            code: Cow::Borrowed(code),
            venue: None,
            node: None,
            details: json!({}),
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

    pub(crate) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }
}
