//! A venue's time zone, at its nodes and in the mails about it.

use eventify_contracts::inventory::{VenueFacts, VenueUpdated};
use eventify_protocol::sync::Down;

use crate::fleet::feed::welcome;
use crate::fleet::world::{Node, Venue};

async fn told(node: &mut Node) -> String {
    node.receive("a time zone", |message| match message {
        Down::Config(config) => config.time_zone,
        _ => None,
    })
    .await
}

async fn move_to(venue: &Venue, version: i32, zone: &str) {
    let facts = VenueFacts {
        name: "Town hall".to_owned(),
        city: None,
        time_zone: zone.parse().unwrap(),
        owner_id: venue.owner().id().await,
        org_id: None,
        shared: false,
    };
    let venue_id = venue.id;
    let updated = VenueUpdated { venue_id, facts };
    venue.publish("inventory", version, &updated).await;
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_learns_what_its_venues_clocks_show_at_once_and_with_each_hello() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    welcome(&mut node, None).await;
    assert_eq!(told(&mut node).await, "Europe/Paris");
    move_to(&venue, 2, "Asia/Tokyo").await;
    venue.core.run_job("fleet", "send_time_zones").await;
    assert_eq!(told(&mut node).await, "Asia/Tokyo");
    // What came late changes nothing.
    node.received();
    move_to(&venue, 1, "Africa/Lagos").await;
    welcome(&mut node, None).await;
    assert_eq!(told(&mut node).await, "Asia/Tokyo");
}
