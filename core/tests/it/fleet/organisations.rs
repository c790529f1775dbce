//! A venue belongs to an organisation: its people run it, and nobody of another one does.

use eventify_contracts::inventory::{VenueFacts, VenueUpdated};
use eventify_contracts::ticketing::ScanSuspected;
use serde_json::json;

use crate::fleet::world::{Venue, alarms_of};
use crate::world::User;

/// Somebody with a role in an organisation.
fn member<'core>(venue: &'core Venue, name: &str, role: &str, org: &str) -> User<'core> {
    let user = venue.core.user(name).role(role);
    user.claim("org_id", json!(org))
}

/// Inventory says whose the venue is.
async fn belongs_to(venue: &Venue, version: i32, org: Option<&str>) {
    let facts = VenueFacts {
        name: "Town hall".to_owned(),
        city: None,
        time_zone: "Europe/Paris".parse().unwrap(),
        owner_id: venue.owner().id().await,
        org_id: org.map(str::to_owned),
        shared: false,
    };
    let venue_id = venue.id;
    let updated = VenueUpdated { venue_id, facts };
    venue.publish("inventory", version, &updated).await;
    venue.core.settle().await;
}

/// Part D 8: a colleague on duty sees what is wrong in their own house, whoever made the venue.
#[tokio::test(flavor = "multi_thread")]
async fn a_venues_own_people_run_it_and_no_other_organisations() {
    let venue = Venue::open().await;
    let node = venue.announce("North door").await.node_id;
    belongs_to(&venue, 2, Some("town")).await;
    let ivan = member(&venue, "ivan", "VENUE_IT", "town");
    let eve = member(&venue, "eve", "VENUE_IT", "elsewhere");
    let nobody = member(&venue, "nobody", "VENUE_IT", "");
    let reads = [
        format!("/fleet/nodes?venueId={}", venue.id),
        format!("/fleet/nodes/{node}"),
        format!("/fleet/gates?venueId={}", venue.id),
        format!("/fleet/venues/{}", venue.id),
        format!("/fleet/venues/{}/staff", venue.id),
        format!("/fleet/venues/{}/reconciliation", venue.id),
    ];
    for path in &reads {
        ivan.get(path).await.expect(200);
        for other in [&eve, &nobody] {
            let refused = other.get(path).await;
            refused.assert_refused(403, "forbidden");
        }
    }
    let gate = json!({ "venueId": venue.id, "name": "South" });
    ivan.post("/fleet/gates", gate).await.expect(201);

    // Who appoints others is the owner, or an organiser of the organisation.
    let operators = format!("/fleet/venues/{}/operators", venue.id);
    let appoint = format!("{operators}/{}", venue.new_id());
    assert_eq!(ivan.put(&appoint, json!({})).await.status, 403);
    let olaf = member(&venue, "olaf", "ORGANIZER", "town");
    assert_eq!(olaf.put(&appoint, json!({})).await.status, 204);
    let other = member(&venue, "otto", "ORGANIZER", "elsewhere");
    assert_eq!(other.put(&appoint, json!({})).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alarms_of_a_venue_are_those_of_its_organisation() {
    let venue = Venue::open().await;
    belongs_to(&venue, 2, Some("town")).await;
    let suspected = ScanSuspected {
        suspicion_id: venue.new_id(),
        node_id: Some(venue.announce("North door").await.node_id),
        gate_id: None,
        code: "scan_gate_not_assigned".to_owned(),
    };
    venue.publish("ticketing", 1, &suspected).await;
    venue.core.settle().await;
    let ivan = member(&venue, "ivan", "VENUE_IT", "town");
    let olaf = member(&venue, "olaf", "ORGANIZER", "town");
    let eve = member(&venue, "eve", "VENUE_IT", "elsewhere");
    for who in [&ivan, &olaf] {
        assert_eq!(alarms_of(who).await.len(), 1);
    }
    assert_eq!(alarms_of(&eve).await.len(), 0);

    // The venue is sold; what comes late of the time before changes nothing.
    belongs_to(&venue, 4, Some("elsewhere")).await;
    belongs_to(&venue, 3, Some("town")).await;
    assert_eq!(alarms_of(&ivan).await.len(), 0);
    assert_eq!(alarms_of(&eve).await.len(), 1);
}
