//! Pure decisions about a payment: what the provider's word makes of it, and what is asked of the
//! provider next.
//!
//! The provider's word comes as webhooks and as answers, in any order and any number of times.
//! Both are read as the same fact, [`IntentSeen`], and each state takes each fact.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;

use super::events::FailureReason;
use crate::psp::{Decline, Intent, IntentSeen, IntentStatus, RefundStatus};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payment {
    pub(super) id: PaymentId,
    pub(super) order_id: OrderId,
    pub(super) customer_id: UserId,
    pub(super) amount: Money,
    pub(super) state: State,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) version: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
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
    /// Declined, or given up by the provider. `voiding`: the intent is still to be closed there.
    Failed {
        intent: Intent,
        reason: FailureReason,
        voiding: bool,
    },
    /// The order ended first. `voiding`: the intent is still to be closed there.
    Cancelled {
        intent: Option<Intent>,
        voiding: bool,
    },
}

/// What is to be asked of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Todo {
    Create,
    Capture,
    Cancel,
}

/// What the others are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Captured(Money),
    Failed(FailureReason),
}

/// A refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refund {
    pub(super) id: RefundId,
    pub(super) payment_id: PaymentId,
    pub(super) amount: Money,
    pub(super) reason: String,
    pub(super) ticket_ids: Vec<TicketId>,
    pub(super) state: RefundState,
    pub(super) provider_ref: Option<String>,
    pub(super) attempts: i32,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RefundState {
    Pending,
    Succeeded,
    Failed(String),
}

/// Why no refund is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RefundRefusal {
    #[error("nothing_captured")]
    NothingCaptured,
    #[error("more_than_captured")]
    MoreThanCaptured,
    #[error("other_currency")]
    OtherCurrency,
}

impl State {
    /// As on the wire and in the store.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Creating | Self::Capturing(_) => "processing",
            Self::AwaitingCustomer(_) => "requires_action",
            Self::Captured { refunded, .. } if refunded.minor() == 0 => "captured",
            Self::Captured {
                captured, refunded, ..
            } if refunded.minor() < captured.minor() => "partially_refunded",
            Self::Captured { .. } => "refunded",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    pub(super) fn intent(&self) -> Option<&Intent> {
        match self {
            Self::Creating => None,
            Self::AwaitingCustomer(intent) | Self::Capturing(intent) => Some(intent),
            Self::Captured { intent, .. } | Self::Failed { intent, .. } => Some(intent),
            Self::Cancelled { intent, .. } => intent.as_ref(),
        }
    }

    pub(super) fn todo(&self) -> Option<Todo> {
        match self {
            // A cancelled payment whose creation is under way has to learn the intent to close it.
            Self::Creating
            | Self::Cancelled {
                intent: None,
                voiding: true,
            } => Some(Todo::Create),
            Self::Capturing(_) => Some(Todo::Capture),
            Self::Failed { voiding: true, .. } | Self::Cancelled { voiding: true, .. } => {
                Some(Todo::Cancel)
            }
            Self::AwaitingCustomer(_)
            | Self::Captured { .. }
            | Self::Failed { .. }
            | Self::Cancelled { .. } => None,
        }
    }
}

impl State {
    fn after(self, seen: &IntentSeen, amount: Money) -> Option<(Self, Option<News>)> {
        let failed = |intent, reason, voiding| {
            Some((
                Self::Failed {
                    intent,
                    reason,
                    voiding,
                },
                Some(News::Failed(reason)),
            ))
        };
        match (seen.status, self) {
            (_, Self::Creating | Self::Captured { .. }) => None,
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
            (
                IntentStatus::AwaitingCustomer,
                Self::AwaitingCustomer(intent) | Self::Capturing(intent),
            ) => failed(intent, seen.declined?.into(), true),
            (IntentStatus::Canceled, Self::AwaitingCustomer(intent) | Self::Capturing(intent)) => {
                failed(intent, FailureReason::Timeout, false)
            }
            // What has ended here must be closed there: an authorisation opens the question again,
            // only the provider's own word ends it.
            (
                IntentStatus::Authorised,
                Self::Failed {
                    intent,
                    reason,
                    voiding: false,
                },
            ) => Some((
                Self::Failed {
                    intent,
                    reason,
                    voiding: true,
                },
                None,
            )),
            (
                IntentStatus::Authorised,
                Self::Cancelled {
                    intent,
                    voiding: false,
                },
            ) => Some((
                Self::Cancelled {
                    intent,
                    voiding: true,
                },
                None,
            )),
            (
                IntentStatus::Canceled,
                Self::Failed {
                    intent,
                    reason,
                    voiding: true,
                },
            ) => Some((
                Self::Failed {
                    intent,
                    reason,
                    voiding: false,
                },
                None,
            )),
            (
                IntentStatus::Canceled,
                Self::Cancelled {
                    intent,
                    voiding: true,
                },
            ) => Some((
                Self::Cancelled {
                    intent,
                    voiding: false,
                },
                None,
            )),
            (
                IntentStatus::Authorised
                | IntentStatus::AwaitingCustomer
                | IntentStatus::Canceled
                | IntentStatus::Processing,
                _,
            ) => None,
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
    pub(super) fn new(
        id: PaymentId,
        order_id: OrderId,
        customer_id: UserId,
        amount: Money,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            order_id,
            customer_id,
            amount,
            state: State::Creating,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// The provider has made the intent. A second answer changes nothing.
    pub(super) fn created(mut self, intent: Intent, now: DateTime<Utc>) -> Self {
        self.state = match self.state {
            State::Creating => State::AwaitingCustomer(intent),
            State::Cancelled {
                intent: None,
                voiding,
            } => State::Cancelled {
                intent: Some(intent),
                voiding,
            },
            known => known,
        };
        self.touched(now)
    }

    /// The order ended unpaid. Money that is ours already stays until order asks for its refund.
    /// `None` when nothing changes.
    pub(super) fn order_ended(mut self, now: DateTime<Utc>) -> Option<Self> {
        self.state = match self.state {
            State::Creating => State::Cancelled {
                intent: None,
                voiding: true,
            },
            State::AwaitingCustomer(intent) | State::Capturing(intent) => State::Cancelled {
                intent: Some(intent),
                voiding: true,
            },
            State::Captured { .. } | State::Failed { .. } | State::Cancelled { .. } => return None,
        };
        Some(self.touched(now))
    }

    /// What the provider says about the intent. `None` when that changes nothing.
    ///
    /// Captured money is a fact in every state: a cancelled order's payment says so too, and order
    /// asks for it back. A decline ends the payment, and the intent is closed, so that no second
    /// card can pay for seats that are free again.
    pub(super) fn observed(
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

    /// Whether so much can be sent back beside what is on its way already.
    pub(super) fn may_refund(&self, amount: Money, pending: Money) -> Result<(), RefundRefusal> {
        let State::Captured {
            captured, refunded, ..
        } = &self.state
        else {
            return Err(RefundRefusal::NothingCaptured);
        };
        let sum = refunded
            .plus(pending)
            .and_then(|gone| gone.plus(amount))
            .map_err(|_| RefundRefusal::OtherCurrency)?;
        if sum.minor() > captured.minor() {
            return Err(RefundRefusal::MoreThanCaptured);
        }
        Ok(())
    }

    /// Money has gone back. Answers whether that was the last of it.
    pub(super) fn refunded(
        mut self,
        amount: Money,
        now: DateTime<Utc>,
    ) -> Result<(Self, bool), RefundRefusal> {
        self.may_refund(amount, Money::zero(amount.currency()))?;
        let State::Captured {
            captured, refunded, ..
        } = &mut self.state
        else {
            return Err(RefundRefusal::NothingCaptured);
        };
        *refunded = refunded
            .plus(amount)
            .map_err(|_| RefundRefusal::OtherCurrency)?;
        let in_full = refunded == captured;
        Ok((self.touched(now), in_full))
    }

    fn touched(mut self, now: DateTime<Utc>) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}

impl Refund {
    /// What the provider says about it. `None` when that changes nothing: a refund ends once.
    pub(super) fn observed(
        mut self,
        provider_ref: &str,
        status: &RefundStatus,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        if self.state != RefundState::Pending {
            return None;
        }
        let state = match status {
            RefundStatus::Pending => RefundState::Pending,
            RefundStatus::Succeeded => RefundState::Succeeded,
            RefundStatus::Failed(reason) => RefundState::Failed(reason.clone()),
        };
        if state == self.state && self.provider_ref.as_deref() == Some(provider_ref) {
            return None;
        }
        self.state = state;
        self.provider_ref = Some(provider_ref.to_owned());
        self.updated_at = now;
        Some(self)
    }

    /// The provider will never do it.
    pub(super) fn refused(mut self, reason: &str, now: DateTime<Utc>) -> Self {
        self.state = RefundState::Failed(reason.to_owned());
        self.updated_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::money::Currency;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap()
    }

    fn euro(minor: i64) -> Money {
        Money::from_minor(Currency::Eur, minor).unwrap()
    }

    fn intent() -> Intent {
        Intent {
            reference: "pi_1".to_owned(),
            client_secret: "pi_1_secret_2".to_owned(),
        }
    }

    fn fresh() -> Payment {
        let id = Uuid::nil();
        Payment::new(id.into(), id.into(), id.into(), euro(3900), now())
    }

    fn seen(status: IntentStatus) -> IntentSeen {
        IntentSeen {
            intent: intent(),
            status,
            declined: None,
            received: None,
            payment_id: None,
        }
    }

    fn declined() -> IntentSeen {
        let declined = Some(Decline::InsufficientFunds);
        IntentSeen {
            declined,
            ..seen(IntentStatus::AwaitingCustomer)
        }
    }

    fn waiting() -> Payment {
        fresh().created(intent(), now())
    }

    fn captured() -> Payment {
        let (payment, news) = waiting()
            .observed(&seen(IntentStatus::Succeeded), now())
            .unwrap();
        assert_eq!(news, Some(News::Captured(euro(3900))));
        payment
    }

    #[test]
    fn an_authorisation_is_captured_and_told_once() {
        let (capturing, news) = waiting()
            .observed(&seen(IntentStatus::Authorised), now())
            .unwrap();
        assert_eq!((capturing.state.todo(), news), (Some(Todo::Capture), None));
        assert_eq!(
            capturing
                .clone()
                .observed(&seen(IntentStatus::Authorised), now()),
            None
        );
        let (captured, news) = capturing
            .observed(&seen(IntentStatus::Succeeded), now())
            .unwrap();
        assert_eq!(
            (captured.state.todo(), news),
            (None, Some(News::Captured(euro(3900))))
        );
        assert_eq!(
            captured.observed(&seen(IntentStatus::Succeeded), now()),
            None
        );
    }

    #[test]
    fn three_d_secure_is_no_decline() {
        assert_eq!(
            waiting().observed(&seen(IntentStatus::AwaitingCustomer), now()),
            None
        );
        assert_eq!(
            waiting().observed(&seen(IntentStatus::Processing), now()),
            None
        );
    }

    #[test]
    fn a_decline_ends_it_and_closes_the_intent() {
        let (failed, news) = waiting().observed(&declined(), now()).unwrap();
        assert_eq!(news, Some(News::Failed(FailureReason::InsufficientFunds)));
        assert_eq!(failed.state.todo(), Some(Todo::Cancel));
        assert_eq!(failed.clone().observed(&declined(), now()), None);
        let (closed, news) = failed
            .observed(&seen(IntentStatus::Canceled), now())
            .unwrap();
        assert_eq!(
            (closed.state.todo(), closed.state.name(), news),
            (None, "failed", None)
        );
        let (reopened, _) = closed
            .observed(&seen(IntentStatus::Authorised), now())
            .unwrap();
        assert_eq!(
            reopened.state.todo(),
            Some(Todo::Cancel),
            "a second card is let go"
        );
    }

    #[test]
    fn a_webhook_may_overtake_the_answer() {
        let (capturing, _) = fresh()
            .observed(&seen(IntentStatus::Authorised), now())
            .unwrap();
        assert_eq!(capturing.state, State::Capturing(intent()));
        assert_eq!(
            capturing.created(intent(), now()).state,
            State::Capturing(intent())
        );
    }

    #[test]
    fn an_ended_order_closes_its_intent_even_before_it_is_known() {
        let cancelled = fresh().order_ended(now()).unwrap();
        assert_eq!(
            cancelled.state.todo(),
            Some(Todo::Create),
            "to learn what to close"
        );
        let known = cancelled.created(intent(), now());
        assert_eq!(known.state.todo(), Some(Todo::Cancel));
        let (closed, news) = known
            .observed(&seen(IntentStatus::Canceled), now())
            .unwrap();
        assert_eq!((closed.state.todo(), news), (None, None));
        assert_eq!(
            captured().order_ended(now()),
            None,
            "order asks for the refund"
        );
    }

    #[test]
    fn late_money_is_told_in_every_state() {
        let (failed, _) = waiting().observed(&declined(), now()).unwrap();
        let cancelled = waiting().order_ended(now()).unwrap();
        for ended in [failed, cancelled] {
            let (payment, news) = ended
                .observed(&seen(IntentStatus::Succeeded), now())
                .unwrap();
            assert_eq!(news, Some(News::Captured(euro(3900))));
            assert_eq!(payment.state.name(), "captured");
        }
    }

    #[test]
    fn refunds_never_exceed_the_capture() {
        let payment = captured();
        assert_eq!(payment.may_refund(euro(3900), euro(0)), Ok(()));
        assert_eq!(
            payment.may_refund(euro(3900), euro(1)),
            Err(RefundRefusal::MoreThanCaptured)
        );
        assert_eq!(
            waiting().may_refund(euro(1), euro(0)),
            Err(RefundRefusal::NothingCaptured)
        );
        let yen = Money::from_minor(Currency::Jpy, 1).unwrap();
        assert_eq!(
            payment.may_refund(yen, euro(0)),
            Err(RefundRefusal::OtherCurrency)
        );
        let (part, in_full) = payment.refunded(euro(900), now()).unwrap();
        assert_eq!((part.state.name(), in_full), ("partially_refunded", false));
        let (all, in_full) = part.refunded(euro(3000), now()).unwrap();
        assert_eq!((all.state.name(), in_full), ("refunded", true));
    }

    #[test]
    fn a_refund_ends_once() {
        let id = Uuid::nil();
        let refund = Refund {
            id: id.into(),
            payment_id: id.into(),
            amount: euro(900),
            reason: "user_request".to_owned(),
            ticket_ids: vec![id.into()],
            state: RefundState::Pending,
            provider_ref: None,
            attempts: 0,
            created_at: now(),
            updated_at: now(),
        };
        let known = refund
            .observed("re_1", &RefundStatus::Pending, now())
            .unwrap();
        assert_eq!(
            known
                .clone()
                .observed("re_1", &RefundStatus::Pending, now()),
            None
        );
        let done = known
            .observed("re_1", &RefundStatus::Succeeded, now())
            .unwrap();
        assert_eq!(
            done.clone()
                .observed("re_1", &RefundStatus::Failed("x".into()), now()),
            None
        );
        assert_eq!(done.state, RefundState::Succeeded);
    }

    fn any_seen() -> impl Strategy<Value = IntentSeen> {
        prop_oneof![
            Just(seen(IntentStatus::AwaitingCustomer)),
            Just(declined()),
            Just(seen(IntentStatus::Processing)),
            Just(seen(IntentStatus::Authorised)),
            Just(seen(IntentStatus::Succeeded)),
            Just(seen(IntentStatus::Canceled)),
        ]
    }

    proptest! {
        /// Whatever comes, in whatever order: the capture is told at most once, a failure at most
        /// once and never after it, and the money that came in is never forgotten.
        #[test]
        fn the_news_is_told_once(facts in prop::collection::vec(any_seen(), 0..12), end in 0..12usize) {
            let (mut payment, mut captures, mut failures) = (fresh(), 0, 0);
            for (step, fact) in facts.iter().enumerate() {
                if step == end && let Some(ended) = payment.clone().order_ended(now()) {
                    payment = ended;
                }
                let Some((next, news)) = payment.clone().observed(fact, now()) else { continue };
                match news {
                    Some(News::Captured(_)) => captures += 1,
                    Some(News::Failed(_)) => {
                        prop_assert_eq!(captures, 0);
                        failures += 1;
                    }
                    None => {}
                }
                payment = next;
            }
            let came = facts.iter().any(|fact| fact.status == IntentStatus::Succeeded);
            prop_assert_eq!(captures, usize::from(came));
            prop_assert!(failures <= 1);
            let is_captured = matches!(payment.state, State::Captured { .. });
            prop_assert_eq!(is_captured, came);
        }
    }
}
