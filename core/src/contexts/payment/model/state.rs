//! The states of a payment, and what the provider's data of its intent make of them.

use eventify_contracts::payment::FailureReason;
use eventify_protocol::money::Money;

use crate::contexts::payment::gateway::{Decline, Intent, IntentStatus, IntentUpdate};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The intent is requested from the provider.
    Creating {
        /// The provider refuses to create it, with this code; somebody has to decide.
        parked: Option<String>,
    },
    /// The customer has to pay; 3-D Secure is a part of that, and another card after a decline.
    AwaitingCustomer(Intent),
    /// Authorised; the capture is requested from the provider.
    Capturing(Intent),
    Captured {
        intent: Intent,
        captured: Money,
        refunded: Money,
    },
    /// The provider holds money for us, but not what the order costs: nothing is paid by it.
    Differs {
        intent: Intent,
        /// Perhaps in another currency, perhaps nothing.
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
    /// Cancelled at the provider, or given up by staff.
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

/// The state after an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) state: State,
    /// The result to publish.
    pub(super) announcement: Option<Announcement>,
    /// The last card, if it was declined and no other one is in hand.
    pub(super) declined: Option<FailureReason>,
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
    pub(crate) const CREATING: Self = Self::Creating { parked: None };

    /// As on the wire and in the store.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Creating { .. } | Self::Capturing(_) => "processing",
            Self::AwaitingCustomer(_) => "requires_action",
            Self::Captured {
                captured, refunded, ..
            }
            | Self::Differs {
                captured, refunded, ..
            } if refunded.minor() > 0 && refunded.minor() >= captured.minor() => "refunded",
            Self::Differs { .. } => "amount_differs",
            Self::Captured { refunded, .. } if refunded.minor() == 0 => "captured",
            Self::Captured { .. } => "partially_refunded",
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

    /// Whether the money for the order is there: nothing is left to be asked for a customer.
    pub(crate) fn is_captured(&self) -> bool {
        matches!(self, Self::Captured { .. })
    }

    pub(crate) fn intent(&self) -> Option<&Intent> {
        match self {
            Self::Creating { .. } => None,
            Self::AwaitingCustomer(intent)
            | Self::Capturing(intent)
            | Self::Captured { intent, .. }
            | Self::Differs { intent, .. } => Some(intent),
            Self::Ended { intent, .. } => intent.as_ref(),
        }
    }

    /// Captured and refunded.
    pub(crate) fn amounts(&self) -> Option<(Money, Money)> {
        match self {
            Self::Captured {
                captured, refunded, ..
            }
            | Self::Differs {
                captured, refunded, ..
            } => Some((*captured, *refunded)),
            Self::Creating { .. }
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
            Self::Creating { .. }
            | Self::AwaitingCustomer(_)
            | Self::Capturing(_)
            | Self::Captured { .. }
            | Self::Differs { .. }
            | Self::Ended {
                end: End::OrderEnded,
                ..
            } => None,
        }
    }

    /// The provider's code with which it refuses to create the intent.
    pub(crate) fn parked(&self) -> Option<&str> {
        match self {
            Self::Creating { parked } => parked.as_deref(),
            Self::AwaitingCustomer(_)
            | Self::Capturing(_)
            | Self::Captured { .. }
            | Self::Differs { .. }
            | Self::Ended { .. } => None,
        }
    }

    pub(crate) fn next_request(&self) -> Option<ProviderRequest> {
        match self {
            // To cancel an intent its reference is needed: the repeated request returns it.
            Self::Creating { parked: None }
            | Self::Ended {
                intent: None,
                closing: true,
                ..
            } => Some(ProviderRequest::Create),
            Self::Capturing(_) => Some(ProviderRequest::Capture),
            Self::Ended { closing: true, .. } => Some(ProviderRequest::Cancel),
            Self::Creating { parked: Some(_) }
            | Self::AwaitingCustomer(_)
            | Self::Captured { .. }
            | Self::Differs { .. }
            | Self::Ended { .. } => None,
        }
    }

    /// The state after an update of a payment that waits for this amount. `None` when it changes
    /// nothing.
    pub(super) fn after(self, update: &IntentUpdate, amount: Money) -> Option<Next> {
        match (update.status, self) {
            (_, Self::Creating { .. } | Self::Captured { .. }) | (IntentStatus::Processing, _) => {
                None
            }
            (IntentStatus::Succeeded, state) => state.received(update, amount),
            (_, Self::Differs { .. }) => None,
            (IntentStatus::Authorised, Self::AwaitingCustomer(intent)) => {
                Some(Self::Capturing(intent).alone())
            }
            (IntentStatus::Authorised, Self::Capturing(_)) => None,
            // A decline ends an attempt, not the order: another card may be tried.
            (
                IntentStatus::AwaitingCustomer,
                Self::AwaitingCustomer(intent) | Self::Capturing(intent),
            ) => {
                let declined = Some(update.declined?.into());
                let next = Self::AwaitingCustomer(intent).alone();
                Some(Next { declined, ..next })
            }
            (IntentStatus::Canceled, Self::AwaitingCustomer(intent) | Self::Capturing(intent)) => {
                let reason = FailureReason::Timeout;
                let ended = Self::Ended {
                    intent: Some(intent),
                    end: End::Failed(reason),
                    closing: false,
                };
                Some(Next {
                    announcement: Some(Announcement::Failed(reason)),
                    ..ended.alone()
                })
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
                let ended = Self::Ended {
                    intent,
                    end,
                    closing: still,
                };
                (still != closing).then(|| ended.alone())
            }
        }
    }

    /// Money is there. It pays for the order if it is exactly what that costs; for an order that has
    /// ended it is announced whatever it is, and goes back.
    fn received(self, update: &IntentUpdate, amount: Money) -> Option<Next> {
        let captured = update.captured.unwrap_or(Money::zero(amount.currency()));
        let refunded = match &self {
            Self::Differs {
                captured: known, ..
            } if *known == captured => return None,
            Self::Differs { refunded, .. } if refunded.currency() == captured.currency() => {
                *refunded
            }
            Self::Creating { .. }
            | Self::AwaitingCustomer(_)
            | Self::Capturing(_)
            | Self::Captured { .. }
            | Self::Differs { .. }
            | Self::Ended { .. } => Money::zero(captured.currency()),
        };
        let has_ended = matches!(self, Self::Ended { .. });
        let intent = self.intent().unwrap_or(&update.intent).clone();
        if captured == amount || (has_ended && captured.minor() > 0) {
            let state = Self::Captured {
                intent,
                captured,
                refunded,
            };
            return Some(Next {
                announcement: Some(Announcement::Captured(captured)),
                ..state.alone()
            });
        }
        if has_ended {
            return None;
        }
        let state = Self::Differs {
            intent,
            captured,
            refunded,
        };
        Some(state.alone())
    }

    fn alone(self) -> Next {
        Next {
            state: self,
            announcement: None,
            declined: None,
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
