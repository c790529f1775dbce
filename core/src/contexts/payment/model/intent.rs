//! The payment and its states.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CorrelationId, OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;

use crate::contexts::payment::gateway::{Decline, Intent, IntentSeen, IntentStatus};
use eventify_contracts::payment::FailureReason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) amount: Money,
    pub(crate) state: State,
    /// The request that began it.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The provider is being asked for an intent.
    Creating,
    /// The customer is to pay; 3-D Secure is a part of that.
    AwaitingCustomer(Intent),
    /// Authorised; the provider is being asked for the money.
    Capturing(Intent),
    /// The money is ours, as far as it hasn't gone back.
    Captured {
        intent: Intent,
        captured: Money,
        refunded: Money,
    },
    /// There will be no money.
    Ended {
        /// None when the provider never answered, or refused to make one.
        intent: Option<Intent>,
        end: End,
        /// It is still to be closed at the provider.
        closing: bool,
    },
}

/// Why there will be no money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Declined, or given up by the provider.
    Failed(FailureReason),
    /// The order ended first.
    OrderEnded,
}

/// What is to be asked of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Todo {
    Create,
    Capture,
    Cancel,
}

/// What the others are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Captured(Money),
    Failed(FailureReason),
}

impl Todo {
    /// As in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
        }
    }
}

impl State {
    /// As on the wire and in the store.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Creating | Self::Capturing(_) => "processing",
            Self::AwaitingCustomer(_) => "requires_action",
            Self::Captured { refunded, .. } if refunded.minor() == 0 => "captured",
            Self::Captured {
                captured, refunded, ..
            } if refunded.minor() < captured.minor() => "partially_refunded",
            Self::Captured { .. } => "refunded",
            Self::Ended {
                end: End::Failed(_),
                ..
            } => "failed",
            Self::Ended {
                end: End::OrderEnded,
                ..
            } => "cancelled",
        }
    }

    pub(crate) fn intent(&self) -> Option<&Intent> {
        match self {
            Self::Creating => None,
            Self::AwaitingCustomer(intent)
            | Self::Capturing(intent)
            | Self::Captured { intent, .. } => Some(intent),
            Self::Ended { intent, .. } => intent.as_ref(),
        }
    }

    pub(crate) fn todo(&self) -> Option<Todo> {
        match self {
            // What is to be closed has to be known first: the same request tells it again.
            Self::Creating
            | Self::Ended {
                intent: None,
                closing: true,
                ..
            } => Some(Todo::Create),
            Self::Capturing(_) => Some(Todo::Capture),
            Self::Ended { closing: true, .. } => Some(Todo::Cancel),
            Self::AwaitingCustomer(_) | Self::Captured { .. } | Self::Ended { .. } => None,
        }
    }

    /// The state after the provider's word, and the news in it.
    fn after(self, seen: &IntentSeen, amount: Money) -> Option<(Self, Option<News>)> {
        let failed = |intent, reason, closing| {
            let (intent, end) = (Some(intent), End::Failed(reason));
            Some((
                Self::Ended {
                    intent,
                    end,
                    closing,
                },
                Some(News::Failed(reason)),
            ))
        };
        match (seen.status, self) {
            (_, Self::Creating | Self::Captured { .. }) | (IntentStatus::Processing, _) => None,
            (IntentStatus::Succeeded, state) => {
                let captured = seen.received.unwrap_or(amount);
                let refunded = Money::zero(captured.currency());
                let intent = state.intent().unwrap_or(&seen.intent).clone();
                let state = Self::Captured {
                    intent,
                    captured,
                    refunded,
                };
                Some((state, Some(News::Captured(captured))))
            }
            (IntentStatus::Authorised, Self::AwaitingCustomer(intent)) => {
                Some((Self::Capturing(intent), None))
            }
            (IntentStatus::Authorised, Self::Capturing(_)) => None,
            (
                IntentStatus::AwaitingCustomer,
                Self::AwaitingCustomer(intent) | Self::Capturing(intent),
            ) => failed(intent, seen.declined?.into(), true),
            (IntentStatus::Canceled, Self::AwaitingCustomer(intent) | Self::Capturing(intent)) => {
                failed(intent, FailureReason::Timeout, false)
            }
            // What has ended here is to be closed there: an authorisation opens the question
            // again, and only the provider's own word closes it.
            (
                status,
                Self::Ended {
                    intent,
                    end,
                    closing,
                },
            ) => {
                let still = match status {
                    IntentStatus::Authorised => true,
                    IntentStatus::Canceled => false,
                    IntentStatus::AwaitingCustomer
                    | IntentStatus::Processing
                    | IntentStatus::Succeeded => closing,
                };
                (still != closing).then_some((
                    Self::Ended {
                        intent,
                        end,
                        closing: still,
                    },
                    None,
                ))
            }
        }
    }
}

impl From<Decline> for FailureReason {
    fn from(decline: Decline) -> Self {
        match decline {
            Decline::InsufficientFunds => Self::InsufficientFunds,
            Decline::Declined => Self::Declined,
        }
    }
}

impl Payment {
    pub(crate) fn new(
        id: PaymentId,
        (order_id, customer_id): (OrderId, UserId),
        amount: Money,
        correlation: CorrelationId,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            order_id,
            customer_id,
            amount,
            state: State::Creating,
            correlation,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// The provider has made the intent. A second answer changes nothing.
    pub(crate) fn created(mut self, intent: Intent, now: DateTime<Utc>) -> Self {
        self.state = match self.state {
            State::Creating => State::AwaitingCustomer(intent),
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
            | State::Ended { .. }) => known,
        };
        self.touched(now)
    }

    /// The provider will never make the intent: the amount is too small, the account is closed.
    pub(crate) fn not_created(mut self, now: DateTime<Utc>) -> Option<(Self, Option<News>)> {
        let (end, news) = match self.state {
            State::Creating => {
                let reason = FailureReason::Declined;
                (End::Failed(reason), Some(News::Failed(reason)))
            }
            State::Ended {
                intent: None,
                end,
                closing: true,
            } => (end, None),
            State::AwaitingCustomer(_)
            | State::Capturing(_)
            | State::Captured { .. }
            | State::Ended { .. } => return None,
        };
        self.state = State::Ended {
            intent: None,
            end,
            closing: false,
        };
        Some((self.touched(now), news))
    }

    /// The order ended unpaid. Money that is ours already stays until order asks for its refund.
    /// `None` when nothing changes.
    pub(crate) fn order_ended(mut self, now: DateTime<Utc>) -> Option<Self> {
        let intent = match self.state {
            State::Creating => None,
            State::AwaitingCustomer(intent) | State::Capturing(intent) => Some(intent),
            State::Captured { .. } | State::Ended { .. } => return None,
        };
        self.state = State::Ended {
            intent,
            end: End::OrderEnded,
            closing: true,
        };
        Some(self.touched(now))
    }

    /// What the provider says about the intent. `None` when that changes nothing.
    ///
    /// Captured money is a fact in every state: a cancelled order's payment says so too, and order
    /// asks for it back. A decline ends the payment, and the intent is closed, so that no second
    /// card can pay for seats that are free again.
    pub(crate) fn observed(
        self,
        seen: &IntentSeen,
        now: DateTime<Utc>,
    ) -> Option<(Self, Option<News>)> {
        if self.state.intent().is_none() {
            // A webhook has overtaken the answer to the call that made the intent.
            let known = self.created(seen.intent.clone(), now);
            return Some(known.clone().observed(seen, now).unwrap_or((known, None)));
        }
        let (state, news) = self.state.clone().after(seen, self.amount)?;
        Some((
            Self {
                state,
                ..self.touched(now)
            },
            news,
        ))
    }

    pub(super) fn touched(mut self, now: DateTime<Utc>) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}
