//! Facts about the money of a payment, and their sums.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{PaymentId, RefundId};
use eventify_protocol::money::{Currency, Money};

use super::{Payment, State};

/// Something that happened to the money of a payment. It is written once and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) payment_id: PaymentId,
    pub(crate) kind: FactKind,
    pub(crate) amount: Money,
    /// The provider's id of what moved the money; by hand: the reference of who did it.
    pub(crate) reference: String,
    /// Ours, if it was ours.
    pub(crate) refund_id: Option<RefundId>,
    pub(crate) learnt_by: LearntBy,
    /// When it happened, as far as the provider says.
    pub(crate) happened_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FactKind {
    Captured,
    /// The provider sent it back at our request.
    Refunded,
    /// Somebody had the provider send it back without us.
    RefundedElsewhere,
    /// Money that had gone back came back to us: the guest waits for it.
    Returned,
    /// Staff paid it back by another way.
    PaidByHand,
    /// The card's bank took it back, until it decides.
    Disputed,
    DisputeWon,
    /// It is gone.
    DisputeLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LearntBy {
    Call,
    Webhook,
    Comparison,
    Staff,
    Migration,
}

/// A payment's money, as its facts add up. In the currency of what was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) captured: Money,
    /// At our request or by hand, less what came back.
    pub(crate) refunded: Money,
    /// Without us.
    pub(crate) refunded_elsewhere: Money,
    /// At the bank, or gone to it.
    pub(crate) disputed: Money,
    /// Money went, or is disputed, in another currency: the other sums don't show it.
    pub(crate) other_currency: bool,
}

impl FactKind {
    const ALL: [Self; 8] = [
        Self::Captured,
        Self::Refunded,
        Self::RefundedElsewhere,
        Self::Returned,
        Self::PaidByHand,
        Self::Disputed,
        Self::DisputeWon,
        Self::DisputeLost,
    ];

    /// As on the wire and in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Refunded => "refunded",
            Self::RefundedElsewhere => "refunded_elsewhere",
            Self::Returned => "returned",
            Self::PaidByHand => "paid_by_hand",
            Self::Disputed => "disputed",
            Self::DisputeWon => "dispute_won",
            Self::DisputeLost => "dispute_lost",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl LearntBy {
    const ALL: [Self; 5] = [
        Self::Call,
        Self::Webhook,
        Self::Comparison,
        Self::Staff,
        Self::Migration,
    ];

    /// As on the wire and in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Webhook => "webhook",
            Self::Comparison => "comparison",
            Self::Staff => "staff",
            Self::Migration => "migration",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

impl Sums {
    /// Of a payment's facts. Those in another currency than the captured money's don't add up with
    /// it, so nothing is sent back while one is open: people decide.
    pub(crate) fn of(facts: &[Fact], otherwise: Currency) -> Self {
        let captured = facts.iter().rfind(|it| it.kind == FactKind::Captured);
        let currency = captured.map_or(otherwise, |it| it.amount.currency());
        let sum = |kinds: &[FactKind]| -> i64 {
            facts
                .iter()
                .filter(|it| kinds.contains(&it.kind) && it.amount.currency() == currency)
                .map(|it| it.amount.minor())
                .sum()
        };
        let elsewhere: Vec<_> = facts
            .iter()
            .filter(|it| it.kind == FactKind::RefundedElsewhere)
            .map(|it| it.reference.as_str())
            .collect();
        // What came back belongs to what had gone.
        let returned = |foreign: bool| -> i64 {
            facts
                .iter()
                .filter(|it| it.kind == FactKind::Returned && it.amount.currency() == currency)
                .filter(|it| elsewhere.contains(&it.reference.as_str()) == foreign)
                .map(|it| it.amount.minor())
                .sum()
        };
        let ours = sum(&[FactKind::Refunded, FactKind::PaidByHand]) - returned(false);
        let theirs = sum(&[FactKind::RefundedElsewhere]) - returned(true);
        let disputed = sum(&[FactKind::Disputed]) - sum(&[FactKind::DisputeWon]);
        let is_over = |it: &Fact| {
            let mut of_object = facts.iter().filter(|other| other.reference == it.reference);
            of_object.any(|it| matches!(it.kind, FactKind::DisputeWon | FactKind::Returned))
        };
        let takes =
            |it: &&Fact| matches!(it.kind, FactKind::Disputed | FactKind::RefundedElsewhere);
        let other_currency = facts
            .iter()
            .filter(takes)
            .any(|it| it.amount.currency() != currency && !is_over(it));
        let money =
            |minor: i64| Money::from_minor(currency, minor.max(0)).unwrap_or(Money::zero(currency));
        Self {
            // One intent is captured once; the last word counts.
            captured: captured.map_or(Money::zero(currency), |it| it.amount),
            refunded: money(ours),
            refunded_elsewhere: money(theirs),
            disputed: money(disputed),
            other_currency,
        }
    }

    /// All that went back, whoever sent it.
    pub(crate) fn gone_back(&self) -> Money {
        let both = self.refunded.plus(self.refunded_elsewhere);
        both.unwrap_or(self.refunded)
    }
}

/// Whether so much went back by what is known: booked, or on its way. What is in another currency
/// explains nothing of it.
pub(crate) fn is_explained(refunded: Money, facts: &[Fact], on_its_way: &[Money]) -> bool {
    let booked = facts.iter().map(|fact| match fact.kind {
        FactKind::Refunded | FactKind::RefundedElsewhere => (fact.amount, 1),
        FactKind::Returned => (fact.amount, -1),
        FactKind::Captured
        | FactKind::PaidByHand
        | FactKind::Disputed
        | FactKind::DisputeWon
        | FactKind::DisputeLost => (fact.amount, 0),
    });
    let all = booked.chain(on_its_way.iter().map(|amount| (*amount, 1)));
    let same = all.filter(|(amount, _)| amount.currency() == refunded.currency());
    same.map(|(amount, sign)| sign * amount.minor())
        .sum::<i64>()
        >= refunded.minor()
}

impl Payment {
    /// With what its facts add up to. `None` when it shows that already.
    pub(crate) fn with_sums(mut self, sums: &Sums, now: DateTime<Utc>) -> Option<Self> {
        match &mut self.state {
            State::Captured { refunded, .. } | State::Differs { refunded, .. } => {
                let gone = sums.gone_back();
                if *refunded == gone {
                    return None;
                }
                *refunded = gone;
            }
            State::Creating { .. }
            | State::AwaitingCustomer(_)
            | State::Capturing(_)
            | State::Ended { .. } => return None,
        }
        Some(self.touched(now))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn fact(kind: FactKind, reference: &str, euros: i64) -> Fact {
        Fact {
            payment_id: PaymentId(Uuid::nil()),
            kind,
            amount: Money::from_minor(Currency::Eur, euros * 100).unwrap(),
            reference: reference.to_owned(),
            refund_id: None,
            learnt_by: LearntBy::Webhook,
            happened_at: DateTime::UNIX_EPOCH,
        }
    }

    fn sums(facts: &[Fact]) -> [i64; 4] {
        let sums = Sums::of(facts, Currency::Eur);
        [
            sums.captured,
            sums.refunded,
            sums.refunded_elsewhere,
            sums.disputed,
        ]
        .map(|it| it.minor() / 100)
    }

    /// C20: the same card, disputed in the currency of its bank.
    #[test]
    fn a_dispute_in_another_currency_holds_the_refund() {
        use FactKind::*;
        let in_dollars = |kind, reference| Fact {
            amount: Money::from_minor(Currency::Usd, 4200).unwrap(),
            ..fact(kind, reference, 0)
        };
        let other = |facts: &[Fact]| Sums::of(facts, Currency::Eur).other_currency;
        for (takes, gives) in [(Disputed, DisputeWon), (RefundedElsewhere, Returned)] {
            let mut facts = vec![fact(Captured, "pi", 39), fact(takes, "at_home", 1)];
            assert!(!other(&facts));
            facts.push(in_dollars(takes, "abroad"));
            assert!(other(&facts), "{takes:?}");
            facts.push(in_dollars(gives, "abroad"));
            assert!(!other(&facts), "{gives:?}");
        }
    }

    /// C06: money that went back in euros is not explained by dollars that did.
    #[test]
    fn what_went_back_in_another_currency_explains_nothing() {
        use FactKind::*;
        let euros = |euros: i64| Money::from_minor(Currency::Eur, euros * 100).unwrap();
        let dollars = Money::from_minor(Currency::Usd, 9900).unwrap();
        let in_dollars = Fact {
            amount: dollars,
            ..fact(RefundedElsewhere, "re_0", 0)
        };
        let mut facts = vec![fact(Captured, "pi", 50), in_dollars];
        assert!(!is_explained(euros(10), &facts, &[dollars]));
        assert!(is_explained(euros(10), &facts, &[euros(10)]));
        facts.push(fact(Refunded, "re_1", 10));
        assert!(is_explained(euros(10), &facts, &[]));
        assert!(!is_explained(euros(11), &facts, &[]));
        facts.push(fact(Returned, "re_1", 10));
        assert!(!is_explained(euros(10), &facts, &[]), "it came back");
    }

    #[test]
    fn what_came_back_is_no_longer_refunded() {
        use FactKind::*;
        let mut facts = vec![fact(Captured, "pi", 50), fact(Refunded, "re_1", 20)];
        facts.push(fact(RefundedElsewhere, "re_2", 10));
        assert_eq!(sums(&facts), [50, 20, 10, 0]);
        facts.push(fact(Returned, "re_1", 20));
        assert_eq!(sums(&facts), [50, 0, 10, 0]);
        facts.push(fact(Returned, "re_2", 10));
        facts.push(fact(PaidByHand, "transfer 7", 20));
        assert_eq!(sums(&facts), [50, 20, 0, 0]);
        facts.push(fact(Disputed, "dp_1", 30));
        assert_eq!(sums(&facts), [50, 20, 0, 30]);
        facts.push(fact(DisputeLost, "dp_1", 30));
        assert_eq!(sums(&facts), [50, 20, 0, 30], "lost is gone");
        facts.push(fact(Disputed, "dp_2", 5));
        facts.push(fact(DisputeWon, "dp_2", 5));
        assert_eq!(sums(&facts), [50, 20, 0, 30], "won is ours again");
    }
}
