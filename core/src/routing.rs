//! The one table from event type to publisher and routing key on `domain.events`
//! (blueprint, "Topologie Broker"; DECISIONS 15).

/// One event type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// CloudEvents `type`.
    pub kind: &'static str,
    /// The context that publishes it.
    pub publisher: &'static str,
    /// Routing key, `<context>.<entity>.<event>` as in the blueprint.
    pub key: &'static str,
}

const fn route(kind: &'static str, publisher: &'static str, key: &'static str) -> Route {
    Route {
        kind,
        publisher,
        key,
    }
}

/// Every event type there is.
pub const ROUTES: &[Route] = &[
    route("event.created", "event_management", "event.event.created"),
    route("event.updated", "event_management", "event.event.updated"),
    route(
        "event.published",
        "event_management",
        "event.event.published",
    ),
    route("event.archived", "event_management", "event.event.archived"),
    route(
        "event.cancelled",
        "event_management",
        "event.event.cancelled",
    ),
    route(
        "performance.scheduled",
        "event_management",
        "event.performance.scheduled",
    ),
    route(
        "performance.cancelled",
        "event_management",
        "event.performance.cancelled",
    ),
    route("venue.created", "inventory", "inventory.venue.created"),
    route("venue.updated", "inventory", "inventory.venue.updated"),
    route(
        "seating_plan.defined",
        "inventory",
        "inventory.seating_plan.defined",
    ),
    route(
        "seating.laid_out",
        "inventory",
        "inventory.seating.laid_out",
    ),
    route("seats.reserved", "inventory", "inventory.seats.reserved"),
    route("seats.released", "inventory", "inventory.seats.released"),
    route(
        "capacity.adjusted",
        "inventory",
        "inventory.capacity.adjusted",
    ),
    route(
        "availability.updated",
        "inventory",
        "inventory.availability.updated",
    ),
    route("reservation.started", "reservation", "reservation.started"),
    route(
        "reservation.item.added",
        "reservation",
        "reservation.item.added",
    ),
    route(
        "reservation.item.removed",
        "reservation",
        "reservation.item.removed",
    ),
    route(
        "reservation.confirmed",
        "reservation",
        "reservation.confirmed",
    ),
    route("reservation.expired", "reservation", "reservation.expired"),
    route(
        "reservation.cancelled",
        "reservation",
        "reservation.cancelled",
    ),
    route("order.placed", "order", "order.placed"),
    route("order.paid", "order", "order.paid"),
    route("order.cancelled", "order", "order.cancelled"),
    route("order.refund.requested", "order", "order.refund.requested"),
    route("order.refunded", "order", "order.refunded"),
    route("payment.captured", "payment", "payment.captured"),
    route("payment.failed", "payment", "payment.failed"),
    route("payment.refunded", "payment", "payment.refunded"),
    route("refund.failed", "payment", "payment.refund.failed"),
    route("ticket.issued", "ticketing", "ticket.issued"),
    route("ticket.issue.failed", "ticketing", "ticket.issue.failed"),
    route("ticket.checked_in", "ticketing", "ticket.checked_in"),
    route(
        "ticket.check_in.changed",
        "ticketing",
        "ticket.check_in.changed",
    ),
    route("ticket.revoked", "ticketing", "ticket.revoked"),
    route("ticket.transferred", "ticketing", "ticket.transferred"),
    route(
        "ticketing.keys.changed",
        "ticketing",
        "ticketing.keys.changed",
    ),
    route(
        "ticketing.journal.applied",
        "ticketing",
        "ticketing.journal.applied",
    ),
    route(
        "checkin.conflict",
        "ticketing",
        "ticketing.checkin.conflict",
    ),
    route(
        "ticketing.scan.suspected",
        "ticketing",
        "ticketing.scan.suspected",
    ),
    route(
        "ticketing.tickets.stated",
        "ticketing",
        "ticketing.tickets.stated",
    ),
    route(
        "ticketing.tickets.restated",
        "ticketing",
        "ticketing.tickets.restated",
    ),
    route(
        "fleet.tickets.questioned",
        "fleet",
        "fleet.tickets.questioned",
    ),
    route("fleet.tickets.doubted", "fleet", "fleet.tickets.doubted"),
    route("fleet.journal.accepted", "fleet", "fleet.journal.accepted"),
    route("gate.updated", "fleet", "fleet.gate.updated"),
    route("node.updated", "fleet", "fleet.node.updated"),
    route("node.enrolled", "fleet", "fleet.node.enrolled"),
    route("node.revoked", "fleet", "fleet.node.revoked"),
    route("node.mode_changed", "fleet", "fleet.node.mode_changed"),
    route("lease.granted", "fleet", "fleet.lease.granted"),
    route("lease.consumed", "fleet", "fleet.lease.consumed"),
    route("lease.returned", "fleet", "fleet.lease.returned"),
    route(
        "customer.registered",
        "identity",
        "identity.customer.registered",
    ),
    route("customer.updated", "identity", "identity.customer.updated"),
    route("review.created", "review", "review.created"),
    route("review.updated", "review", "review.updated"),
    route("review.deleted", "review", "review.deleted"),
    route("review.flagged", "review", "review.flagged"),
    route(
        "support.ticket.created",
        "support",
        "support.ticket.created",
    ),
    route(
        "support.ticket.updated",
        "support",
        "support.ticket.updated",
    ),
    route(
        "support.ticket.assigned",
        "support",
        "support.ticket.assigned",
    ),
    route("support.ticket.closed", "support", "support.ticket.closed"),
    route("support.message.added", "support", "support.message.added"),
];

/// The row of an event type.
#[must_use]
pub fn of(kind: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.kind == kind)
}

/// Whether a binding pattern of a topic exchange (`*` one word, `#` any number) takes a key.
#[must_use]
pub fn matches(pattern: &str, key: &str) -> bool {
    fn words(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern.split_first(), key.split_first()) {
            (None, None) => true,
            (Some((&"#", rest)), _) => (0..=key.len()).any(|skipped| words(rest, &key[skipped..])),
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_type_and_each_key_stands_once() {
        let kinds: HashSet<_> = ROUTES.iter().map(|route| route.kind).collect();
        let keys: HashSet<_> = ROUTES.iter().map(|route| route.key).collect();
        assert_eq!((kinds.len(), keys.len()), (ROUTES.len(), ROUTES.len()));
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
}
