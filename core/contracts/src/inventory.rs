//! What inventory publishes. Each payload says all that its consumers need.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{
    BucketId, GateId, HoldId, OrderId, PerformanceId, SeatId, SeatingPlanId, TicketId, VenueId,
};
use eventify_protocol::token::CategoryCode;
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the others need to know of a venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VenueFacts {
    /// Name.
    pub name: String,
    /// City.
    pub city: Option<String>,
    /// What its clocks show; of a venue of before, UTC.
    #[serde(default)]
    pub time_zone: TimeZone,
    /// Who runs it.
    pub owner_id: Uuid,
    /// Organisation.
    pub org_id: Option<String>,
    /// Whether every organiser may plan performances there.
    pub shared: bool,
}

/// `venue.created`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VenueCreated {
    /// Which.
    pub venue_id: VenueId,
    /// What it is.
    #[serde(flatten)]
    pub facts: VenueFacts,
}

/// `venue.updated`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VenueUpdated {
    /// Which.
    pub venue_id: VenueId,
    /// What it is now.
    #[serde(flatten)]
    pub facts: VenueFacts,
}

/// `seating_plan.defined`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatingPlanDefined {
    /// Which.
    pub seating_plan_id: SeatingPlanId,
    /// Name, unique in the venue.
    pub name: String,
    /// Whose.
    pub venue_id: VenueId,
    /// What the venue is.
    pub venue: VenueFacts,
    /// Numbered seats.
    pub seats: u32,
    /// Standing zones; 0 in what the release before has published.
    #[serde(default)]
    pub zones: u32,
    /// Units of all zones.
    pub zone_capacity: u32,
    /// The sets of categories that seats and zones are meant for; an empty set is any.
    pub category_sets: Vec<Vec<CategoryCode>>,
}

/// `seating.laid_out`: a part of a performance's seats, and with part 0 its zones. From the last
/// part on the performance's stock is complete; parts come in any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatingLaidOut {
    /// Whose.
    pub performance_id: PerformanceId,
    /// From 0.
    pub part: u32,
    /// How many there are, at least 1.
    pub parts: u32,
    /// Seats, in the plan's order.
    pub seats: Vec<LaidOutSeat>,
    /// Zones, in the plan's order.
    pub zones: Vec<LaidOutZone>,
}

/// A seat of a performance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaidOutSeat {
    /// Id.
    pub seat_id: SeatId,
    /// `A-12`
    pub label: String,
    /// Section.
    pub section: String,
    /// Row.
    pub row: String,
    /// Number in its row.
    pub number: String,
    /// The price categories in which it is sold.
    pub categories: Vec<CategoryCode>,
    /// For wheelchair users.
    pub accessible: bool,
    /// Not sold.
    pub blocked: bool,
}

/// A zone of a performance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaidOutZone {
    /// Id.
    pub bucket_id: BucketId,
    /// Name.
    pub zone: String,
    /// Units.
    pub capacity: u32,
    /// The price categories in which it is sold.
    pub categories: Vec<CategoryCode>,
}

/// Units of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketUnits {
    /// Which.
    pub bucket_id: BucketId,
    /// How many.
    pub qty: u32,
}

/// `seats.reserved`: a hold was taken. The aggregate is the hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatsReserved {
    /// Whose places.
    pub performance_id: PerformanceId,
    /// The hold.
    pub hold_id: HoldId,
    /// Labels.
    pub seats: Vec<String>,
    /// Ids, in the order of the labels.
    pub seat_ids: Vec<SeatId>,
    /// Zones.
    pub buckets: Vec<BucketUnits>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// `seats.released`: places of a hold are free again, all or some of them. A hold never takes a
/// place a second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatsReleased {
    /// Whose places.
    pub performance_id: PerformanceId,
    /// The hold.
    pub hold_id: HoldId,
    /// Labels.
    pub seats: Vec<String>,
    /// Ids, in the order of the labels.
    pub seat_ids: Vec<SeatId>,
    /// Zones.
    pub buckets: Vec<BucketUnits>,
}

/// `capacity.adjusted`: a zone has another capacity, or its first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityAdjusted {
    /// Whose.
    pub performance_id: PerformanceId,
    /// Which zone.
    pub bucket_id: BucketId,
    /// Units left.
    pub remaining: u32,
    /// Units in all.
    pub capacity: u32,
}

/// `availability.updated`: what is left, told at most a few times a second however much is sold.
/// The aggregate's version counts up: the newest statement is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvailabilityUpdated {
    /// Whose.
    pub performance_id: PerformanceId,
    /// Seats and units left.
    pub remaining: u32,
    /// Seats and units on sale in all.
    pub capacity: u32,
    /// Seats left, by section.
    pub by_section: Vec<SectionLevel>,
    /// Units left, by zone.
    pub by_bucket: Vec<BucketLevel>,
}

/// Seats of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionLevel {
    /// Section.
    pub section: String,
    /// Seats left.
    pub remaining: u32,
    /// Seats on sale in all.
    pub capacity: u32,
}

/// Units of a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketLevel {
    /// Which.
    pub bucket_id: BucketId,
    /// Units left.
    pub remaining: u32,
    /// Units in all.
    pub capacity: u32,
}

/// `guest.displaced`: a guest is inside on a place that was given back before anybody knew of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestDisplaced {
    /// The guest's ticket.
    pub ticket_id: TicketId,
    /// Its order.
    pub order_id: OrderId,
    /// Whose venue.
    pub venue_id: VenueId,
    /// To what.
    pub performance_id: PerformanceId,
    /// Label of the seat, or name of the zone.
    pub place: Option<String>,
    /// What the place is now.
    pub place_state: PlaceState,
    /// The order that has it now.
    pub sold_to: Option<OrderId>,
    /// When somebody released it; none: it never was kept back.
    pub released_at: Option<DateTime<Utc>>,
    /// Where the guest was admitted.
    pub gate_id: GateId,
    /// Not before, in core time.
    pub earliest: DateTime<Utc>,
    /// Not after.
    pub latest: DateTime<Utc>,
}

/// What a place is that was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceState {
    /// Anybody can buy it.
    Free,
    /// In somebody's cart.
    Held,
    /// Somebody has bought it.
    Sold,
    /// One of many in a zone, and nobody can say which.
    Unnumbered,
}

eventify_kernel::domain_events! { "inventory":
    VenueCreated: "venue.created" as "inventory.venue.created" of venue_id;
    VenueUpdated: "venue.updated" as "inventory.venue.updated" of venue_id;
    SeatingPlanDefined: "seating_plan.defined" as "inventory.seating_plan.defined" of seating_plan_id;
    SeatingLaidOut: "seating.laid_out" as "inventory.seating.laid_out" of performance_id;
    SeatsReserved: "seats.reserved" as "inventory.seats.reserved" of hold_id;
    SeatsReleased: "seats.released" as "inventory.seats.released" of hold_id;
    CapacityAdjusted: "capacity.adjusted" as "inventory.capacity.adjusted" of performance_id;
    GuestDisplaced: "guest.displaced" as "inventory.guest.displaced" of ticket_id;
    AvailabilityUpdated: "availability.updated" as "inventory.availability.updated" of performance_id;
}
