//! Alarms that other contexts cause.

use eventify_contracts::ticketing::ScanSuspected;
use eventify_protocol::ids::{GateId, NodeId};
use uuid::Uuid;

use crate::fleet::world::{Venue, alarms_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_suspected_scan_is_an_alarm_of_its_node() {
    let venue = Venue::open().await;
    let node = venue.announce("North door").await.node_id;
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
    let alarms = alarms_of(&admin).await.into_iter();
    let mut found: Vec<_> = alarms
        .map(|alarm| (alarm.code, alarm.node_id, alarm.occurrences))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            ("scan_gate_not_assigned".to_owned(), Some(node), 2),
            ("scan_node_unknown".to_owned(), None, 1),
            ("uplink_key_malformed".to_owned(), None, 1),
        ]
    );
    // The venue sees its own.
    assert_eq!(venue.alarms().await, ["scan_gate_not_assigned"]);
}
