//! A payment as the API shows it.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::FailureReason;
use eventify_kernel::http::{Answer, Caller};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;
use serde::Serialize;

use crate::contexts::payment::App;
use crate::contexts::payment::model::{
    Fact, FactKind, LearntBy, Payment, Refund, State as PaymentState, Sums,
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    pub(super) payment_id: PaymentId,
    pub(super) order_id: OrderId,
    pub(super) customer_id: UserId,
    pub(super) status: &'static str,
    pub(super) amount: Money,
    pub(super) provider: &'static str,
    /// For the customer only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure_reason: Option<&'static str>,
    /// Why the last card was declined, while another one may be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_decline: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sums: Option<SumsView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refunds: Option<Vec<RefundView>>,
    /// What happened to the money, and how that was learnt. For staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ledger: Option<Vec<FactView>>,
}

/// What the facts add up to, in the currency of what was captured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SumsView {
    pub(super) captured: Money,
    pub(super) refunded: Money,
    pub(super) refunded_elsewhere: Money,
    pub(super) disputed: Money,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FactView {
    pub(super) kind: &'static str,
    pub(super) amount: Money,
    pub(super) reference: String,
    pub(super) refund_id: Option<RefundId>,
    pub(super) learnt_by: &'static str,
    pub(super) at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundView {
    pub(super) refund_id: RefundId,
    pub(super) status: &'static str,
    pub(super) amount: Money,
    pub(super) reason: String,
    /// The code with which it was refused or came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure_reason: Option<String>,
    pub(super) settled_by: &'static str,
    /// Of a payment by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    pub(super) ticket_ids: Vec<TicketId>,
}

impl View {
    pub(super) fn of(app: &App, caller: &Caller, payment: &Payment) -> Answer<Self> {
        let is_payer = caller.principal()?.user_id == payment.customer_id.as_uuid()
            || caller.is_seller(payment.seller_id);
        let client_secret = match &payment.state {
            PaymentState::AwaitingCustomer(intent) if is_payer => {
                Some(intent.client_secret.clone())
            }
            PaymentState::AwaitingCustomer(_)
            | PaymentState::Creating { .. }
            | PaymentState::Capturing(_)
            | PaymentState::Captured { .. }
            | PaymentState::Differs { .. }
            | PaymentState::Ended { .. } => None,
        };
        Ok(Self {
            payment_id: payment.id,
            order_id: payment.order_id,
            customer_id: payment.customer_id,
            status: payment.state.name(),
            amount: payment.amount,
            provider: app.state.gateway.name(),
            client_secret,
            failure_reason: payment.state.failure_reason().map(FailureReason::name),
            last_decline: payment.last_decline.map(FailureReason::name),
            sums: None,
            refunds: None,
            ledger: None,
        })
    }
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        let (status, failure) = refund.state.name_and_failure();
        Self {
            refund_id: refund.id,
            status,
            amount: refund.amount,
            failure_reason: failure.map(str::to_owned),
            settled_by: refund.settled_by.name(),
            reason: refund.reason,
            reference: refund.reference,
            ticket_ids: refund.ticket_ids,
        }
    }
}

impl From<Sums> for SumsView {
    fn from(sums: Sums) -> Self {
        Self {
            captured: sums.captured,
            refunded: sums.refunded,
            refunded_elsewhere: sums.refunded_elsewhere,
            disputed: sums.disputed,
        }
    }
}

impl From<Fact> for FactView {
    fn from(fact: Fact) -> Self {
        Self {
            kind: FactKind::name(fact.kind),
            amount: fact.amount,
            reference: fact.reference,
            refund_id: fact.refund_id,
            learnt_by: LearntBy::name(fact.learnt_by),
            at: fact.happened_at,
        }
    }
}
