//! What people do at the provider, and what it does by itself: keys are rolled, refunds are made in the
//! dashboard, banks send money back or take it.

use serde_json::{Value, json};

use super::{StripeDouble, World, id};

impl StripeDouble {
    /// Answers everything with this status and code, or no longer.
    pub fn is_strange(&self, stranger: Option<(u16, &'static str)>) {
        self.world.lock().stranger = stranger;
    }

    /// Every second request for a refund is answered with 429, or no longer.
    pub fn is_busy(&self, busy: bool) {
        self.world.lock().busy = busy;
    }

    /// The next request fails inside and is answered with 500, and so is each repeat with its key. Its
    /// effect is there all the same, or not.
    pub fn fails_inside(&self, does_it: bool) {
        self.world.lock().fails_inside = Some(does_it);
    }

    /// Takes no intents below this, in minor units.
    pub fn takes_at_least(&self, minor: i64) {
        self.world.lock().least = minor;
    }

    /// Somebody cancels the intent in the dashboard.
    pub fn cancel(&self, secret: &str) {
        let mut world = self.world.lock();
        let intent = world.by_secret(secret);
        world.change(&intent, &[("status", json!("canceled"))]);
        world.tell("payment_intent.canceled", &intent);
    }

    /// Somebody refunds in the dashboard; the refund's id.
    pub fn refund_in_dashboard(&self, secret: &str, minor: i64) -> String {
        let mut world = self.world.lock();
        let intent = world.by_secret(secret);
        let refund = world.refund(id(&intent), minor, &json!({}));
        world.push_event("refund.created", &refund);
        id(&refund).to_owned()
    }

    /// The guest's bank sends the last refund back, or the guest has to do something.
    pub fn send_back(&self, status: &str) {
        let mut world = self.world.lock();
        let last = world
            .refunds
            .values()
            .next_back()
            .expect("a refund")
            .clone();
        let refund = world.refunds.get_mut(id(&last)).expect("just found");
        refund["status"] = json!(status);
        let object = refund.clone();
        let kind = match status {
            "failed" => "refund.failed",
            _ => "refund.updated",
        };
        world.push_event(kind, &object);
    }

    /// Somebody captures another amount, or in another currency, in the dashboard. `None`: the event
    /// doesn't say how much.
    pub fn capture_in_dashboard(&self, secret: &str, minor: Option<i64>, currency: &str) {
        let mut world = self.world.lock();
        let intent = world.by_secret(secret);
        let fields = [
            ("status", json!("succeeded")),
            ("amount_received", json!(minor)),
            ("currency", json!(currency)),
        ];
        world.change(&intent, &fields);
        world.tell("payment_intent.succeeded", &intent);
    }

    /// Somebody else sells on the same account; the intent's secret.
    pub fn sell_elsewhere(&self, minor: i64, metadata: &Value) -> String {
        let mut world = self.world.lock();
        let id = world.next("pi");
        let secret = format!("{id}_secret");
        let intent = json!({
            "id": id, "object": "payment_intent", "status": "succeeded",
            "client_secret": secret, "amount": minor, "amount_received": minor,
            "currency": "eur", "metadata": metadata,
        });
        world.intents.insert(id, intent.clone());
        world.tell("payment_intent.succeeded", &intent);
        secret
    }

    /// The card's bank takes the money back.
    pub fn dispute(&self, secret: &str) {
        let mut world = self.world.lock();
        let intent = world.by_secret(secret);
        let dispute_id = world.next("dp");
        let dispute = json!({
            "id": dispute_id, "object": "dispute", "payment_intent": intent["id"],
            "amount": intent["amount"], "currency": intent["currency"],
            "status": "needs_response", "reason": "fraudulent",
        });
        world.disputes.insert(dispute_id, dispute.clone());
        world.push_event("charge.dispute.created", &dispute);
    }

    /// Another account is attached: the first dispute is unknown in it.
    pub fn forget_first_dispute(&self) {
        self.world.lock().disputes.pop_first();
    }

    /// It has decided about the last dispute: `won` or `lost`.
    pub fn close_dispute(&self, status: &str) {
        let mut world = self.world.lock();
        let dispute = world.last_dispute(status);
        world.push_event("charge.dispute.closed", &dispute);
    }

    /// What the provider has sent back, not counting what came back to it, and in how many refunds.
    pub fn sent_back(&self) -> (i64, usize) {
        let world = self.world.lock();
        let intents = world.intents.keys();
        (intents.map(|id| world.gone(id)).sum(), world.refunds.len())
    }
}

impl World {
    /// What went back of an intent.
    pub(super) fn gone(&self, intent: &str) -> i64 {
        let of_intent = self
            .refunds
            .values()
            .filter(|it| it["payment_intent"] == intent);
        let went = of_intent.filter(|it| it["status"] != "failed" && it["status"] != "canceled");
        went.filter_map(|it| it["amount"].as_i64()).sum()
    }

    pub(super) fn refund(&mut self, intent: &str, amount: i64, metadata: &Value) -> Value {
        let id = self.next("re");
        let status = if self.pending_refunds {
            "pending"
        } else {
            "succeeded"
        };
        let currency = self.intents[intent]["currency"].clone();
        let refund = json!({
            "id": id, "object": "refund", "status": status, "amount": amount,
            "currency": currency, "payment_intent": intent, "metadata": metadata,
        });
        self.refunds.insert(id, refund.clone());
        let charge = json!({
            "object": "charge", "payment_intent": intent, "currency": currency,
            "amount_refunded": self.gone(intent),
        });
        self.push_event("charge.refunded", &charge);
        refund
    }

    /// Every second request for a refund is one too many.
    pub(super) fn is_busy(&mut self) -> bool {
        self.asked += 1;
        self.busy && self.asked.is_multiple_of(2)
    }

    fn last_dispute(&mut self, status: &str) -> Value {
        let dispute = self.disputes.values_mut().next_back().expect("a dispute");
        dispute["status"] = json!(status);
        dispute.clone()
    }
}
