//! Open items: what differs, stands or was refused, and what may be done about it.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;
use uuid::Uuid;

use super::{Refund, RefundState};

/// The reason of a delayed refund that the provider doesn't know any more.
pub(crate) const DELAY_MISSING: &str = "object_missing";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenItem {
    pub(crate) id: Uuid,
    pub(crate) kind: ItemKind,
    /// What it is about, one open item each.
    pub(crate) subject: String,
    pub(crate) payment_id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) refund_id: Option<RefundId>,
    pub(crate) amount: Money,
    /// A code.
    pub(crate) reason: String,
    pub(crate) since: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    /// Decided, and not carried out yet.
    pub(crate) revoking: Option<Revoking>,
    /// Why the last decision was not carried out, a code.
    pub(crate) refused: Option<String>,
    pub(crate) done: Option<Done>,
}

/// Tickets that somebody decided to revoke: the item stays open until they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revoking {
    /// Empty: all of the order, which had none when it was decided.
    pub(crate) tickets: Vec<TicketId>,
    pub(crate) by: UserId,
    pub(crate) since: DateTime<Utc>,
}

/// A ticket that was issued for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IssuedTicket {
    pub(crate) id: TicketId,
    pub(crate) revoked: bool,
}

impl Revoking {
    /// Whether all that are meant are revoked, of these tickets of the order.
    pub(crate) fn is_done(&self, of_order: &[IssuedTicket]) -> bool {
        let is_meant =
            |it: &&IssuedTicket| self.tickets.is_empty() || self.tickets.contains(&it.id);
        let meant: Vec<_> = of_order.iter().filter(is_meant).collect();
        let least = self.tickets.len().max(1);
        meant.len() >= least && meant.iter().all(|it| it.revoked)
    }
}

/// A decision that nobody has answered after this may be taken once more. Longer than tickets may be
/// late.
fn longest_revocation() -> TimeDelta {
    TimeDelta::minutes(15)
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// An [`Act`], or what ended it by itself.
    pub(crate) act: String,
    pub(crate) by: Option<UserId>,
    pub(crate) reference: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// The provider refuses to send money back, or the money is not there.
    RefundRefused,
    /// Money that had gone back came back.
    RefundReturned,
    /// The provider has the refund, and the money doesn't arrive.
    RefundDelayed,
    /// Money went back without us: what about the tickets?
    RefundedElsewhere,
    /// The provider holds other money than the order costs.
    AmountDiffers,
    /// The card's bank takes money back.
    Disputed,
    /// The provider refuses to create an intent.
    IntentRefused,
    /// The provider holds money for a payment of ours that is not here: a restored database has
    /// forgotten it.
    UnknownPayment,
    /// The card's bank takes back the money of such a payment.
    UnknownDispute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Once more at the provider.
    Retry,
    /// As it is.
    Accept,
    /// Paid back by another way, with a reference.
    PayOtherwise,
    /// The tickets lose their value.
    Revoke,
}

impl Act {
    /// As on the wire and in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Accept => "accept",
            Self::PayOtherwise => "pay-otherwise",
            Self::Revoke => "revoke",
        }
    }
}

impl ItemKind {
    pub(crate) const ALL: [Self; 9] = [
        Self::RefundRefused,
        Self::RefundReturned,
        Self::RefundDelayed,
        Self::RefundedElsewhere,
        Self::AmountDiffers,
        Self::Disputed,
        Self::IntentRefused,
        Self::UnknownPayment,
        Self::UnknownDispute,
    ];

    /// As on the wire and in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RefundRefused => "refund_refused",
            Self::RefundReturned => "refund_returned",
            Self::RefundDelayed => "refund_delayed",
            Self::RefundedElsewhere => "refunded_elsewhere",
            Self::AmountDiffers => "amount_differs",
            Self::Disputed => "disputed",
            Self::IntentRefused => "intent_refused",
            Self::UnknownPayment => "unknown_payment",
            Self::UnknownDispute => "unknown_dispute",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Of the alarm that stands as long as the item does.
    pub(crate) fn alarm(self) -> &'static str {
        match self {
            Self::RefundRefused => "payment.refund_refused",
            Self::RefundReturned => "payment.refund_returned",
            Self::RefundDelayed => "payment.refund_delayed",
            Self::RefundedElsewhere => "payment.refunded_elsewhere",
            Self::AmountDiffers => "payment.amount_differs",
            Self::Disputed => "payment.disputed",
            Self::IntentRefused => "payment.intent_refused",
            Self::UnknownPayment | Self::UnknownDispute => "payment.unknown_object",
        }
    }

    /// What to do, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::RefundRefused => {
                "a guest waits for money that the payment provider doesn't send: correct the cause \
                 there and retry, or pay it back otherwise and give the reference, or accept that \
                 nothing goes back and the tickets stay good"
            }
            Self::RefundReturned => {
                "a guest's bank sent a refund back; the tickets are revoked and the guest waits for \
                 the money: retry, or pay it back otherwise and give the reference"
            }
            Self::RefundDelayed => {
                "a refund is at the payment provider and doesn't arrive, and its tickets admit nobody: \
                 look at it there. If the guest has to name an account, remind them; if the balance is \
                 too low, fill it up; what is cancelled there can be retried or paid otherwise here. \
                 Accept to wait for three more days; where the provider doesn't know the refund any \
                 more, find it in the account that made it, or pay otherwise and give the reference"
            }
            Self::RefundedElsewhere => {
                "money went back at the payment provider without this system, and the tickets are \
                 still good: revoke those that it was for, or accept it as goodwill"
            }
            Self::AmountDiffers => {
                "the payment provider holds another amount than the order costs, so the order is not \
                 paid: retry after a correction there, accept the amount as the order's payment, or \
                 pay it back otherwise; when the order ends, it goes back by itself"
            }
            Self::Disputed => {
                "the card's bank takes the money back: answer the dispute at the payment provider; \
                 revoke the tickets if it is fraud, or accept that they stay good"
            }
            Self::IntentRefused => {
                "the payment provider refuses to take the order's payment: correct the cause (its \
                 least amount, the currency, the account) and retry; when the order ends, this does too"
            }
            Self::UnknownPayment => {
                "the payment provider holds money for an order that is not here, as after a backup was \
                 restored: look there who paid (the subject is its id there). Cancel or refund it there, \
                 and this ends by itself; or pay it back otherwise and give the reference; or accept \
                 that it stays, if the guest has got tickets for it. Retry looks at it again"
            }
            Self::UnknownDispute => {
                "the card's bank takes back the money of an order that is not here, as after a backup \
                 was restored: answer the dispute at the payment provider and pay nothing back beside \
                 it. It ends when it is won; accept it when nothing more can be done"
            }
        }
    }
}

impl OpenItem {
    /// What may be done now.
    pub(crate) fn acts(&self, refund: Option<&Refund>, now: DateTime<Utc>) -> &'static [Act] {
        let revoking = self.revoking.as_ref();
        match self.kind {
            _ if revoking.is_some_and(|it| now < it.since + longest_revocation()) => &[],
            // Order may still act on the decision: accepting now would send the money once more.
            ItemKind::RefundedElsewhere if revoking.is_some() => &[Act::Revoke],
            // An attempt is on its way: its end is awaited first.
            ItemKind::RefundRefused | ItemKind::RefundReturned
                if refund.is_some_and(|it| it.state == RefundState::Pending) =>
            {
                &[]
            }
            ItemKind::RefundRefused if refund.is_some_and(Refund::may_be_given_up) => {
                &[Act::Retry, Act::PayOtherwise, Act::Accept]
            }
            ItemKind::RefundRefused | ItemKind::RefundReturned => &[Act::Retry, Act::PayOtherwise],
            // Only the provider ends what it has: whoever paid beside it would pay twice.
            ItemKind::RefundDelayed if self.reason == DELAY_MISSING => {
                &[Act::Accept, Act::PayOtherwise]
            }
            ItemKind::RefundDelayed => &[Act::Accept],
            ItemKind::RefundedElsewhere | ItemKind::Disputed => &[Act::Revoke, Act::Accept],
            ItemKind::AmountDiffers => &[Act::Retry, Act::Accept, Act::PayOtherwise],
            ItemKind::IntentRefused => &[Act::Retry],
            ItemKind::UnknownPayment => &[Act::Retry, Act::Accept, Act::PayOtherwise],
            ItemKind::UnknownDispute => &[Act::Retry, Act::Accept],
        }
    }
}
