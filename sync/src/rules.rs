//! Where and when a ticket admits. Core and edge use the same rules.

use eventify_protocol::{
    ids::{GateId, PerformanceId},
    sync::{GateEntry, TicketEntry},
    time::CoreInterval,
    token::{CategoryCode, TokenHash},
    verdict::Verdict,
};

/// What a ticket entitles its holder to, in every state of the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Of the only token that admits.
    pub token: TokenHash,
    pub performance: PerformanceId,
    /// Category or zone.
    pub category: CategoryCode,
    /// Admitted from, Unix seconds.
    pub not_before: i64,
    /// Admitted until, Unix seconds.
    pub expiry: i64,
}

impl From<&TicketEntry> for Entitlement {
    fn from(entry: &TicketEntry) -> Self {
        Self {
            token: entry.token,
            performance: entry.performance,
            category: entry.category,
            not_before: entry.not_before,
            expiry: entry.expiry,
        }
    }
}

impl Entitlement {
    /// Whether this token admits at this gate now, apart from earlier entries. `gate` is none if the
    /// gate is unknown or not the caller's.
    ///
    /// The present moment is only known to be within `when`. The begin is compared with its late end
    /// and the expiry with its early end, so that no guest is refused because the node does not know
    /// better. The tolerance is the width of the interval, less than a second while a node may decide.
    ///
    /// # Errors
    /// The verdict that refuses.
    pub fn admits(
        &self,
        token: TokenHash,
        at: GateId,
        gate: Option<&GateEntry>,
        when: &CoreInterval,
    ) -> Result<(), Verdict> {
        if self.token != token {
            return Err(Verdict::Revoked);
        }
        if !gate.is_some_and(|gate| self.passes(gate)) {
            return Err(Verdict::NotValidHere {
                gate: at,
                performance: self.performance,
            });
        }
        if when.latest.unix_seconds() < self.not_before {
            return Err(Verdict::NotYet {
                not_before: self.not_before,
            });
        }
        if when.earliest.unix_seconds() >= self.expiry {
            return Err(Verdict::Expired {
                expiry: self.expiry,
            });
        }
        Ok(())
    }

    fn passes(&self, gate: &GateEntry) -> bool {
        (gate.performances.is_empty() || gate.performances.contains(&self.performance))
            && (gate.categories.is_empty() || gate.categories.contains(&self.category))
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::time::CoreTime;
    use uuid::Uuid;

    use super::*;

    const HERE: GateId = GateId(Uuid::from_u128(1));
    const TOKEN: [u8; 32] = [1; 32];

    fn ticket() -> Entitlement {
        Entitlement {
            token: TOKEN.into(),
            performance: PerformanceId(Uuid::from_u128(2)),
            category: "STALLS".parse().unwrap(),
            not_before: 1_000,
            expiry: 2_000,
        }
    }

    fn gate(performances: &[u128], categories: &[&str]) -> GateEntry {
        GateEntry {
            name: "North".to_owned(),
            performances: performances
                .iter()
                .map(|id| PerformanceId(Uuid::from_u128(*id)))
                .collect(),
            categories: categories
                .iter()
                .map(|code| code.parse().unwrap())
                .collect(),
        }
    }

    fn between(earliest_ms: i64, latest_ms: i64) -> CoreInterval {
        CoreInterval {
            earliest: CoreTime(earliest_ms * 1_000),
            latest: CoreTime(latest_ms * 1_000),
        }
    }

    fn judge(
        token: [u8; 32],
        gate: Option<&GateEntry>,
        when: &CoreInterval,
    ) -> Result<(), Verdict> {
        ticket().admits(token.into(), HERE, gate, when)
    }

    #[test]
    fn a_gate_admits_its_performances_and_categories() {
        let now = between(1_500_000, 1_500_000);
        let elsewhere = Err(Verdict::NotValidHere {
            gate: HERE,
            performance: ticket().performance,
        });
        assert_eq!(judge(TOKEN, Some(&gate(&[], &[])), &now), Ok(()));
        assert_eq!(
            judge(TOKEN, Some(&gate(&[2, 3], &["STALLS"])), &now),
            Ok(())
        );
        assert_eq!(judge(TOKEN, Some(&gate(&[3], &[])), &now), elsewhere);
        assert_eq!(
            judge(TOKEN, Some(&gate(&[], &["BALCONY"])), &now),
            elsewhere
        );
        assert_eq!(judge(TOKEN, None, &now), elsewhere);
    }

    #[test]
    fn another_revision_of_the_token_is_revoked() {
        let now = between(1_500_000, 1_500_000);
        assert_eq!(
            judge([9; 32], Some(&gate(&[], &[])), &now),
            Err(Verdict::Revoked)
        );
    }

    #[test]
    fn uncertainty_about_the_time_refuses_nobody() {
        let open = gate(&[], &[]);
        let at = |earliest, latest| judge(TOKEN, Some(&open), &between(earliest, latest));
        assert_eq!(
            at(999_000, 999_999),
            Err(Verdict::NotYet { not_before: 1_000 })
        );
        assert_eq!(at(999_900, 1_000_000), Ok(()));
        assert_eq!(at(1_999_999, 2_000_500), Ok(()));
        assert_eq!(
            at(2_000_000, 2_000_500),
            Err(Verdict::Expired { expiry: 2_000 })
        );
    }
}
