//! How near the end of an authority's certificate is, and what a person does about it (ADMISSION 10).

use chrono::{DateTime, TimeDelta, Utc};
use eventify_kernel::alarms::Stops;

/// An authority whose end is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// Signs the nodes' certificates.
    Device,
    /// Signs that of the broker's MQTT listener.
    Broker,
}

/// How near its end is. Each is an alarm of its own, so that the next one is heard again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndStage {
    Ends,
    EndsSoon,
    Ended,
}

impl EndStage {
    /// What does not go on: past the end no gate has a line, and none decides alone for long.
    pub(crate) fn stops(self) -> &'static [Stops] {
        match self {
            Self::Ends | Self::EndsSoon => &[],
            Self::Ended => &[Stops::Gates],
        }
    }

    pub(crate) const ALL: [Self; 3] = [Self::Ends, Self::EndsSoon, Self::Ended];

    /// None while there is time.
    pub(crate) fn of(ends_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Self> {
        let left = ends_at - now;
        if left <= TimeDelta::zero() {
            Some(Self::Ended)
        } else if left <= TimeDelta::days(90) {
            Some(Self::EndsSoon)
        } else if left <= TimeDelta::days(180) {
            Some(Self::Ends)
        } else {
            None
        }
    }

    /// The alarm's stable name.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Ends => "fleet.authority_ends",
            Self::EndsSoon => "fleet.authority_ends_soon",
            Self::Ended => "fleet.authority_ended",
        }
    }
}

impl Authority {
    /// The setting that names its file.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Device => "fleet.device_authority_certificate",
            Self::Broker => "fleet.mqtt_authority",
        }
    }

    /// What to do, in words.
    pub(crate) fn act(self, stage: EndStage) -> &'static str {
        match (self, stage) {
            (Self::Device, EndStage::Ends | EndStage::EndsSoon) => {
                "When the device authority's certificate ends, so do those of all nodes, and no gate is \
                 connected. Make a new certificate for the same key, put it first into the file of \
                 fleet.device_authority_certificate and leave the old one behind it, give it to the broker \
                 beside the old one, and restart both. Nodes renew theirs by themselves."
            }
            (Self::Device, EndStage::Ended) => {
                "The device authority's certificate has ended, and with it those of all nodes; a core that is \
                 restarted refuses it. Make a new certificate for the same key, put it first into the file of \
                 fleet.device_authority_certificate and leave the old one behind it, give it to the broker \
                 beside the old one, restart both, and allow each node with POST \
                 /fleet/nodes/{nodeId}/renewal."
            }
            (Self::Broker, EndStage::Ends | EndStage::EndsSoon) => {
                "An authority of the broker's certificate ends. Put its successor into the file of \
                 fleet.mqtt_authority beside it and restart the core: each node learns it with its next \
                 certificate, at the latest after fleet.certificate_days. Then give the broker a certificate of \
                 the successor, and take the old one out of the file."
            }
            (Self::Broker, EndStage::Ended) => {
                "An authority of the broker's certificate has ended. If the broker's certificate is of another \
                 one in the file of fleet.mqtt_authority, take this one out. If it is of this one, give it a \
                 certificate of an authority that the nodes have; nodes without one have to be enrolled anew."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_end_is_heard_half_a_year_before_a_quarter_before_and_when_it_has_come() {
        let end = DateTime::UNIX_EPOCH + TimeDelta::days(1_000);
        let at = |days| EndStage::of(end, end - TimeDelta::days(days));
        assert_eq!(at(181), None);
        assert_eq!(at(180), Some(EndStage::Ends));
        assert_eq!(at(91), Some(EndStage::Ends));
        assert_eq!(at(90), Some(EndStage::EndsSoon));
        assert_eq!(at(1), Some(EndStage::EndsSoon));
        assert_eq!(at(0), Some(EndStage::Ended));
        assert_eq!(at(-1), Some(EndStage::Ended));
    }

    #[test]
    fn each_stage_has_a_name_and_says_what_to_do() {
        let kinds: BTreeSet<_> = EndStage::ALL.iter().map(|stage| stage.kind()).collect();
        assert_eq!(kinds.len(), EndStage::ALL.len());
        for authority in [Authority::Device, Authority::Broker] {
            for stage in EndStage::ALL {
                let act = authority.act(stage);
                assert!(act.contains(authority.setting()) && act.ends_with('.'));
            }
        }
    }
}
