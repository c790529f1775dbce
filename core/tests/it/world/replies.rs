//! The commonest answers, typed: a field that the core doesn't know, or that it has and a test
//! doesn't, fails, but for local times: `crate::time_zones` reads those. Tests of the wire form itself read JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PricedCategory;
use eventify_contracts::ticketing::Admission;
use eventify_protocol::ids::{
    BucketId, EventId, GateId, HoldId, IncarnationId, NodeId, OrderId, PaymentId, PerformanceId,
    PersonId, PricingSchemeId, RefundId, ReservationId, ScanId, SeatId, SeatingPlanId, TicketId,
    UserId, VenueId,
};
use eventify_protocol::money::Money;
use eventify_protocol::sync::Reentry;
use eventify_protocol::token::CategoryCode;
use serde::Deserialize;
use uuid::Uuid;

macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident $(<$item:ident>)? { $($field:ident: $kind:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name $(<$item>)? { $(pub $field: $kind,)+ }
    )+};
}

replies! {
    Page<T> { page: u32, size: u32, total: i64, items: Vec<T>, }

    Venue {
        venue_id: VenueId, name: String, city: Option<String>, time_zone: String,
        address: Option<serde_json::Map<String, serde_json::Value>>, owner_id: Uuid,
        org_id: Option<String>, shared: bool, created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>, version: i32,
    }
    /// The answer to a new plan.
    Plan { seating_plan_id: SeatingPlanId, name: String, seats: usize, zones: Vec<Zone>, }
    Zone { bucket_id: BucketId, zone: String, capacity: u32, categories: Vec<CategoryCode>, }

    Event {
        event_id: EventId, title: String, description: String, city: Option<String>,
        tags: Vec<String>, status: String, published_at: Option<DateTime<Utc>>, owner_id: Uuid,
        org_id: Option<String>, created_at: DateTime<Utc>, updated_at: DateTime<Utc>,
        version: i32, pricing_id: Option<PricingSchemeId>, pricing: Vec<Pricing>,
        performances: Vec<Performance>,
    }
    /// The answer to an act on an event.
    EventHead {
        event_id: EventId, title: String, description: String, city: Option<String>,
        tags: Vec<String>, status: String, published_at: Option<DateTime<Utc>>, owner_id: Uuid,
        org_id: Option<String>, created_at: DateTime<Utc>, updated_at: DateTime<Utc>,
        version: i32,
    }
    Pricing {
        pricing_id: PricingSchemeId, categories: Vec<PricedCategory>,
        warnings: Option<Vec<PricingWarning>>,
    }
    PricingWarning { code: String, category: CategoryCode, message: String, }
    Performance {
        performance_id: PerformanceId, status: String, start_time: DateTime<Utc>,
        doors_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>, admits_from: DateTime<Utc>,
        admits_until: DateTime<Utc>,
        sales_opens_at: Option<DateTime<Utc>>, sales_closes_at: Option<DateTime<Utc>>,
        venue_id: VenueId, time_zone: String, seating_plan_id: SeatingPlanId, pricing_id: PricingSchemeId,
        reentry: Reentry, restarts_at: Option<DateTime<Utc>>, awaits_venue: bool,
        declined_by_venue: bool, version: i32, warnings: Vec<Warning>,
    }
    Warning { code: String, message: String, performance_id: Option<PerformanceId>, }
    /// Places that are paid and not refunded.
    Sold { orders: u64, tickets: u64, sum: String, amounts: Vec<Money>, }
    /// The answer to an event's cancellation.
    CancelledEvent {
        event_id: EventId, title: String, description: String, city: Option<String>,
        tags: Vec<String>, status: String, published_at: Option<DateTime<Utc>>, owner_id: Uuid,
        org_id: Option<String>, created_at: DateTime<Utc>, updated_at: DateTime<Utc>,
        version: i32, performances: Vec<CancelledPart>,
    }
    CancelledPart {
        performance_id: PerformanceId, start_time: DateTime<Utc>, time_zone: String, outcome: String,
        sold: Sold,
    }

    Reservation {
        reservation_id: ReservationId, customer_id: UserId, seller_id: Option<UserId>, status: String,
        expires_at: DateTime<Utc>, items: Vec<ReservedItem>, total: Option<Money>,
    }
    ReservedItem {
        item_id: Uuid, performance_id: PerformanceId, seat_id: Option<SeatId>,
        seat: Option<String>, bucket_id: Option<BucketId>, zone: Option<String>, qty: u32,
        price_category: CategoryCode, unit_price: Money, hold_id: HoldId,
    }
    Hold {
        hold_id: HoldId, performance_id: PerformanceId, expires_at: DateTime<Utc>,
        seats: Vec<HeldSeat>, buckets: Vec<HeldBucket>,
    }
    HeldSeat { seat_id: SeatId, label: String, categories: Vec<CategoryCode>, }
    HeldBucket { bucket_id: BucketId, zone: String, qty: u32, categories: Vec<CategoryCode>, }

    /// A place that is not sold again before somebody releases it.
    KeptPlace {
        ticket_id: TicketId, order_id: OrderId, performance_id: PerformanceId,
        seat_id: Option<SeatId>, seat_label: Option<String>, bucket_id: Option<BucketId>,
        zone: Option<String>, reason: String, since: DateTime<Utc>, guest: Option<KnownGuest>,
        released_at: Option<DateTime<Utc>>, released_by: Option<UserId>, note: Option<String>,
        released_despite: Option<String>,
    }
    /// Who was admitted with the ticket.
    KnownGuest {
        gate_id: GateId, gate_name: Option<String>, earliest: DateTime<Utc>, latest: DateTime<Utc>,
    }

    Order {
        order_id: OrderId, reservation_id: ReservationId, customer_id: UserId,
        seller_id: Option<UserId>, status: String,
        amount: Money, pay_until: DateTime<Utc>, payment_id: Option<PaymentId>,
        paid_at: Option<DateTime<Utc>>, cancelled_reason: Option<String>,
        items: Vec<eventify_contracts::order::Item>, created_at: DateTime<Utc>,
        tickets: Option<Vec<OrderedTicket>>, refunds: Option<Vec<Refund>>,
        refunded_elsewhere: Option<Money>,
    }
    OrderedTicket {
        ticket_id: TicketId, price: Money, refund_id: Option<RefundId>,
        revoked_reason: Option<String>,
    }
    /// A refund of an order.
    Refund {
        refund_id: RefundId, status: String, amount: Money, reason: String, note: Option<String>,
        failure_reason: Option<String>, settled_by: Option<String>, reference: Option<String>,
        created_at: DateTime<Utc>,
    }
    RefundStarted {
        order_id: OrderId, status: String, refund_id: RefundId, refund_status: String,
        amount: Money, ticket_ids: Vec<TicketId>, reason: String, note: Option<String>,
    }
    Payment {
        payment_id: PaymentId, order_id: OrderId, customer_id: UserId, status: String,
        amount: Money, provider: String, client_secret: Option<String>,
        failure_reason: Option<String>, refunds: Option<Vec<PaymentRefund>>,
        last_decline: Option<String>, sums: Option<Sums>, ledger: Option<Vec<Fact>>,
    }
    Sums { captured: Money, refunded: Money, refunded_elsewhere: Money, disputed: Money, }
    Fact {
        kind: String, amount: Money, reference: String, refund_id: Option<RefundId>,
        learnt_by: String, at: DateTime<Utc>,
    }
    OpenItem {
        item_id: Uuid, kind: String, state: String, subject: String, payment_id: PaymentId,
        order_id: OrderId, refund_id: Option<RefundId>, amount: Money, reason: String, words: String,
        since: DateTime<Utc>, updated_at: DateTime<Utc>, ticket_ids: Vec<TicketId>,
        acts: Vec<String>, refused_because: Option<String>, act: Option<String>,
        acted_by: Option<UserId>, reference: Option<String>, done_at: Option<DateTime<Utc>>,
    }
    Comparison {
        comparison_id: Uuid, since: DateTime<Utc>, until: DateTime<Utc>,
        started_at: DateTime<Utc>, parts_left: i32, seen: i64, booked: i64,
        finished_at: Option<DateTime<Utc>>,
    }
    PaymentRefund {
        refund_id: RefundId, status: String, amount: Money, reason: String,
        failure_reason: Option<String>, settled_by: String, reference: Option<String>,
        ticket_ids: Vec<TicketId>,
    }

    IssuedTickets { tickets: Vec<IssuedTicket>, }
    IssuedTicket { ticket_id: TicketId, qr: Option<String>, short_code: Option<String>, }
    /// A ticket as its holder sees it.
    Ticket {
        ticket_id: TicketId, performance_id: PerformanceId, venue_id: VenueId,
        seat_id: Option<SeatId>, seat_label: Option<String>, bucket_id: Option<BucketId>,
        zone: Option<String>, price_category: CategoryCode, status: String,
        used_at: Option<DateTime<Utc>>, used_gate_id: Option<GateId>, order_unknown: bool,
        valid_from: Option<DateTime<Utc>>, valid_until: Option<DateTime<Utc>>, time_zone: String,
        revision: u32,
        order_id: OrderId, short_code: Option<String>, unit_price: Money,
        revoked_reason: Option<String>,
        created_at: DateTime<Utc>, updated_at: DateTime<Utc>, version: i32,
    }
    CheckedIn {
        status: String, at: DateTime<Utc>, ticket_id: TicketId, gate_id: GateId, scan_id: ScanId,
    }

    /// A node in the list of its venue.
    NodeShown {
        node_id: NodeId, venue_id: VenueId, label: String, gates: Vec<GateId>, status: String,
        version: i32, enrolled_at: Option<DateTime<Utc>>,
        certificate_expires_at: Option<DateTime<Utc>>,
        renewal_allowed_until: Option<DateTime<Utc>>, revoked_at: Option<DateTime<Utc>>,
        health: Option<NodeHealth>,
    }
    NodeHealth {
        seen_at: DateTime<Utc>, silent_since: Option<DateTime<Utc>>, mode: String, mode_since: DateTime<Utc>,
        cache_age_ms: Option<i64>, position: i64, unacknowledged: i64, free_bytes: i64,
        software: String, unreadable: Option<i64>, journal_fault: Option<String>,
    }
    /// The report of outages.
    Reconciliation {
        venue_id: VenueId, from: DateTime<Utc>, to: DateTime<Utc>, time_zone: String, outages: Vec<Outage>,
        double_entries: Vec<DoubleEntry>, refunded_admissions: Vec<RefundedAdmission>,
        gaps: Vec<serde_json::Value>, acts: Vec<serde_json::Value>,
        not_heard: Vec<serde_json::Value>, adds_up: bool,
    }
    RefundedAdmission {
        ticket_id: TicketId, order_id: OrderId, performance_id: PerformanceId,
        place: Option<String>, amount: Money, refund_id: Option<RefundId>, state: String,
        gate_id: GateId, gate_name: Option<String>, node_id: Option<NodeId>,
        node_label: Option<String>, scan_id: ScanId, person_id: Option<PersonId>,
        earliest: DateTime<Utc>,
        latest: DateTime<Utc>,
    }
    Outage {
        node_id: NodeId, label: String, began: OutageMoment, ended: Option<OutageMoment>,
        rows: Vec<RowSpan>, scans: u64, admitted: u64, refused: BTreeMap<String, u64>,
        double_entries: u64, order_unknown: u64, overrides: u64, undone: u64, left: u64,
        acts: Vec<serde_json::Value>, refunded_admissions: u64,
        refunded_amounts: Vec<Money>, adds_up: bool,
        gaps: Vec<serde_json::Value>,
    }
    OutageMoment {
        known_by: String, earliest: Option<DateTime<Utc>>, latest: Option<DateTime<Utc>>,
        wall: Option<DateTime<Utc>>,
    }
    RowSpan { incarnation: IncarnationId, from: u64, to: u64, }
    DoubleEntry {
        conflict_id: Uuid, ticket_id: TicketId, order_unknown: bool, first: Admission,
        second: Admission, dissolved: bool, first_gate_name: Option<String>,
        second_gate_name: Option<String>, first_person_id: Option<PersonId>,
        second_person_id: Option<PersonId>,
    }
}

impl Order {
    /// Its tickets, where the answer shows them.
    pub fn tickets(&self) -> &[OrderedTicket] {
        self.tickets.as_deref().expect("an order alone has tickets")
    }

    /// Its refunds, where the answer shows them.
    pub fn refunds(&self) -> &[Refund] {
        self.refunds.as_deref().expect("an order alone has refunds")
    }
}
