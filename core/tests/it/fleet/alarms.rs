//! Alarms that other contexts are the reason for.

use eventify_contracts::ticketing::ScanSuspected;
use eventify_protocol::ids::{GateId, NodeId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fleet::world::Venue;

#[tokio::test(flavor = "multi_thread")]
async fn a_suspected_scan_is_an_alarm_of_its_node() {
    let venue = Venue::open().await;
    let announced = venue.announce("North door").await;
    let node: NodeId = serde_json::from_value(announced["nodeId"].clone()).unwrap();
    let gate = GateId(venue.new_id());
    for (node_id, code) in [
        (Some(node), "scan_gate_not_assigned"),
        (Some(node), "scan_gate_not_assigned"),
        (Some(NodeId(Uuid::nil())), "scan_node_unknown"),
        (None, "uplink_key_malformed"),
    ] {
        let suspected = ScanSuspected {
            suspicion_id: venue.new_id(),
            node_id,
            gate_id: Some(gate),
            code: code.to_owned(),
        };
        venue.publish("ticketing", 1, &suspected).await;
    }
    venue.core.settle().await;
    let admin = venue.core.user("ada").role("ADMIN");
    let alarms = admin.get("/fleet/alarms").await.expect(200);
    let mut found: Vec<_> = alarms["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alarm| {
            (
                alarm["code"].clone(),
                alarm["nodeId"].clone(),
                alarm["occurrences"].clone(),
            )
        })
        .collect();
    found.sort_by_key(|(code, ..)| code.to_string());
    assert_eq!(
        found,
        [
            (json!("scan_gate_not_assigned"), json!(node), json!(2)),
            (json!("scan_node_unknown"), Value::Null, json!(1)),
            (json!("uplink_key_malformed"), Value::Null, json!(1)),
        ]
    );
    // The venue sees its own.
    assert_eq!(venue.alarms().await, ["scan_gate_not_assigned"]);
}
