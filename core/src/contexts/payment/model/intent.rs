//! The payment and its states.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::FailureReason;
use eventify_protocol::ids::{CorrelationId, OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;

use crate::contexts::payment::gateway::{Decline, Intent, IntentStatus, IntentUpdate};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: UserId,
    pub(crate) amount: Money,
    pub(crate) state: State,
    /// Of the request that started the reservation.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The intent is requested from the provider.
    Creating,
    /// The customer has to pay; 3-D Secure is a part of that.
    AwaitingCustomer(Intent),
    /// Authorised; the capture is requested from the provider.
    Capturing(Intent),
    Captured {
        intent: Intent,
        captured: Money,
        refunded: Money,
    },
    /// Nothing will be captured.
    Ended {
        /// None when the provider never answered, or refused to create one.
        intent: Option<Intent>,
        end: End,
        /// The intent still has to be cancelled at the provider.
        closing: bool,
    },
}

/// Why nothing will be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Declined, or cancelled by the provider.
    Failed(FailureReason),
    OrderEnded,
}

/// The next request to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderRequest {
    Create,
    Capture,
    Cancel,
}

/// A result that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcement {
    Captured(Money),
    Failed(FailureReason),
}

impl ProviderRequest {
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

    /// Captured and refunded.
    pub(crate) fn amounts(&self) -> Option<(Money, Money)> {
        match self {
            Self::Captured {
                captured, refunded, ..
            } => Some((*captured, *refunded)),
            Self::Creating
            | Self::AwaitingCustomer(_)
            | Self::Capturing(_)
            | Self::Ended { .. } => None,
        }
    }

    pub(crate) fn failure_reason(&self) -> Option<FailureReason> {
        match self {
            Self::Ended {
                end: End::Failed(reason),
                ..
            } => Some(*reason),
            Self::Creating
            | Self::AwaitingCustomer(_)
            | Self::Capturing(_)
            | Self::Captured { .. }
            | Self::Ended {
                end: End::OrderEnded,
                ..
            } => None,
        }
    }

    pub(crate) fn next_request(&self) -> Option<ProviderRequest> {
        match self {
            // To cancel an intent its reference is needed: the repeated request returns it.
            Self::Creating
            | Self::Ended {
                intent: None,
                closing: true,
                ..
            } => Some(ProviderRequest::Create),
            Self::Capturing(_) => Some(ProviderRequest::Capture),
            Self::Ended { closing: true, .. } => Some(ProviderRequest::Cancel),
            Self::AwaitingCustomer(_) | Self::Captured { .. } | Self::Ended { .. } => None,
        }
    }

    /// The state after an update, and the result to publish.
    fn after(self, update: &IntentUpdate, amount: Money) -> Option<(Self, Option<Announcement>)> {
        let failed = |intent, reason, closing| {
            let (intent, end) = (Some(intent), End::Failed(reason));
            Some((
                Self::Ended {
                    intent,
                    end,
                    closing,
                },
                Some(Announcement::Failed(reason)),
            ))
        };
        match (update.status, self) {
            (_, Self::Creating | Self::Captured { .. }) | (IntentStatus::Processing, _) => None,
            (IntentStatus::Succeeded, state) => {
                let captured = update.captured.unwrap_or(amount);
                let refunded = Money::zero(captured.currency());
                let intent = state.intent().unwrap_or(&update.intent).clone();
                let state = Self::Captured {
                    intent,
                    captured,
                    refunded,
                };
                Some((state, Some(Announcement::Captured(captured))))
            }
            (IntentStatus::Authorised, Self::AwaitingCustomer(intent)) => {
                Some((Self::Capturing(intent), None))
            }
            (IntentStatus::Authorised, Self::Capturing(_)) => None,
            (
                IntentStatus::AwaitingCustomer,
                Self::AwaitingCustomer(intent) | Self::Capturing(intent),
            ) => failed(intent, update.declined?.into(), true),
            (IntentStatus::Canceled, Self::AwaitingCustomer(intent) | Self::Capturing(intent)) => {
                failed(intent, FailureReason::Timeout, false)
            }
            // An ended payment has its intent cancelled: an authorisation makes that necessary
            // again, and only the provider's own confirmation completes it.
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

    /// The provider has created the intent. A second answer changes nothing.
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

    /// The provider refuses to create the intent: the amount is too small, the account is closed.
    pub(crate) fn not_created(
        mut self,
        now: DateTime<Utc>,
    ) -> Option<(Self, Option<Announcement>)> {
        let (end, announcement) = match self.state {
            State::Creating => {
                let reason = FailureReason::Declined;
                (End::Failed(reason), Some(Announcement::Failed(reason)))
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
        Some((self.touched(now), announcement))
    }

    /// The order ended unpaid. Captured money stays until order requests its refund. `None` when
    /// nothing changes.
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

    /// Applies the provider's data of the intent. `None` when they change nothing.
    ///
    /// A capture counts in every state: also the payment of a cancelled order publishes it, and
    /// order requests the refund. A decline ends the payment and cancels the intent, so that no
    /// second card can pay for seats that are available again.
    pub(crate) fn apply(
        self,
        update: &IntentUpdate,
        now: DateTime<Utc>,
    ) -> Option<(Self, Option<Announcement>)> {
        if self.state.intent().is_none() {
            // A webhook arrived before the answer to the call that created the intent.
            let known = self.created(update.intent.clone(), now);
            return Some(known.clone().apply(update, now).unwrap_or((known, None)));
        }
        let (state, announcement) = self.state.clone().after(update, self.amount)?;
        Some((
            Self {
                state,
                ..self.touched(now)
            },
            announcement,
        ))
    }

    pub(super) fn touched(mut self, now: DateTime<Utc>) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}
