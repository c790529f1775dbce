//! Alarms that other contexts cause.

use eventify_contracts::ticketing::ScanSuspected;
use eventify_protocol::ids::{GateId, NodeId};
use serde_json::json;
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

/// C05, N1: alarms of the gates said what had happened and not what to do about it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_an_alarm_of_a_scan_knows_what_to_do() {
    let venue = Venue::open().await;
    // All that ticketing reports, and one of a release to come.
    let codes = [
        "message_malformed",
        "message_too_large",
        "message_trailing_bytes",
        "message_version",
        "scan_gate_not_assigned",
        "scan_node_unknown",
        "uplink_key_malformed",
        "uplink_kind_mismatch",
        "uplink_sender_mismatch",
    ];
    for code in codes.into_iter().chain(["scan_of_tomorrow"]) {
        let suspected = ScanSuspected {
            suspicion_id: venue.new_id(),
            node_id: None,
            gate_id: None,
            code: code.to_owned(),
        };
        venue.publish("ticketing", 1, &suspected).await;
    }
    venue.core.settle().await;
    let admin = venue.core.user("ada").role("ADMIN");
    let alarms = alarms_of(&admin).await;
    for code in codes {
        let alarm = alarms.iter().find(|alarm| alarm.code == code).expect(code);
        assert!(alarm.act.ends_with('.'), "{alarm:?}");
    }
    let other = alarms.iter().find(|alarm| alarm.code == "scan_suspected");
    let other = other.expect("a code that this release doesn't know");
    assert_eq!(other.details["reason"], "scan_of_tomorrow");
    assert_eq!(alarms.len(), codes.len() + 1);
}

/// C05: an alarm that nobody has to look at any more hid the one that came after it.
#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_seen_until_it_occurs_again() {
    let venue = Venue::open().await;
    let node = venue.announce("North door").await.node_id;
    let occur = async || {
        let suspected = ScanSuspected {
            suspicion_id: venue.new_id(),
            node_id: Some(node),
            gate_id: None,
            code: "scan_gate_not_assigned".to_owned(),
        };
        venue.publish("ticketing", 1, &suspected).await;
        venue.core.settle().await;
        alarms_of(&venue.owner()).await.remove(0)
    };
    let first = occur().await;
    assert_eq!((first.occurrences, first.seen_at), (1, None));
    let path = format!("/fleet/alarms/{}/seen", first.alarm_id.unwrap());
    let once = json!({ "occurrences": 1 });
    let stranger = venue.core.user("sam").role("VENUE_IT");
    let refused = stranger.post(&path, once.clone()).await;
    refused.assert_refused(403, "forbidden");
    venue.owner().post(&path, once.clone()).await.expect(200);
    let admin = venue.core.user("ada").role("ADMIN");
    admin.post(&path, once.clone()).await.expect(200);
    let seen = alarms_of(&venue.owner()).await.remove(0);
    assert!(seen.seen_at.is_some());
    assert_eq!(
        seen.seen_by,
        Some(venue.owner().id().await),
        "who was first"
    );

    let again = occur().await;
    assert_eq!((again.occurrences, again.seen_at), (2, None));
    assert_eq!(again.seen_by, None);
    // Who looked at the first one alone has not seen the second.
    let refused = venue.owner().post(&path, once).await;
    refused.assert_refused(412, "precondition_failed");
    let message = refused.error().message;
    assert!(message.contains("occurred again"), "{message}");
    // Nobody can have seen more than there were.
    let refused = venue.owner().post(&path, json!({ "occurrences": 3 })).await;
    refused.assert_refused(400, "validation_error");
    let message = refused.error().message;
    assert!(message.contains("2 times"), "{message}");
    let unknown = format!("/fleet/alarms/{}/seen", venue.new_id());
    let refused = admin.post(&unknown, json!({ "occurrences": 1 })).await;
    refused.assert_refused(404, "alarm_not_found");
}
