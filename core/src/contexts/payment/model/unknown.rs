//! Objects at the provider that are ours and not here: what of them is money.

use eventify_protocol::money::{Currency, Money};

use crate::contexts::payment::gateway::{
    DisputeStatus, DisputeUpdate, IntentStatus, IntentUpdate, RefundStatus, RefundUpdate,
};

/// What the provider holds of an intent for us, and a code that says how. `None` when that is nothing.
pub(crate) fn held(
    intent: &IntentUpdate,
    refunds: &[RefundUpdate],
) -> Option<(Money, &'static str)> {
    match intent.status {
        IntentStatus::Authorised => Some((known(intent.amount), "authorised")),
        IntentStatus::Succeeded => {
            let captured = known(intent.captured.or(intent.amount));
            let went = refunds
                .iter()
                .filter(|it| !matches!(it.status, RefundStatus::Failed(_)))
                .filter_map(|it| it.amount)
                .filter(|it| it.currency() == captured.currency());
            let left = captured.minor() - went.map(Money::minor).sum::<i64>();
            if left <= 0 && captured.minor() > 0 {
                return None;
            }
            Some((
                Money::from_minor(captured.currency(), left).unwrap_or(captured),
                "captured",
            ))
        }
        IntentStatus::AwaitingCustomer | IntentStatus::Processing | IntentStatus::Canceled => None,
    }
}

/// What a bank takes back, and a code. `None` when it has given up.
pub(crate) fn taken(dispute: &DisputeUpdate) -> Option<(Money, &'static str)> {
    let amount = known(dispute.amount);
    match dispute.status {
        DisputeStatus::Open => Some((amount, "disputed")),
        DisputeStatus::Lost => Some((amount, "dispute_lost")),
        DisputeStatus::Won => None,
    }
}

/// In a currency that nothing is sold in, nobody can say here how much it is, and it is money all the
/// same.
fn known(amount: Option<Money>) -> Money {
    amount.unwrap_or(Money::zero(Currency::Eur))
}

#[cfg(test)]
mod tests {
    use eventify_protocol::ids::RefundId;
    use uuid::Uuid;

    use super::super::tests::{euro, refund_update, update};
    use super::*;

    fn of(status: IntentStatus) -> IntentUpdate {
        IntentUpdate {
            amount: Some(euro(3900)),
            ..update(status)
        }
    }

    #[test]
    fn what_is_left_at_the_provider_is_money_of_somebody() {
        use IntentStatus::*;
        for status in [AwaitingCustomer, Processing, Canceled] {
            assert_eq!(held(&of(status), &[]), None, "{status:?}");
        }
        assert_eq!(held(&of(Authorised), &[]), Some((euro(3900), "authorised")));
        let mut refunds = Vec::new();
        let captured = |refunds: &[RefundUpdate]| held(&of(Succeeded), refunds);
        assert_eq!(captured(&refunds), Some((euro(3900), "captured")));
        for (minor, status, left) in [
            (1000, RefundStatus::Succeeded, Some(2900)),
            (
                2900,
                RefundStatus::Failed("declined".to_owned()),
                Some(2900),
            ),
            (2900, RefundStatus::Pending, None),
        ] {
            refunds.push(RefundUpdate {
                amount: Some(euro(minor)),
                refund_id: Some(RefundId(Uuid::nil())),
                ..refund_update("re_1", 1, status)
            });
            let left = left.map(|left| (euro(left), "captured"));
            assert_eq!(captured(&refunds), left, "{refunds:?}");
        }
        let strange = IntentUpdate {
            amount: None,
            captured: None,
            ..of(Succeeded)
        };
        assert_eq!(held(&strange, &[]), Some((euro(0), "captured")));
    }
}
