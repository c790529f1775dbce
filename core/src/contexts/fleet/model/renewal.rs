//! Renewal of a node's certificate by the key that it enrolled with (ADMISSION 10).
//!
//! ```text
//! certificate   valid, over half left ──▶ the same again
//!               valid, half or less ────▶ a new one, or the same if a new one would not last longer
//!               expired ≤ 180 days ─────▶ a new one, once somebody who runs the venue allows it
//!               expired longer ─────────▶ none: enrol a new node
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::hash::Hash32;

use super::node::{Enrolment, Node, NodeState};

/// How long after its certificate's end a node can come back with its journal and its scanners.
pub(crate) const RENEWABLE_FOR: TimeDelta = TimeDelta::days(180);
/// How long a permission waits for a node that is switched on later.
pub(crate) const PERMISSION_LIFE: TimeDelta = TimeDelta::days(7);
/// A node renews when a third of 90 days is left. One that has not a day later is reported.
pub(crate) const WARN_BEFORE: TimeDelta = TimeDelta::days(29);

/// What a node's request for renewal gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal<'a> {
    /// A new certificate is to be signed.
    Sign,
    /// It is too early, or the answer to an earlier request was lost: the certificate in force.
    Current { certificate_chain: &'a str },
}

/// Why a certificate is not renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenewalRefused {
    /// One answer for an unknown node and a foreign key: strangers learn nothing.
    #[error("there is no enrolled node with this id and key")]
    UnknownKey,
    #[error("this node has been revoked; enrol it anew with a new code")]
    Revoked,
    #[error(
        "the certificate has expired: somebody who runs the venue must allow its renewal with \
         POST /fleet/nodes/{{nodeId}}/renewal; the node asks again by itself"
    )]
    NotAllowed,
    #[error(
        "the certificate expired more than {} days ago; enrol the node anew with a new code",
        RENEWABLE_FOR.num_days()
    )]
    TooLate,
}

/// Why a renewal can't be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PermissionRefused {
    #[error("the certificate has not expired: the node renews it by itself")]
    NotExpired,
    #[error("this node is not enrolled")]
    NotEnrolled,
    #[error(transparent)]
    TooLate(#[from] RenewalRefused),
}

impl Node {
    /// What the holder of a key gets, where new certificates live as long as `life`, but not after
    /// `authority_ends_at`.
    pub(crate) fn renewal(
        &self,
        key_hash: Hash32,
        (life, authority_ends_at): (TimeDelta, DateTime<Utc>),
        now: DateTime<Utc>,
    ) -> Result<Renewal<'_>, RenewalRefused> {
        let (enrolment, revoked) = match &self.state {
            NodeState::Announced
            | NodeState::Revoked {
                enrolment: None, ..
            } => {
                return Err(RenewalRefused::UnknownKey);
            }
            NodeState::Enrolled(enrolment) => (enrolment, false),
            NodeState::Revoked {
                enrolment: Some(enrolment),
                ..
            } => (enrolment, true),
        };
        if enrolment.key_hash != key_hash {
            return Err(RenewalRefused::UnknownKey);
        }
        if revoked {
            return Err(RenewalRefused::Revoked);
        }
        let left = enrolment.certificate_expires_at - now;
        let is_longest =
            left > TimeDelta::zero() && enrolment.certificate_expires_at >= authority_ends_at;
        if left > life / 2 || is_longest {
            let certificate_chain = &enrolment.certificate_chain;
            return Ok(Renewal::Current { certificate_chain });
        }
        if left > TimeDelta::zero() {
            return Ok(Renewal::Sign);
        }
        if left <= -RENEWABLE_FOR {
            return Err(RenewalRefused::TooLate);
        }
        let is_allowed = enrolment
            .renewal_allowed_until
            .is_some_and(|until| now < until);
        if is_allowed {
            Ok(Renewal::Sign)
        } else {
            Err(RenewalRefused::NotAllowed)
        }
    }

    /// Lets a node whose certificate has expired renew it once.
    pub(crate) fn allow_renewal(mut self, now: DateTime<Utc>) -> Result<Self, PermissionRefused> {
        let NodeState::Enrolled(enrolment) = &mut self.state else {
            return Err(PermissionRefused::NotEnrolled);
        };
        let left = enrolment.certificate_expires_at - now;
        if left > TimeDelta::zero() {
            return Err(PermissionRefused::NotExpired);
        }
        if left <= -RENEWABLE_FOR {
            return Err(RenewalRefused::TooLate.into());
        }
        enrolment.renewal_allowed_until = Some(now + PERMISSION_LIFE);
        Ok(self)
    }
}

impl Enrolment {
    /// With a new certificate. A permission is used up by it.
    pub(crate) fn renewed(self, certificate_chain: String, expires_at: DateTime<Utc>) -> Self {
        Self {
            certificate_chain,
            certificate_expires_at: expires_at,
            renewal_allowed_until: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::ids::{NodeId, VenueId};
    use uuid::Uuid;

    use super::*;

    const KEY: Hash32 = Hash32([1; 32]);
    const LIFE: (TimeDelta, DateTime<Utc>) = (TimeDelta::days(90), DateTime::<Utc>::MAX_UTC);

    fn day(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    /// Enrolled on day 0, for 90 days.
    fn node() -> Node {
        Node {
            node_id: NodeId(Uuid::nil()),
            venue_id: VenueId(Uuid::nil()),
            label: "North door".to_owned(),
            gates: Vec::new(),
            version: 1,
            code_expires_at: day(0),
            state: NodeState::Enrolled(Enrolment {
                key_hash: KEY,
                certificate_chain: "PEM".to_owned(),
                certificate_expires_at: day(90),
                renewal_allowed_until: None,
                at: day(0),
            }),
        }
    }

    #[test]
    fn a_certificate_is_renewed_from_half_of_its_life_on() {
        let current = Renewal::Current {
            certificate_chain: "PEM",
        };
        assert_eq!(node().renewal(KEY, LIFE, day(44)), Ok(current));
        assert_eq!(node().renewal(KEY, LIFE, day(45)), Ok(Renewal::Sign));
        assert_eq!(node().renewal(KEY, LIFE, day(89)), Ok(Renewal::Sign));
    }

    /// It would be renewed again and again, and never last longer.
    #[test]
    fn a_certificate_that_ends_with_its_authority_is_not_renewed_until_that_is() {
        let current = Renewal::Current {
            certificate_chain: "PEM",
        };
        for end in [day(90), day(80)] {
            let ending = (LIFE.0, end);
            assert_eq!(node().renewal(KEY, ending, day(89)), Ok(current));
            assert_eq!(
                node().renewal(KEY, ending, day(90)),
                Err(RenewalRefused::NotAllowed)
            );
        }
        let renewed = (LIFE.0, day(91));
        assert_eq!(node().renewal(KEY, renewed, day(89)), Ok(Renewal::Sign));
    }

    #[test]
    fn an_expired_one_waits_for_a_permission_and_uses_it_up() {
        let refused = Err(RenewalRefused::NotAllowed);
        assert_eq!(node().renewal(KEY, LIFE, day(90)), refused);
        assert_eq!(
            node().allow_renewal(day(89)),
            Err(PermissionRefused::NotExpired)
        );
        let allowed = node().allow_renewal(day(200)).unwrap();
        assert_eq!(allowed.renewal(KEY, LIFE, day(206)), Ok(Renewal::Sign));
        assert_eq!(allowed.renewal(KEY, LIFE, day(207)), refused);
        let NodeState::Enrolled(enrolment) = allowed.state else {
            panic!("it stays enrolled")
        };
        let renewed = enrolment.renewed("NEW".to_owned(), day(290));
        assert_eq!(renewed.renewal_allowed_until, None);
    }

    #[test]
    fn after_180_days_nothing_helps() {
        let late = day(270);
        assert_eq!(
            node().renewal(KEY, LIFE, late),
            Err(RenewalRefused::TooLate)
        );
        assert_eq!(
            node().allow_renewal(late),
            Err(RenewalRefused::TooLate.into())
        );
        let allowed = node().allow_renewal(day(269)).unwrap();
        assert_eq!(
            allowed.renewal(KEY, LIFE, late),
            Err(RenewalRefused::TooLate)
        );
    }

    #[test]
    fn other_keys_and_revoked_nodes_get_nothing() {
        let other = Hash32([2; 32]);
        assert_eq!(
            node().renewal(other, LIFE, day(60)),
            Err(RenewalRefused::UnknownKey)
        );
        let announced = Node {
            state: NodeState::Announced,
            ..node()
        };
        assert_eq!(
            announced.renewal(KEY, LIFE, day(60)),
            Err(RenewalRefused::UnknownKey)
        );
        assert_eq!(
            announced.allow_renewal(day(60)),
            Err(PermissionRefused::NotEnrolled)
        );
        let NodeState::Enrolled(enrolment) = node().state else {
            panic!("it is enrolled")
        };
        let revoked = Node {
            state: NodeState::Revoked {
                at: day(1),
                enrolment: Some(enrolment),
            },
            ..node()
        };
        assert_eq!(
            revoked.renewal(KEY, LIFE, day(60)),
            Err(RenewalRefused::Revoked)
        );
        assert_eq!(
            revoked.renewal(other, LIFE, day(60)),
            Err(RenewalRefused::UnknownKey)
        );
    }
}
