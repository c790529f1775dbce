//! The sagas, one line a step: event → who hears it, with which function, and what undoes it.
//!
//! The broker's bindings are declared from this list and from [`BINDINGS`]; a test compares it
//! with the consumers that the contexts register, and the laws (deliver twice, fail each step
//! once) are made from it. Next to it the deadlines: a saga that stands longer than its step allows
//! is driven on or undone by the named job.

/// One step of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The saga.
    pub saga: &'static str,
    /// Event type.
    pub event: &'static str,
    /// The context whose queue takes it.
    pub consumer: &'static str,
    /// The function in that context's `consumers.rs`.
    pub handler: &'static str,
    /// What makes it undone, if the saga fails later.
    pub undo: &'static str,
}

const fn step(
    saga: &'static str,
    event: &'static str,
    consumer: &'static str,
    handler: &'static str,
    undo: &'static str,
) -> Step {
    Step {
        saga,
        event,
        consumer,
        handler,
        undo,
    }
}

const SET_UP: &str = "set up";
const BUY: &str = "reservation → tickets";
const REFUND: &str = "cancel and refund";
const VENUE: &str = "venue feed";

/// Every step there is.
#[rustfmt::skip]
pub const STEPS: &[Step] = &[
    step(SET_UP, "seating_plan.defined", "event_management", "on_seating_plan_defined", "nothing: plans stay"),
    step(SET_UP, "venue.updated", "event_management", "on_venue_updated", "the next one"),
    step(SET_UP, "performance.scheduled", "inventory", "on_performance_scheduled", "performance.cancelled"),
    step(SET_UP, "event.published", "inventory", "on_event_published", "event.cancelled"),
    step(SET_UP, "event.cancelled", "inventory", "on_event_cancelled", "nothing: it is final"),
    step(SET_UP, "event.archived", "inventory", "on_event_archived", "nothing: it is final"),
    step(SET_UP, "performance.cancelled", "inventory", "on_performance_cancelled", "nothing: it is final"),
    step(SET_UP, "performance.scheduled", "reservation", "on_performance_scheduled", "performance.cancelled"),
    step(SET_UP, "performance.scheduled", "order", "on_performance_scheduled", "performance.cancelled"),
    step(SET_UP, "event.published", "reservation", "on_event_published", "event.cancelled"),
    step(SET_UP, "performance.cancelled", "reservation", "on_performance_cancelled", "nothing: carts end"),
    step(SET_UP, "performance.cancelled", "order", "on_performance_cancelled", "nothing: money goes back"),
    step(SET_UP, "event.created", "catalogue", "on_event_created", "event.archived"),
    step(SET_UP, "event.updated", "catalogue", "on_event_updated", "the next one"),
    step(SET_UP, "event.published", "catalogue", "on_event_published", "event.archived"),
    step(SET_UP, "event.archived", "catalogue", "on_event_archived", "nothing: it is final"),
    step(SET_UP, "event.cancelled", "catalogue", "on_event_cancelled", "nothing: it is final"),
    step(SET_UP, "performance.cancelled", "catalogue", "on_performance_cancelled", "nothing: it is final"),
    step(SET_UP, "seating.laid_out", "catalogue", "on_seating_laid_out", "performance.cancelled"),
    step(SET_UP, "availability.updated", "catalogue", "on_availability_updated", "the next one"),
    step(SET_UP, "performance.scheduled", "catalogue", "on_performance_scheduled", "performance.cancelled"),
    step(SET_UP, "capacity.adjusted", "catalogue", "on_capacity_adjusted", "the next capacity.adjusted"),

    step(BUY, "seats.reserved", "catalogue", "on_seats_reserved", "seats.released"),
    step(BUY, "seats.released", "catalogue", "on_seats_released", "seats.reserved by another hold"),
    step(BUY, "reservation.confirmed", "order", "on_reservation_confirmed", "order.cancelled"),
    step(BUY, "payment.captured", "order", "on_payment_captured", "order.refund.requested"),
    step(BUY, "payment.failed", "order", "on_payment_failed", "nothing: the saga ends"),
    step(BUY, "order.paid", "ticketing", "on_order_paid", "ticket.revoked"),
    step(BUY, "order.paid", "inventory", "on_order_paid", "seats.released"),
    step(BUY, "order.cancelled", "reservation", "on_order_cancelled", "nothing: the saga ends"),
    step(BUY, "order.cancelled", "payment", "on_order_cancelled", "nothing: the saga ends"),
    step(BUY, "order.cancelled", "inventory", "on_order_cancelled", "nothing: the saga ends"),
    step(BUY, "reservation.expired", "inventory", "on_reservation_expired", "nothing: the saga ends"),
    step(BUY, "reservation.cancelled", "inventory", "on_reservation_cancelled", "nothing: the saga ends"),
    step(BUY, "ticket.issue.failed", "order", "on_ticket_issue_failed", "nothing: the saga ends"),
    step(BUY, "ticket.issued", "order", "on_ticket_issued", "order.refund.requested"),

    step(REFUND, "order.refund.requested", "payment", "on_order_refund_requested", "refund.failed"),
    step(REFUND, "payment.refunded", "order", "on_payment_refunded", "nothing: money went back"),
    step(REFUND, "refund.failed", "order", "on_refund_failed", "nothing: people look at it"),
    step(REFUND, "order.refunded", "reservation", "on_order_refunded", "nothing: money went back"),
    step(REFUND, "order.refunded", "ticketing", "on_order_refunded", "nothing: money went back"),
    step(REFUND, "order.refunded", "inventory", "on_order_refunded", "nothing: money went back"),
    step(REFUND, "ticket.revoked", "inventory", "on_ticket_revoked", "nothing: money went back"),

    step(VENUE, "performance.scheduled", "fleet", "on_performance_scheduled", "performance.cancelled"),
    step(VENUE, "performance.scheduled", "ticketing", "on_performance_scheduled", "performance.cancelled"),
    step(VENUE, "ticket.issued", "fleet", "on_tickets_issued", "ticket.revoked"),
    step(VENUE, "ticket.revoked", "fleet", "on_tickets_revoked", "ticket.issued with a higher version"),
    step(VENUE, "ticket.checked_in", "fleet", "on_tickets_checked_in", "ticket.check_in.changed"),
    step(VENUE, "ticket.check_in.changed", "fleet", "on_check_ins_changed", "the next one"),
    step(VENUE, "ticketing.keys.changed", "fleet", "on_keys_changed", "the next one"),
    step(VENUE, "fleet.journal.accepted", "ticketing", "on_journal_accepted", "nothing: what was shown happened"),
    step(VENUE, "ticketing.journal.applied", "fleet", "on_journal_applied", "nothing: what was shown happened"),
    step(VENUE, "gate.updated", "ticketing", "on_gate_updated", "the next one"),
    step(VENUE, "node.updated", "ticketing", "on_node_updated", "the next one"),
    step(VENUE, "venue.created", "fleet", "on_venue_created", "nothing: a venue stays"),
    step(VENUE, "venue.updated", "fleet", "on_venue_updated", "the next one"),
    step(VENUE, "performance.cancelled", "fleet", "on_performance_cancelled", "nothing: what is cancelled stays so"),
    step(VENUE, "checkin.conflict", "fleet", "on_check_in_conflict", "nothing: what was shown happened"),
    step(VENUE, "ticketing.scan.suspected", "fleet", "on_scan_suspected", "nothing: people look at it"),
    step(VENUE, "ticketing.tickets.stated", "fleet", "on_tickets_stated", "the next one"),
    step(VENUE, "fleet.tickets.questioned", "ticketing", "on_tickets_questioned", "nothing: it changes nothing"),
    step(VENUE, "fleet.tickets.doubted", "ticketing", "on_tickets_doubted", "the ticket's next change"),
    step(VENUE, "ticketing.tickets.restated", "fleet", "on_tickets_restated", "the ticket's next change"),
    step(VENUE, "node.enrolled", "ticketing", "on_node_enrolled", "node.revoked"),
    step(VENUE, "node.revoked", "ticketing", "on_node_revoked", "nothing: an instance id is never used again"),
];

/// The blueprint's wider bindings: the queue takes these too, though no saga step needs them yet.
pub const BINDINGS: &[(&str, &str)] = &[
    ("catalogue", "event.*.*"),
    ("catalogue", "inventory.capacity.adjusted"),
    ("catalogue", "inventory.seats.*"),
    ("order", "payment.refunded"),
    ("reservation", "inventory.seats.*"),
];

/// How long a saga may stand at a state, and the job that then moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Context that owns the state.
    pub context: &'static str,
    /// The state.
    pub state: &'static str,
    /// When the job acts: a setting (`section.key`), or a fact of the row in words. The numbers stand
    /// where they are used, and nowhere twice.
    pub after: &'static str,
    /// The job in that context's `consumers.rs`.
    pub job: &'static str,
    /// What it does.
    pub then: &'static str,
}

/// Every deadline there is.
#[rustfmt::skip]
pub const DEADLINES: &[Deadline] = &[
    Deadline { context: "reservation", state: "pending", after: "reservation.hold_seconds", job: "expire_reservations", then: "expired, seats released" },
    Deadline { context: "inventory", state: "held", after: "the hold's own end", job: "expire_holds", then: "released" },
    Deadline { context: "order", state: "without an intent", after: "at once", job: "request_intents", then: "processing; payment is asked again" },
    Deadline { context: "order", state: "unpaid", after: "reservation.pay_seconds", job: "cancel_unpaid", then: "cancelled, seats released" },
    Deadline { context: "payment", state: "something to ask", after: "at once", job: "drive_payments", then: "asked of the PSP again, up to a minute apart" },
    Deadline { context: "payment", state: "nothing heard", after: "payment.reconcile_after_ms", job: "reconcile_payments", then: "asked of the PSP" },
    Deadline { context: "payment", state: "refund pending", after: "its own pause", job: "drive_refunds", then: "asked of the PSP again" },
    Deadline { context: "ticketing", state: "paid, no tickets", after: "at once", job: "issue_missing", then: "issued, or ticket.issue.failed" },
    Deadline { context: "ticketing", state: "not compared with the feed", after: "ticketing.compare_every_hours", job: "state_tickets", then: "stated; what the feed holds wrongly is restated" },
];

/// Routing keys that a context's queue is bound to: its steps' and the blueprint's.
#[must_use]
pub fn bindings(context: &str) -> Vec<&'static str> {
    let of_steps = STEPS
        .iter()
        .filter(|step| step.consumer == context)
        .filter_map(|step| crate::routing::of(step.event).map(|route| route.key));
    let wider = BINDINGS
        .iter()
        .filter(|(name, _)| *name == context)
        .map(|(_, pattern)| *pattern);
    let mut keys: Vec<_> = of_steps.chain(wider).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether any saga needs somebody to hear this event: then an unroutable message is a fault.
#[must_use]
pub fn is_awaited(kind: &str) -> bool {
    STEPS.iter().any(|step| step.event == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_name_events_that_have_a_route() {
        for step in STEPS {
            assert!(crate::routing::of(step.event).is_some(), "{step:?}");
        }
    }

    #[test]
    fn nobody_hears_an_event_with_two_functions() {
        let mut seen = std::collections::HashSet::new();
        for step in STEPS {
            assert!(seen.insert((step.event, step.consumer)), "{step:?}");
        }
    }
}
