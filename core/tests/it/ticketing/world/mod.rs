//! A venue with two gates and a node at each, a performance, and paid orders. The test publishes the
//! events of the other contexts.

pub(crate) mod connection;
pub(crate) mod journal;

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::event_management::{
    PerformanceFacts, PerformanceRescheduled, PerformanceScheduled, PerformanceTimes,
    PricedCategory,
};
use eventify_contracts::fleet::{GateUpdated, NodeEnrolled, NodeFacts, NodeRevoked};
use eventify_contracts::order::{Item, OrderPaid, OrderRefunded, RefundReason};
use eventify_contracts::ticketing::{
    RefundedAdmitted, TicketFacts, TicketIssueFailed, TicketIssued, TicketsReinstated,
    TicketsSuspended,
};
use eventify_core::config::Config;
use eventify_core::contexts::{event_management, fleet, order, ticketing};
use eventify_kernel::alarms;
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::db::Tx;
use eventify_kernel::event::{DomainEvent, Received};
use eventify_kernel::failure::Failure;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_kernel::http::Routes;
use eventify_kernel::jobs::Jobs;
use eventify_protocol::ids::{
    BucketId, EventId, GateId, HoldId, NodeId, OrderId, PerformanceId, SeatId, TicketId, VenueId,
};
use serde_json::Value;
use uuid::Uuid;

use crate::world::replies::{Page, Ticket};
use crate::world::{TestApp, TestOptions, product};

pub(crate) const SCHEDULED: &str = "event_management";
pub(crate) const FLEET: &str = "fleet";
pub(crate) const ORDER: &str = "order";

/// A core in which only ticketing works.
pub(crate) struct Venue {
    pub(crate) core: TestApp,
    pub(crate) id: VenueId,
    pub(crate) event: EventId,
    pub(crate) performance: PerformanceId,
    pub(crate) organiser: Uuid,
    pub(crate) gates: [GateId; 2],
    pub(crate) nodes: [NodeId; 2],
}

/// The contexts of the product; all but ticketing do nothing.
pub(crate) fn contexts(config: &Config, clock: &Clock) -> Vec<Context> {
    let quiet = |context: Context| Context {
        consumers: match context.name {
            FLEET => Consumers::new()
                .on::<TicketIssued, _>(on_ticket_issued)
                .on::<TicketsReinstated, _>(on_tickets_reinstated)
                .on::<RefundedAdmitted, _>(on_refunded_admitted),
            ORDER => Consumers::new()
                .on::<TicketIssueFailed, _>(on_ticket_issue_failed)
                .on::<TicketsSuspended, _>(on_tickets_suspended),
            _ => Consumers::new(),
        },
        routes: if context.name == "identity" {
            context.routes
        } else {
            Routes::new()
        },
        jobs: Jobs::new(),
        ..context
    };
    product(config, clock)
        .into_iter()
        .map(|context| {
            if context.name == ticketing::NAME {
                context
            } else {
                quiet(context)
            }
        })
        .collect()
}

async fn on_ticket_issued(_: &App, _: &mut Tx, _: Received<TicketIssued>) -> Result<(), Failure> {
    Ok(())
}

async fn on_tickets_suspended(
    _: &App,
    _: &mut Tx,
    _: Received<TicketsSuspended>,
) -> Result<(), Failure> {
    Ok(())
}

async fn on_tickets_reinstated(
    _: &App,
    _: &mut Tx,
    _: Received<TicketsReinstated>,
) -> Result<(), Failure> {
    Ok(())
}

async fn on_refunded_admitted(
    _: &App,
    _: &mut Tx,
    _: Received<RefundedAdmitted>,
) -> Result<(), Failure> {
    Ok(())
}

async fn on_ticket_issue_failed(
    _: &App,
    _: &mut Tx,
    _: Received<TicketIssueFailed>,
) -> Result<(), Failure> {
    Ok(())
}

impl Venue {
    /// Doors are open, both nodes are enrolled, each for its own gate.
    pub(crate) async fn open() -> Self {
        Self::with_faults(FaultInjection::default()).await
    }

    pub(crate) async fn with_faults(faults: FaultInjection) -> Self {
        let venue = Self::empty(faults).await;
        venue
            .schedule(
                venue.performance,
                venue.core.clock.now() + Duration::minutes(30),
            )
            .await;
        for (gate, node) in venue.gates.into_iter().zip(venue.nodes) {
            venue.gate(gate, &[], 1).await;
            venue.enrol(node, gate).await;
        }
        venue.core.settle().await;
        venue
    }

    /// No event has been published yet.
    pub(crate) async fn empty(faults: FaultInjection) -> Self {
        let core = TestApp::with(TestOptions {
            faults,
            contexts: Some(contexts),
            ..TestOptions::default()
        })
        .await;
        let organiser = core.user("olga").id().await;
        let id = || core.clock.new_id();
        Self {
            id: VenueId(id()),
            event: EventId(id()),
            performance: PerformanceId(id()),
            organiser,
            gates: [GateId(id()), GateId(id())],
            nodes: [NodeId(id()), NodeId(id())],
            core,
        }
    }

    /// Publishes an event in the name of another context.
    pub(crate) async fn publish<E: DomainEvent>(
        &self,
        context: &'static str,
        version: i32,
        event: &E,
    ) {
        let app = self.core.app();
        let mut tx = app
            .db
            .begin(context, &Cause::fresh(&app.clock))
            .await
            .unwrap();
        tx.publish(app.clock.new_id(), version, event);
        tx.commit().await.unwrap();
    }

    pub(crate) async fn schedule(&self, performance: PerformanceId, start: DateTime<Utc>) {
        let facts = self.played(start, false);
        let event = PerformanceScheduled {
            performance_id: performance,
            facts,
        };
        self.publish(SCHEDULED, 1, &event).await;
    }

    /// The facts of the show, played at a time; `foreign` is not the venue's organiser's.
    pub(crate) fn played(&self, start: DateTime<Utc>, foreign: bool) -> PerformanceFacts {
        let doors_at = start - Duration::minutes(60);
        PerformanceFacts {
            event_id: self.event,
            event_title: "Romeo and Juliet".to_owned(),
            event_version: 1,
            owner_id: self.organiser,
            org_id: None,
            times: PerformanceTimes {
                start_time: start,
                doors_at,
                ends_at: None,
                admits_from: doors_at - Duration::minutes(30),
                admits_until: start + Duration::hours(6),
                restarts_at: None,
            },
            sales_opens_at: None,
            sales_closes_at: None,
            venue_id: self.id,
            venue_name: "Grand Hall".to_owned(),
            reentry: false,
            awaits_venue: foreign,
            seating_plan_id: self.core.clock.new_id().into(),
            pricing_scheme_id: self.core.clock.new_id().into(),
            currency: "EUR".to_owned(),
            categories: vec![PricedCategory {
                name: "Stalls".to_owned(),
                code: "STALLS".parse().unwrap(),
                price: price(),
            }],
        }
    }

    /// The show moves. Nobody gets a new code.
    pub(crate) async fn reschedule(&self, version: i32, facts: PerformanceFacts) {
        let event = PerformanceRescheduled {
            performance_id: self.performance,
            previous_start_time: facts.times.start_time,
            facts,
        };
        self.publish(SCHEDULED, version, &event).await;
        self.core.settle().await;
    }

    pub(crate) async fn gate(&self, gate: GateId, performances: &[PerformanceId], version: i32) {
        let event = GateUpdated {
            gate_id: gate,
            venue_id: self.id,
            name: "North".to_owned(),
            performances: performances.to_vec(),
            categories: Vec::new(),
            version,
        };
        self.publish(FLEET, version, &event).await;
    }

    pub(crate) async fn enrol(&self, node: NodeId, gate: GateId) {
        let node = NodeEnrolled {
            node_id: node,
            node: self.facts(node, gate, false, 1),
        };
        self.publish(FLEET, 1, &node).await;
    }

    pub(crate) async fn revoke_node(&self, index: usize) {
        let (node, gate) = (self.nodes[index], self.gates[index]);
        let event = NodeRevoked {
            node_id: node,
            node: self.facts(node, gate, true, 2),
        };
        self.publish(FLEET, 2, &event).await;
        self.core.settle().await;
    }

    fn facts(&self, node: NodeId, gate: GateId, revoked: bool, version: i32) -> NodeFacts {
        NodeFacts {
            node_id: node,
            venue_id: self.id,
            label: "box".to_owned(),
            gates: vec![gate],
            revoked,
            version,
        }
    }

    /// A numbered seat of the performance.
    pub(crate) fn seat(&self, label: &str) -> Item {
        Item {
            performance_id: self.performance,
            venue_id: self.id,
            seat_id: Some(SeatId(self.core.clock.new_id())),
            seat_label: Some(label.to_owned()),
            bucket_id: None,
            zone: None,
            qty: 1,
            price_category: "STALLS".parse().unwrap(),
            unit_price: price(),
            hold_id: HoldId(self.core.clock.new_id()),
        }
    }

    /// Places in a zone.
    pub(crate) fn standing(&self, qty: u32) -> Item {
        Item {
            seat_id: None,
            seat_label: None,
            bucket_id: Some(BucketId(self.core.clock.new_id())),
            zone: Some("Floor".to_owned()),
            qty,
            ..self.seat("")
        }
    }

    /// Ada has paid for these.
    pub(crate) async fn pay(&self, items: Vec<Item>) -> OrderPaid {
        let paid = OrderPaid {
            order_id: OrderId(self.core.clock.new_id()),
            customer_id: self.core.user("ada").id().await.into(),
            paid_at: self.core.clock.now(),
            items,
        };
        self.publish(ORDER, 1, &paid).await;
        paid
    }

    /// A ticket of Ada's and its token.
    pub(crate) async fn ticket(&self) -> (TicketId, String) {
        let order = self.pay(vec![self.seat("A-1")]).await;
        self.core.settle().await;
        let ticket = self.tickets(order.order_id).await.remove(0);
        (ticket, self.token(ticket).await)
    }

    pub(crate) async fn tickets(&self, order: OrderId) -> Vec<TicketId> {
        let ada = self.core.user("ada").role("CUSTOMER");
        let path = format!("/tickets?orderId={order}&size=100");
        let list: Page<Ticket> = ada.get(&path).await.read(200);
        list.items.iter().map(|ticket| ticket.ticket_id).collect()
    }

    pub(crate) async fn token(&self, ticket: TicketId) -> String {
        let ada = self.core.user("ada").role("CUSTOMER");
        let request = ada.request(reqwest::Method::GET, &format!("/tickets/{ticket}/token"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }

    pub(crate) async fn show(&self, ticket: TicketId) -> Ticket {
        let ada = self.core.user("ada").role("CUSTOMER");
        ada.get(&format!("/tickets/{ticket}")).await.read(200)
    }

    pub(crate) async fn refund(&self, order: &OrderPaid, tickets: Vec<TicketId>, partial: bool) {
        let refunded = OrderRefunded {
            order_id: order.order_id,
            refund_id: self.core.clock.new_id().into(),
            reason: RefundReason::UserRequest,
            note: None,
            ticket_ids: tickets,
            partial,
            items: order.items.clone(),
        };
        self.publish(ORDER, 2, &refunded).await;
        self.core.settle().await;
    }

    /// The events of a type that ticketing has published, in order.
    pub(crate) async fn published<E: DomainEvent>(&self) -> Vec<E> {
        self.core.published(ticketing::NAME).await
    }

    /// The newest facts of a ticket that were published to the gates.
    /// Kinds and subjects of the alarms that stand.
    pub(crate) async fn alarms(&self) -> Vec<(String, String)> {
        let standing = alarms::Filter {
            states: Some(vec![alarms::State::Open]),
            ..alarms::Filter::default()
        };
        let listed = alarms::list(self.core.app(), &standing, (0, 100)).await;
        let (listed, _) = listed.unwrap();
        listed.into_iter().map(|it| (it.kind, it.subject)).collect()
    }

    pub(crate) async fn published_facts(&self, ticket: TicketId) -> TicketFacts {
        let mut conn = self.core.app().db.read(ticketing::NAME).await.unwrap();
        let payloads: Vec<Value> =
            sqlx::query_scalar("select payload from outbox where feeds_venues order by position")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let facts = payloads.into_iter().flat_map(|mut payload| {
            let list = payload["tickets"].take();
            let one = payload["ticket"].take();
            list.as_array()
                .cloned()
                .unwrap_or_default()
                .into_iter()
                .chain([one])
        });
        facts
            .filter_map(|facts| serde_json::from_value::<TicketFacts>(facts).ok())
            .filter(|facts| facts.ticket_id == ticket)
            .max_by_key(|facts| facts.version)
            .expect("facts were published")
    }
}

fn price() -> eventify_protocol::money::Money {
    serde_json::from_value(serde_json::json!({ "currency": "EUR", "amount": "49.90" })).unwrap()
}

/// The test publishes in the name of the contexts that publish these events.
#[test]
fn the_test_publishes_in_the_name_of_the_right_contexts() {
    assert_eq!(
        [event_management::NAME, fleet::NAME, order::NAME],
        [SCHEDULED, FLEET, ORDER]
    );
}
