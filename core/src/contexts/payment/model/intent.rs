//! The payment and its transitions.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::FailureReason;
use eventify_protocol::ids::{CorrelationId, OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;

use super::state::{Announcement, End, ProviderRequest, State};
use crate::contexts::payment::gateway::{Intent, IntentUpdate};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: UserId,
    /// The box office that sold the order, and may pay it.
    pub(crate) seller_id: Option<UserId>,
    /// What the order costs: exactly that pays for it.
    pub(crate) amount: Money,
    pub(crate) state: State,
    /// Why the last card was declined; another one may be tried.
    pub(crate) last_decline: Option<FailureReason>,
    /// From 1; each request after a refusal, or an internal error of the provider, is a new one.
    pub(crate) attempt: i32,
    /// Of the request that started the reservation.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

type Changed = (Payment, Option<Announcement>);

impl Payment {
    pub(crate) fn new(
        id: PaymentId,
        (order_id, customer_id, seller_id): (OrderId, UserId, Option<UserId>),
        amount: Money,
        correlation: CorrelationId,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            order_id,
            customer_id,
            seller_id,
            amount,
            state: State::CREATING,
            last_decline: None,
            attempt: 1,
            correlation,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// The provider has created the intent. A second answer changes nothing.
    pub(crate) fn created(mut self, intent: Intent, now: DateTime<Utc>) -> Self {
        self.state = match self.state {
            State::Creating { .. } => State::AwaitingCustomer(intent),
            State::Ended {
                intent: None,
                end,
                closing,
            } => State::Ended {
                intent: Some(intent),
                end,
                closing,
            },
            known @ (State::AwaitingCustomer(_)
            | State::Capturing(_)
            | State::Captured { .. }
            | State::Differs { .. }
            | State::Ended { .. }) => known,
        };
        self.touched(now)
    }

    /// The provider refuses to create the intent: the amount is too small, the currency not
    /// enabled. Nobody's card was asked, so nothing is declined: people must look at it.
    pub(crate) fn not_created(mut self, code: &str, now: DateTime<Utc>) -> Option<Self> {
        self.state = match self.state {
            State::Creating { parked: None } => State::Creating {
                parked: Some(code.to_owned()),
            },
            State::Ended {
                intent: None,
                end,
                closing: true,
            } => State::Ended {
                intent: None,
                end,
                closing: false,
            },
            State::Creating { .. }
            | State::AwaitingCustomer(_)
            | State::Capturing(_)
            | State::Captured { .. }
            | State::Differs { .. }
            | State::Ended { .. } => return None,
        };
        Some(self.touched(now))
    }

    /// A refused intent is requested once more. `None` when it is not refused.
    pub(crate) fn create_again(mut self, now: DateTime<Utc>) -> Option<Self> {
        self.state.parked()?;
        self.state = State::CREATING;
        self.attempt += 1;
        Some(self.touched(now))
    }

    /// The provider has failed inside and would say so again: the intent is requested under another key.
    /// `None` when none is.
    pub(crate) fn with_fresh_key(mut self, now: DateTime<Utc>) -> Option<Self> {
        let creates = self.state.next_request() == Some(ProviderRequest::Create);
        creates.then(|| {
            self.attempt += 1;
            self.touched(now)
        })
    }

    /// The order ended unpaid. Money that came all the same is announced: order has it refunded.
    /// `None` when nothing changes.
    pub(crate) fn order_ended(mut self, now: DateTime<Utc>) -> Option<Changed> {
        let (intent, closing) = match self.state {
            State::Creating { parked } => (None, parked.is_none()),
            State::AwaitingCustomer(intent) | State::Capturing(intent) => (Some(intent), true),
            // Nothing that we could send back: should there be any, the next update says so.
            State::Differs {
                intent, captured, ..
            } if captured.minor() == 0 => (Some(intent), false),
            State::Differs {
                intent,
                captured,
                refunded,
            } => {
                let left = captured.minor() - refunded.minor();
                let left = Money::from_minor(captured.currency(), left).ok();
                let left = left.filter(|it| it.minor() > 0);
                self.state = State::Captured {
                    intent,
                    captured,
                    refunded,
                };
                // What somebody has sent back at the provider doesn't go once more.
                let announcement = left.map(Announcement::Captured);
                return Some((self.touched(now), announcement));
            }
            State::Captured { .. } | State::Ended { .. } => return None,
        };
        self.state = State::Ended {
            intent,
            end: End::OrderEnded,
            closing,
        };
        Some((self.touched(now), None))
    }

    /// Staff accept another amount than the order's as its payment. `None` where there is no such
    /// money, or none in the order's currency.
    pub(crate) fn accept_amount(mut self, now: DateTime<Utc>) -> Option<Changed> {
        let State::Differs {
            intent,
            captured,
            refunded,
        } = self.state
        else {
            return None;
        };
        let same = captured.currency() == self.amount.currency();
        if !same || captured.minor() <= refunded.minor() {
            return None;
        }
        self.state = State::Captured {
            intent,
            captured,
            refunded,
        };
        Some((self.touched(now), Some(Announcement::Captured(captured))))
    }

    /// Applies the provider's data of the intent. `None` when they change nothing.
    ///
    /// A capture counts in every state: also the payment of a cancelled order publishes it, and
    /// order requests the refund. A decline leaves the intent to the next card; what ends an order
    /// is its deadline, and then the intent is cancelled first, so that no card can pay for seats
    /// that are available again.
    pub(crate) fn apply(self, update: &IntentUpdate, now: DateTime<Utc>) -> Option<Changed> {
        if self.state.intent().is_none() {
            // A webhook arrived before the answer to the call that created the intent.
            let known = self.created(update.intent.clone(), now);
            return Some(known.clone().apply(update, now).unwrap_or((known, None)));
        }
        let next = self.state.clone().after(update, self.amount)?;
        if next.state == self.state && next.declined == self.last_decline {
            return None;
        }
        let changed = Self {
            state: next.state,
            last_decline: next.declined,
            ..self.touched(now)
        };
        Some((changed, next.announcement))
    }

    pub(crate) fn touched(mut self, now: DateTime<Utc>) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}
