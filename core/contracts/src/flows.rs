//! The sagas, one line a step: event → who consumes it, with which function, and what undoes it.
//!
//! The broker's bindings are declared from this list and from [`BINDINGS`]; a test compares it
//! with the consumers that the contexts register, and the laws (deliver twice, fail each step
//! once) are made from it. Next to it the deadlines: a saga that waits longer than its step allows is
//! continued or undone by the named job.

use eventify_kernel::bus::{EventQueue, Routing};
use eventify_kernel::event::DomainEvent;

use crate::{event_management, fleet, inventory, order, payment, reservation, ticketing, uplink};

/// One step of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The saga.
    pub saga: &'static str,
    /// Event type.
    pub event: &'static str,
    /// Its routing key.
    pub routing_key: &'static str,
    /// The context that takes it, from [`Step::queue`].
    pub consumer: &'static str,
    /// The function in that context's `consumers`.
    pub handler: &'static str,
    /// What makes it undone, if the saga fails later.
    pub undo: &'static str,
}

impl Step {
    /// The queue that its event is taken from.
    #[must_use]
    pub fn queue(&self) -> EventQueue {
        if self.saga == GATES {
            EventQueue::gates(self.consumer)
        } else {
            EventQueue::ordinary(self.consumer)
        }
    }
}

const fn step<E: DomainEvent>(
    saga: &'static str,
    consumer: &'static str,
    handler: &'static str,
    undo: &'static str,
) -> Step {
    Step {
        saga,
        event: E::TYPE,
        routing_key: E::ROUTING_KEY,
        consumer,
        handler,
        undo,
    }
}

const SET_UP: &str = "set up";
const BUY: &str = "reservation → tickets";
const REFUND: &str = "cancel and refund";
const VENUE: &str = "venue feed";
/// What gates wait for. These steps have queues, consumers and connections of their own: no purchase and
/// no refund stands before them (DECISIONS 46).
const GATES: &str = "gates";

/// Every step there is.
#[rustfmt::skip]
pub const STEPS: &[Step] = &[
    step::<inventory::SeatingPlanDefined>(SET_UP, "event_management", "on_seating_plan_defined", "nothing: plans stay"),
    step::<inventory::VenueUpdated>(SET_UP, "event_management", "on_venue_updated", "the next one"),
    step::<event_management::PerformanceScheduled>(SET_UP, "inventory", "on_performance_scheduled", "performance.cancelled"),
    step::<event_management::EventPublished>(SET_UP, "inventory", "on_event_published", "event.cancelled"),
    step::<event_management::EventCancelled>(SET_UP, "inventory", "on_event_cancelled", "nothing: it is final"),
    step::<event_management::EventArchived>(SET_UP, "inventory", "on_event_archived", "nothing: it is final"),
    step::<event_management::PerformanceCancelled>(SET_UP, "inventory", "on_performance_cancelled", "nothing: it is final"),
    step::<event_management::PerformanceRescheduled>(SET_UP, "inventory", "on_performance_rescheduled", "the next one"),
    step::<event_management::PerformanceRescheduled>(SET_UP, "reservation", "on_performance_rescheduled", "the next one"),
    step::<event_management::PerformanceRescheduled>(SET_UP, "order", "on_performance_rescheduled", "the next one"),
    step::<event_management::PerformanceRescheduled>(SET_UP, "catalogue", "on_performance_rescheduled", "the next one"),
    step::<fleet::PerformanceConfirmed>(SET_UP, "event_management", "on_performance_confirmed", "nothing: it is final"),
    step::<fleet::PerformanceDeclined>(SET_UP, "event_management", "on_performance_declined", "performance.confirmed"),
    step::<fleet::PerformanceConfirmed>(SET_UP, "inventory", "on_performance_confirmed", "nothing: it is final"),
    step::<fleet::PerformanceDeclined>(SET_UP, "inventory", "on_performance_declined", "performance.confirmed"),
    step::<fleet::PerformanceConfirmed>(SET_UP, "catalogue", "on_performance_confirmed", "nothing: it is final"),
    step::<fleet::PerformanceDeclined>(SET_UP, "catalogue", "on_performance_declined", "performance.confirmed"),
    step::<event_management::PerformanceScheduled>(SET_UP, "reservation", "on_performance_scheduled", "performance.cancelled"),
    step::<event_management::PerformanceScheduled>(SET_UP, "order", "on_performance_scheduled", "performance.cancelled"),
    step::<event_management::EventPublished>(SET_UP, "reservation", "on_event_published", "event.cancelled"),
    step::<event_management::PerformanceCancelled>(SET_UP, "reservation", "on_performance_cancelled", "nothing: carts end"),
    step::<event_management::PerformanceCancelled>(SET_UP, "order", "on_performance_cancelled", "nothing: money goes back"),
    step::<event_management::EventCreated>(SET_UP, "catalogue", "on_event_created", "event.archived"),
    step::<event_management::EventUpdated>(SET_UP, "catalogue", "on_event_updated", "the next one"),
    step::<event_management::EventPublished>(SET_UP, "catalogue", "on_event_published", "event.archived"),
    step::<event_management::EventArchived>(SET_UP, "catalogue", "on_event_archived", "nothing: it is final"),
    step::<event_management::EventCancelled>(SET_UP, "catalogue", "on_event_cancelled", "nothing: it is final"),
    step::<event_management::PerformanceCancelled>(SET_UP, "catalogue", "on_performance_cancelled", "nothing: it is final"),
    step::<inventory::SeatingLaidOut>(SET_UP, "catalogue", "on_seating_laid_out", "performance.cancelled"),
    step::<inventory::AvailabilityUpdated>(SET_UP, "catalogue", "on_availability_updated", "the next one"),
    step::<event_management::PerformanceScheduled>(SET_UP, "catalogue", "on_performance_scheduled", "performance.cancelled"),
    step::<inventory::VenueCreated>(SET_UP, "catalogue", "on_venue_created", "nothing: a venue stays"),
    step::<inventory::VenueUpdated>(SET_UP, "catalogue", "on_venue_updated", "the next one"),
    step::<inventory::VenueCreated>(SET_UP, "ticketing", "on_venue_created", "nothing: a venue stays"),
    step::<inventory::VenueUpdated>(SET_UP, "ticketing", "on_venue_updated", "the next one"),
    step::<inventory::CapacityAdjusted>(SET_UP, "catalogue", "on_capacity_adjusted", "the next capacity.adjusted"),

    step::<inventory::SeatsReserved>(BUY, "catalogue", "on_seats_reserved", "seats.released"),
    step::<inventory::SeatsReleased>(BUY, "catalogue", "on_seats_released", "seats.reserved by another hold"),
    step::<reservation::ReservationConfirmed>(BUY, "order", "on_reservation_confirmed", "order.cancelled"),
    step::<order::OrderPlaced>(BUY, "payment", "on_order_placed", "order.cancelled"),
    step::<payment::PaymentCaptured>(BUY, "order", "on_payment_captured", "order.refund.requested"),
    step::<payment::PaymentFailed>(BUY, "order", "on_payment_failed", "nothing: the saga ends"),
    step::<order::OrderPaid>(BUY, "ticketing", "on_order_paid", "ticket.revoked"),
    step::<order::OrderPaid>(BUY, "inventory", "on_order_paid", "seats.released"),
    step::<order::OrderCancelled>(BUY, "reservation", "on_order_cancelled", "nothing: the saga ends"),
    step::<order::OrderCancelled>(BUY, "payment", "on_order_cancelled", "nothing: the saga ends"),
    step::<order::OrderCancelled>(BUY, "inventory", "on_order_cancelled", "nothing: the saga ends"),
    step::<reservation::ReservationExpired>(BUY, "inventory", "on_reservation_expired", "nothing: the saga ends"),
    step::<reservation::ReservationCancelled>(BUY, "inventory", "on_reservation_cancelled", "nothing: the saga ends"),
    step::<ticketing::TicketIssueFailed>(BUY, "order", "on_ticket_issue_failed", "nothing: the saga ends"),
    step::<ticketing::TicketIssued>(BUY, "order", "on_ticket_issued", "order.refund.requested"),
    step::<ticketing::TicketIssued>(BUY, "payment", "on_ticket_issued", "nothing: it is only remembered"),

    step::<order::OrderRefundOpened>(REFUND, "ticketing", "on_order_refund_opened", "order.refund.given_up"),
    step::<ticketing::TicketsSuspended>(REFUND, "order", "on_tickets_suspended", "order.refund.given_up"),
    step::<order::OrderRefundGivenUp>(REFUND, "ticketing", "on_order_refund_given_up", "nothing: it was decided"),
    step::<order::OrderRefundRequested>(REFUND, "payment", "on_order_refund_requested", "refund.failed"),
    step::<payment::PaymentRefunded>(REFUND, "order", "on_payment_refunded", "nothing: money went back"),
    step::<payment::RefundParked>(REFUND, "order", "on_refund_parked", "payment.refunded or refund.failed"),
    step::<payment::RefundReturned>(REFUND, "order", "on_refund_returned", "payment.refunded"),
    step::<payment::RefundedElsewhere>(REFUND, "order", "on_refunded_elsewhere", "the next one"),
    step::<payment::RevocationRequested>(REFUND, "order", "on_revocation_requested", "nothing: it was decided"),
    step::<payment::RevocationRequested>(REFUND, "ticketing", "on_revocation_requested", "nothing: it was decided"),
    step::<order::RevocationRefused>(REFUND, "payment", "on_revocation_refused", "another decision"),
    step::<ticketing::TicketRevoked>(REFUND, "payment", "on_ticket_revoked", "nothing: it ends a decision"),
    step::<payment::RefundFailed>(REFUND, "order", "on_refund_failed", "nothing: it was decided"),
    step::<order::OrderRefunded>(REFUND, "ticketing", "on_order_refunded", "nothing: money went back"),
    step::<order::OrderRefunded>(REFUND, "inventory", "on_order_refunded", "nothing: money went back"),
    step::<ticketing::TicketRevoked>(REFUND, "inventory", "on_ticket_revoked", "nothing: money went back"),
    step::<ticketing::TicketRevoked>(REFUND, "order", "on_ticket_revoked", "nothing: it is final"),
    step::<ticketing::RefundedAdmitted>(REFUND, "inventory", "on_refunded_admitted", "the next one, dissolved"),
    step::<inventory::GuestDisplaced>(VENUE, "fleet", "on_guest_displaced", "nothing: somebody has to look"),

    step::<event_management::PerformanceScheduled>(GATES, "fleet", "on_performance_scheduled", "performance.cancelled"),
    step::<event_management::PerformanceRescheduled>(GATES, "fleet", "on_performance_rescheduled", "the next one"),
    step::<event_management::PerformanceRescheduled>(GATES, "ticketing", "on_performance_rescheduled", "the next one"),
    step::<event_management::PerformanceCancelled>(GATES, "ticketing", "on_performance_cancelled", "nothing: it is final"),
    step::<fleet::PerformanceConfirmed>(GATES, "ticketing", "on_performance_confirmed", "nothing: it is final"),
    step::<event_management::PerformanceScheduled>(GATES, "ticketing", "on_performance_scheduled", "performance.cancelled"),
    step::<ticketing::TicketIssued>(VENUE, "fleet", "on_tickets_issued", "ticket.revoked"),
    step::<ticketing::TicketsCoded>(VENUE, "fleet", "on_tickets_coded", "the ticket's next change"),
    step::<ticketing::TicketsSuspended>(VENUE, "fleet", "on_tickets_suspended", "ticket.reinstated"),
    step::<ticketing::TicketsReinstated>(VENUE, "fleet", "on_tickets_reinstated", "ticket.suspended by another refund"),
    step::<ticketing::RefundedAdmitted>(VENUE, "fleet", "on_refunded_admitted", "the next one, dissolved"),
    step::<ticketing::TicketRevoked>(VENUE, "fleet", "on_tickets_revoked", "ticket.issued with a higher version"),
    step::<ticketing::TicketCheckedIn>(GATES, "fleet", "on_tickets_checked_in", "ticket.check_in.changed"),
    step::<ticketing::TicketCheckInChanged>(GATES, "fleet", "on_check_ins_changed", "the next one"),
    step::<ticketing::KeysChanged>(GATES, "fleet", "on_keys_changed", "the next one"),
    step::<fleet::JournalAccepted>(GATES, "ticketing", "on_journal_accepted", "nothing: what was shown happened"),
    step::<ticketing::JournalApplied>(GATES, "fleet", "on_journal_applied", "nothing: what was shown happened"),
    step::<fleet::GateUpdated>(GATES, "ticketing", "on_gate_updated", "the next one"),
    step::<fleet::NodeUpdated>(GATES, "ticketing", "on_node_updated", "the next one"),
    step::<inventory::VenueCreated>(VENUE, "fleet", "on_venue_created", "nothing: a venue stays"),
    step::<inventory::VenueUpdated>(VENUE, "fleet", "on_venue_updated", "the next one"),
    step::<event_management::PerformanceCancelled>(GATES, "fleet", "on_performance_cancelled", "nothing: what is cancelled stays so"),
    step::<event_management::EventUpdated>(VENUE, "fleet", "on_event_updated", "the next one"),
    step::<ticketing::CheckInConflict>(VENUE, "fleet", "on_check_in_conflict", "nothing: what was shown happened"),
    step::<ticketing::ScanSuspected>(VENUE, "fleet", "on_scan_suspected", "nothing: people look at it"),
    step::<ticketing::TicketsStated>(VENUE, "fleet", "on_tickets_stated", "the next one"),
    step::<fleet::TicketsQuestioned>(VENUE, "ticketing", "on_tickets_questioned", "nothing: it changes nothing"),
    step::<fleet::TicketsDoubted>(VENUE, "ticketing", "on_tickets_doubted", "the ticket's next change"),
    step::<ticketing::TicketsRestated>(GATES, "fleet", "on_tickets_restated", "the ticket's next change"),
    step::<fleet::NodeEnrolled>(GATES, "ticketing", "on_node_enrolled", "node.revoked"),
    step::<fleet::NodeRevoked>(GATES, "ticketing", "on_node_revoked", "nothing: an instance id is never used again"),
];

/// The blueprint's wider bindings: the queue takes these too, though no saga step needs them yet.
pub const BINDINGS: &[(&str, &str)] = &[
    ("catalogue", "event.*.*"),
    ("catalogue", "inventory.capacity.adjusted"),
    ("catalogue", "inventory.seats.*"),
    ("order", "payment.refunded"),
    ("reservation", "inventory.seats.*"),
];

/// The contexts whose tracked events are projected into the venues' feeds by `fleet`.
pub const FEEDING: [&str; 2] = ["event_management", "ticketing"];

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
    /// The job in that context's `jobs.rs`.
    pub job: &'static str,
    /// What it does.
    pub then: &'static str,
}

/// Every deadline there is.
#[rustfmt::skip]
pub const DEADLINES: &[Deadline] = &[
    Deadline { context: "reservation", state: "pending", after: "reservation.hold_seconds", job: "expire_reservations", then: "expired, seats released" },
    Deadline { context: "inventory", state: "held", after: "the hold's own end", job: "expire_holds", then: "released" },
    Deadline { context: "order", state: "without an intent", after: "at once", job: "request_intents", then: "processing; payment is called again" },
    Deadline { context: "order", state: "nothing to pay yet", after: "order.wait_seconds", job: "cancel_unpaid", then: "cancelled, seats released" },
    Deadline { context: "order", state: "unpaid", after: "reservation.pay_seconds", job: "cancel_unpaid", then: "the intent is ended; cancelled, seats released" },
    Deadline { context: "order", state: "refund opened", after: "ten minutes", job: "reopen_refunds", then: "its tickets are asked for again; an alarm" },
    Deadline { context: "payment", state: "a call is due", after: "at once", job: "drive_payments", then: "the provider is called, again at most a minute apart" },
    Deadline { context: "payment", state: "no report from the provider", after: "payment.reconcile_after_ms", job: "reconcile_payments", then: "looked up at the provider" },
    Deadline { context: "payment", state: "refund pending", after: "its own pause", job: "drive_refunds", then: "the provider is called again; after three days an open item" },
    Deadline { context: "payment", state: "refund parked", after: "an hour, for a day", job: "drive_refunds", then: "the provider is called again; the open item stays" },
    Deadline { context: "payment", state: "not compared with the provider", after: "payment.compare_every_hours", job: "compare_with_provider", then: "read; what no webhook told is booked" },
    Deadline { context: "ticketing", state: "paid, no tickets", after: "at once", job: "issue_missing", then: "issued, or ticket.issue.failed" },
    Deadline { context: "ticketing", state: "no short code", after: "a minute", job: "give_codes", then: "given one; the feed follows" },
    Deadline { context: "ticketing", state: "not compared with the feed", after: "ticketing.compare_every_hours", job: "state_tickets", then: "stated; what the feed holds wrongly is restated" },
];

/// What the broker is to do: every context's queues bound to their steps' keys, the ordinary one to the
/// blueprint's wider ones too; an event with a step has to be taken by somebody.
#[must_use]
pub fn routing() -> Routing {
    let of_steps = STEPS.iter().map(|step| (step.queue(), step.routing_key));
    let wider = BINDINGS.iter();
    let wider = wider.map(|(context, pattern)| (EventQueue::ordinary(context), *pattern));
    Routing {
        bindings: of_steps.chain(wider).collect(),
        awaited: STEPS.iter().map(|step| step.event).collect(),
        uplinks: uplink::ALL.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Whether a binding pattern of a topic exchange (`*` one word, `#` any number) takes a key.
    fn matches(pattern: &str, key: &str) -> bool {
        fn words(pattern: &[&str], key: &[&str]) -> bool {
            match (pattern.split_first(), key.split_first()) {
                (None, None) => true,
                (Some((&"#", rest)), _) => {
                    (0..=key.len()).any(|skipped| words(rest, &key[skipped..]))
                }
                (Some((word, rest)), Some((first, others))) => {
                    (*word == "*" || word == first) && words(rest, others)
                }
                (None, Some(_)) | (Some(_), None) => false,
            }
        }
        let pattern: Vec<_> = pattern.split('.').collect();
        let key: Vec<_> = key.split('.').collect();
        words(&pattern, &key)
    }

    #[test]
    fn patterns_match_as_the_broker_does() {
        for (pattern, key, taken) in [
            ("event.*.*", "event.event.created", true),
            ("event.*.*", "event.created", false),
            ("inventory.#", "inventory", true),
            ("inventory.#", "inventory.seats.reserved", true),
            ("#.reserved", "inventory.seats.reserved", true),
            ("order.paid", "order.paid", true),
            ("order.paid", "order.placed", false),
        ] {
            assert_eq!(matches(pattern, key), taken, "{pattern} {key}");
        }
    }

    #[test]
    fn every_wider_binding_takes_an_event_that_exists() {
        for (context, pattern) in BINDINGS {
            let events = crate::all();
            let taken = events.iter().any(|it| matches(pattern, it.routing_key));
            assert!(taken, "{context} {pattern}");
        }
    }

    /// Tickets that are sold or given back, or get their codes after an upgrade, of which there may be
    /// thousands at once. T waits for them too: in their queue they wait for each other and for reports, and
    /// for no order or payment.
    const OF_THE_SHOP: [&str; 5] = [
        "ticket.issued",
        "ticketing.tickets.coded",
        "ticket.suspended",
        "ticket.reinstated",
        "ticket.revoked",
    ];
    /// The daily comparison, which no gate waits for.
    const COMPARISON: [&str; 2] = ["fleet.tickets.questioned", "fleet.tickets.doubted"];

    /// C35: whoever adds an event that moves T, or one that fleet tells ticketing, decides whether
    /// gates wait for it.
    #[test]
    fn what_gates_wait_for_stands_behind_no_sale_and_no_refund() {
        let events = crate::all();
        for step in STEPS {
            let event = events.iter().find(|it| it.kind == step.event).unwrap();
            let concerns_gates = match (event.publisher, step.consumer) {
                (_, "fleet") => event.tracked && !OF_THE_SHOP.contains(&step.event),
                ("fleet" | "event_management", "ticketing") => !COMPARISON.contains(&step.event),
                _ => false,
            };
            let queue = match concerns_gates {
                true => EventQueue::gates(step.consumer),
                false => EventQueue::ordinary(step.consumer),
            };
            assert_eq!(step.queue(), queue, "{step:?}");
        }
    }

    #[test]
    fn no_context_consumes_an_event_with_two_functions() {
        let mut seen = HashSet::new();
        for step in STEPS {
            assert!(seen.insert((step.event, step.consumer)), "{step:?}");
        }
    }
}
