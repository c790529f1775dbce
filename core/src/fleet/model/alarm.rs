//! What somebody has to look at. Codes are stable; details hold ids and numbers, never personal
//! data.

use std::borrow::Cow;

use eventify_protocol::ids::{NodeId, VenueId};
use serde_json::{Value, json};

/// Something that must not happen in a healthy venue.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::fleet) struct Alarm {
    pub(in crate::fleet) code: Cow<'static, str>,
    pub(in crate::fleet) venue: Option<VenueId>,
    pub(in crate::fleet) node: Option<NodeId>,
    pub(in crate::fleet) details: Value,
}

impl Alarm {
    /// Of no venue or node that is known.
    pub(in crate::fleet) fn new(code: &'static str) -> Self {
        Self {
            code: Cow::Borrowed(code),
            venue: None,
            node: None,
            details: json!({}),
        }
    }

    pub(in crate::fleet) fn of(self, venue: VenueId, node: NodeId) -> Self {
        Self {
            venue: Some(venue),
            node: Some(node),
            ..self
        }
    }

    pub(in crate::fleet) fn in_venue(self, venue: VenueId) -> Self {
        Self {
            venue: Some(venue),
            ..self
        }
    }

    pub(in crate::fleet) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }
}
