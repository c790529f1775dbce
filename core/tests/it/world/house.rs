//! An organiser with a hall of 20 numbered seats and a standing zone, and a performance in it.

use std::sync::Arc;

use chrono::Duration;
use eventify_contracts::inventory::{AvailabilityUpdated, GuestDisplaced, VenueCreated};
use eventify_contracts::reservation::EndReason;
use eventify_core::config::Config;
use eventify_core::contexts::event_management;
use eventify_core::contexts::inventory::api::{
    self, AttemptId, BucketWanted, Buyer, Held, HoldError, HoldRequest, SeatRef, SeatWanted,
};
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::{
    BucketId, EventId, HoldId, PerformanceId, ReservationId, TicketId, UserId, VenueId,
};
use eventify_protocol::money::Money;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::replies::{Event, KeptPlace, Page, Performance, Plan, Venue};
use crate::world::{Answer, TestApp, User, product};

/// Units of the standing zone.
pub const FLOOR: u32 = 100;

pub const CUSTOMER: UserId = UserId(Uuid::from_u128(1));

/// A performance on sale.
#[derive(Debug)]
pub struct House<'core> {
    pub core: &'core TestApp,
    pub venue: VenueId,
    pub event: EventId,
    pub performance: PerformanceId,
    pub floor: BucketId,
}

/// The contexts that create stock and show it, and bare ones instead of those that sell: the test
/// itself publishes their events.
pub fn contexts(config: &Config, clock: &Clock) -> Vec<Context> {
    let margins = config.contexts.event_management;
    let event_management = event_management::State::new(
        margins,
        Duration::weeks(26),
        config.contexts.payment.least_amounts.clone(),
    );
    let bare = |name, events| Context {
        events,
        ..Context::new(name, &[])
    };
    // Event management asks what is sold.
    let mut real = product(config, clock).into_iter();
    let mut named = |name| real.find(|it| it.name == name).expect("a context");
    let (fleet, orders) = (named("fleet"), named("order"));
    vec![
        eventify_core::contexts::catalogue::context(),
        event_management::context(&Arc::new(event_management)),
        eventify_core::contexts::identity::context(&Arc::default()),
        eventify_core::contexts::inventory::context(),
        // The relay requires that a queue takes what fleet alone consumes.
        Context {
            consumers: Consumers::new()
                .on::<VenueCreated, _>(on_venue_created)
                .on::<GuestDisplaced, _>(on_guest_displaced),
            // Inventory asks which nodes are silent.
            ..Context::new("fleet", fleet.migrations)
        },
        Context {
            events: eventify_contracts::order::events(),
            ..Context::new("order", orders.migrations)
        },
        bare("reservation", eventify_contracts::reservation::events()),
        bare("ticketing", eventify_contracts::ticketing::events()),
    ]
}

async fn on_venue_created(_: &App, _: &mut Tx, _: Received<VenueCreated>) -> Result<(), Failure> {
    Ok(())
}

async fn on_guest_displaced(
    _: &App,
    _: &mut Tx,
    _: Received<GuestDisplaced>,
) -> Result<(), Failure> {
    Ok(())
}

pub fn organiser(core: &TestApp) -> User<'_> {
    core.user("organiser").role("ORGANIZER")
}

pub fn euro(amount: &str) -> Money {
    Money::parse("EUR", amount).expect("an amount")
}

/// Rows A and B of ten seats in the stalls, and the floor.
pub fn hall() -> Value {
    hall_of(10, FLOOR)
}

/// Two rows of so many seats, and a floor for so many people.
pub fn hall_of(seats: u32, floor: u32) -> Value {
    json!({
        "name": "Hall",
        "sections": [{
            "section": "Stalls",
            "categories": ["FULL", "CHILD"],
            "rows": [{ "row": "A", "seats": seats }, { "row": "B", "seats": seats }],
        }],
        "zones": [{ "zone": "Floor", "capacity": floor, "categories": ["FLOOR"] }],
    })
}

pub fn concert(title: &str) -> Value {
    json!({
        "title": title,
        "city": "Lyon",
        "tags": ["Rock"],
        "pricing": { "categories": [
            { "name": "Full", "price": euro("39.00") },
            { "name": "Child", "price": euro("12.00") },
            { "name": "Floor", "price": euro("25.00") },
        ] },
    })
}

pub async fn new_venue(owner: &User<'_>) -> VenueId {
    let venue = json!({ "name": "Hall", "timeZone": "Europe/Paris" });
    let venue = owner.post("/venues", venue).await;
    venue.read::<Venue>(201).venue_id
}

/// A venue with this hall, and a performance in it, not published.
pub async fn plan(core: &TestApp, hall: Value, ahead: Duration) -> House<'_> {
    let organiser = organiser(core);
    let venue = new_venue(&organiser).await;
    let plans = format!("/venues/{venue}/seating-plans");
    let plan: Plan = organiser.post(&plans, hall).await.read(201);
    let event: Event = organiser.post("/events", concert("Nova")).await.read(201);
    let event = event.event_id;
    let performance = json!({ "venueId": venue, "startTime": core.clock.now() + ahead });
    let path = format!("/events/{event}/performances");
    let performance: Performance = organiser.post(&path, performance).await.read(201);
    House {
        core,
        venue,
        event,
        performance: performance.performance_id,
        floor: plan.zones[0].bucket_id,
    }
}

/// What is left of the seats and of the floor, as inventory counts it.
pub async fn left(core: &TestApp, performance: PerformanceId) -> (u32, u32) {
    let path = format!("/inventory/performances/{performance}");
    let left: AvailabilityUpdated = organiser(core).get(&path).await.read(200);
    (left.by_section[0].remaining, left.by_bucket[0].remaining)
}

/// The places that the organiser finds kept back: as many as the count beside the stock says.
pub async fn kept_back(core: &TestApp, performance: PerformanceId) -> Vec<KeptPlace> {
    let path = format!("/inventory/performances/{performance}");
    let organiser = organiser(core);
    let list = organiser.get(&format!("{path}/kept-back")).await;
    let page: Page<KeptPlace> = list.read(200);
    let stock = organiser.get(&path).await.expect(200);
    assert_eq!(stock["keptBack"], json!(page.total));
    page.items
}

/// The organiser says that nobody sits there.
pub async fn release_kept(
    core: &TestApp,
    performance: PerformanceId,
    ticket: TicketId,
    words: Value,
) -> Answer {
    let path = format!("/inventory/performances/{performance}/kept-back/{ticket}/release");
    organiser(core).post(&path, words).await
}

impl<'core> House<'core> {
    /// Venue, plan, event, performance in eight hours; published, and all effects settled.
    pub async fn open(core: &'core TestApp) -> Self {
        let house = Self::planned(core).await;
        let path = format!("/events/{}/publish", house.event);
        organiser(core).post(&path, json!({})).await.expect(200);
        core.settle().await;
        house
    }

    /// The same, not published.
    pub async fn planned(core: &'core TestApp) -> Self {
        let house = plan(core, hall(), Duration::hours(8)).await;
        core.settle().await;
        house
    }

    /// Seats by label, and units of the floor, for ten minutes, in a cart of its own with the same id.
    pub fn request(&self, seats: &[&str], units: u32) -> HoldRequest {
        let wanted = |seat: &&str| SeatWanted {
            seat: SeatRef::parse(seat),
            category: None,
        };
        let bucket = BucketWanted {
            bucket: self.floor,
            quantity: units,
            category: None,
        };
        let id = self.core.clock.new_id();
        HoldRequest {
            hold: HoldId(id),
            attempt: AttemptId(self.core.clock.new_id()),
            owner: id,
            customer: Some(Buyer {
                id: CUSTOMER,
                most_held: None,
                seller: None,
            }),
            performance: self.performance,
            seats: seats.iter().map(wanted).collect(),
            buckets: if units == 0 { vec![] } else { vec![bucket] },
            expires_at: self.core.clock.now() + Duration::minutes(10),
        }
    }

    pub fn cause(&self) -> Cause {
        Cause::fresh(&self.core.clock)
    }

    pub async fn hold(&self, request: &HoldRequest) -> Result<Held, HoldError> {
        api::hold(self.core.app(), &self.cause(), request).await
    }

    /// The hold that this takes.
    #[track_caller]
    pub fn held(
        &self,
        seats: &[&str],
        units: u32,
    ) -> impl Future<Output = Held> + Send + use<'_, 'core> {
        let request = self.request(seats, units);
        async move { self.hold(&request).await.expect("the places are free") }
    }

    /// The carts of these holds end.
    pub async fn release(&self, holds: &[HoldId]) {
        for hold in holds {
            let (cart, why) = (ReservationId(hold.as_uuid()), EndReason::UserCancelled);
            api::end_cart(self.core.app(), &self.cause(), cart, why)
                .await
                .expect("the database answers");
        }
    }

    /// The attempt of this request is undone.
    pub async fn undo(&self, request: &HoldRequest) {
        api::undo(
            self.core.app(),
            &self.cause(),
            request.hold,
            request.attempt,
        )
        .await
        .expect("the database answers");
    }

    /// What is left of the seats and of the floor.
    pub async fn left(&self) -> (u32, u32) {
        left(self.core, self.performance).await
    }

    /// `POST /inventory/holds` as a service account.
    pub async fn post_hold(&self, account: &str, key: &str, body: Value) -> Answer {
        let account = self.core.user(account).scope("inventory:hold");
        account.post_with_key("/inventory/holds", key, body).await
    }
}
