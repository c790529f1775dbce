//! Where and when a ticket admits. Core and edge use the same rules.

use eventify_protocol::{
    ids::{GateId, PerformanceId},
    sync::{GateEntry, PerformanceEntry, PerformanceState, TicketEntry},
    time::CoreInterval,
    token::{CategoryCode, TokenHash},
    verdict::Verdict,
};

use crate::token::SignedTicket;

/// What a ticket entitles its holder to, in every state of the ticket. When it does is its
/// performance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Of the only token that admits.
    pub token: TokenHash,
    pub performance: PerformanceId,
    /// Category or zone.
    pub category: CategoryCode,
}

impl From<&TicketEntry> for Entitlement {
    fn from(entry: &TicketEntry) -> Self {
        Self {
            token: entry.token,
            performance: entry.performance,
            category: entry.category,
        }
    }
}

impl Entitlement {
    /// Whether this token admits at this gate now, apart from earlier entries. `gate` is none if the
    /// gate is unknown or not the caller's. `performance` is the ticket's, as the venue admits to it;
    /// what a caller answers that has none is its own rule (`ADMISSION` 3.11).
    ///
    /// # Errors
    /// The verdict that refuses.
    pub fn admits(
        &self,
        signed: &SignedTicket,
        at: GateId,
        gate: Option<&GateEntry>,
        performance: &PerformanceEntry,
        when: &CoreInterval,
    ) -> Result<(), Verdict> {
        if self.token != signed.hash || performance.state == PerformanceState::Cancelled {
            return Err(Verdict::Revoked);
        }
        if !gate.is_some_and(|gate| self.passes(gate)) {
            return Err(self.elsewhere(at));
        }
        let window = performance.admits;
        is_within(window.from, window.until, when)?;
        // The outer bounds of the token. They are weeks wide: a show that moves leaves them behind
        // only where its organiser was warned that new codes are needed.
        is_within(signed.claims.not_before, signed.claims.expiry, when)
    }

    /// A good ticket, but not for this gate and what is played behind it.
    #[must_use]
    pub fn elsewhere(&self, gate: GateId) -> Verdict {
        Verdict::NotValidHere {
            gate,
            performance: self.performance,
        }
    }

    /// Whether the gate is one for its performance and category.
    pub(crate) fn passes(&self, gate: &GateEntry) -> bool {
        (gate.performances.is_empty() || gate.performances.contains(&self.performance))
            && (gate.categories.is_empty() || gate.categories.contains(&self.category))
    }
}

/// The present moment is only known to be within `when`. The begin is compared with its late end and
/// the end with its early end, so that no guest is refused because the node does not know better. The
/// tolerance is the width of the interval: the way of the core's quickest newer answer.
pub(crate) fn is_within(from: i64, until: i64, when: &CoreInterval) -> Result<(), Verdict> {
    if when.latest.unix_seconds() < from {
        return Err(Verdict::NotYet { not_before: from });
    }
    if when.earliest.unix_seconds() >= until {
        return Err(Verdict::Expired { expiry: until });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use eventify_protocol::{ids::TicketId, sync::AdmissionWindow, time::CoreTime, token::Claims};
    use uuid::Uuid;

    use super::*;

    const HERE: GateId = GateId(Uuid::from_u128(1));
    const TOKEN: [u8; 32] = [1; 32];

    fn ticket() -> Entitlement {
        Entitlement {
            token: TOKEN.into(),
            performance: PerformanceId(Uuid::from_u128(2)),
            category: "STALLS".parse().unwrap(),
        }
    }

    /// Weeks before and after the show.
    fn signed(token: [u8; 32]) -> SignedTicket {
        SignedTicket {
            hash: token.into(),
            claims: Claims {
                ticket: TicketId(Uuid::from_u128(3)),
                performance: ticket().performance,
                category: ticket().category,
                not_before: 100,
                expiry: 9_000,
                revision: 1,
            },
        }
    }

    fn show(from: i64, until: i64) -> PerformanceEntry {
        PerformanceEntry {
            title: "Hamlet".to_owned(),
            doors_at: from,
            starts_at: from,
            ends_at: None,
            admits: AdmissionWindow { from, until },
            state: PerformanceState::Scheduled,
            categories: None,
            reentry: None,
            restarts_at: None,
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
        ticket().admits(&signed(token), HERE, gate, &show(1_000, 2_000), when)
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

    /// C08: the show moves, the code in the guest's hand stays good.
    #[test]
    fn the_performances_window_decides_and_follows_it_when_it_moves() {
        let open = gate(&[], &[]);
        let at = |second: i64, show: &PerformanceEntry| {
            let now = between(second * 1_000, second * 1_000);
            ticket().admits(&signed(TOKEN), HERE, Some(&open), show, &now)
        };
        assert_eq!(
            at(2_500, &show(1_000, 2_000)),
            Err(Verdict::Expired { expiry: 2_000 })
        );
        assert_eq!(at(2_500, &show(2_400, 3_400)), Ok(()), "moved to tomorrow");
        assert_eq!(
            at(1_500, &show(2_400, 3_400)),
            Err(Verdict::NotYet { not_before: 2_400 })
        );
    }

    #[test]
    fn the_tokens_own_times_are_outer_bounds() {
        let open = gate(&[], &[]);
        let at = |second: i64| {
            let now = between(second * 1_000, second * 1_000);
            ticket().admits(&signed(TOKEN), HERE, Some(&open), &show(0, 20_000), &now)
        };
        assert_eq!(at(99), Err(Verdict::NotYet { not_before: 100 }));
        assert_eq!(at(100), Ok(()));
        assert_eq!(at(9_000), Err(Verdict::Expired { expiry: 9_000 }));
    }

    #[test]
    fn a_cancelled_performance_admits_nobody() {
        let cancelled = PerformanceEntry {
            state: PerformanceState::Cancelled,
            ..show(1_000, 2_000)
        };
        let now = between(1_500_000, 1_500_000);
        assert_eq!(
            ticket().admits(
                &signed(TOKEN),
                HERE,
                Some(&gate(&[], &[])),
                &cancelled,
                &now
            ),
            Err(Verdict::Revoked)
        );
    }
}
