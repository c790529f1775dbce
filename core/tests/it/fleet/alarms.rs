//! Alarms that other contexts cause.

use chrono::TimeDelta;
use eventify_contracts::ticketing::ScanSuspected;
use eventify_protocol::ids::{GateId, NodeId, PerformanceId};
use eventify_protocol::lan::JournalFault;
use eventify_protocol::sync::{Health, Position, Up};
use eventify_protocol::verdict::Mode;
use serde_json::json;
use uuid::Uuid;

use crate::fleet::world::{Enrolled, Node, Venue, alarms_of, alarms_where, performance};
use crate::world::{User, until};

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
async fn what_has_happened_is_over_when_somebody_has_acknowledged_it_by_name() {
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
    let listed = async || alarms_of(&venue.owner()).await.remove(0);
    let first = occur().await;
    assert_eq!((first.occurrences, first.state.as_str()), (1, "open"));
    assert_eq!(first.node_label.as_deref(), Some("North door"));
    let path = format!("/fleet/alarms/{}/acknowledge", first.alarm_id);
    let once = json!({ "occurrences": 1, "name": "Sam, duty manager" });
    let stranger = venue.core.user("sam").role("VENUE_IT");
    let refused = stranger.post(&path, once.clone()).await;
    refused.assert_refused(403, "forbidden");

    let again = occur().await;
    assert_eq!((again.occurrences, again.alarm_id), (2, first.alarm_id));
    // Who read the first one alone has not read the second.
    let refused = venue.owner().post(&path, once.clone()).await;
    refused.assert_refused(412, "precondition_failed");
    let message = refused.error().message;
    assert!(message.contains("again meanwhile, 2 times"), "{message}");
    assert_eq!(listed().await.state, "open", "a refusal changes nothing");
    // Who takes up one that occurs each second has not to be faster than it.
    let name = json!({ "name": "Sam, duty manager" });
    venue.owner().post(&path, name).await.expect(200);
    let taken = listed().await;
    let by = taken.acknowledged_name.as_deref();
    assert_eq!(by, Some("Sam, duty manager"));
    assert_eq!((taken.occurrences, taken.ended_at), (2, None));
    assert_eq!(taken.state, "acknowledged");
    let again = occur().await;
    assert_eq!((again.occurrences, again.alarm_id), (3, first.alarm_id));
    assert_eq!(again.state, "acknowledged", "somebody is on it");
    let twice = json!({ "occurrences": 2 });
    let refused = venue.owner().post(&path, twice).await;
    refused.assert_refused(412, "precondition_failed");
    let message = refused.error().message;
    assert!(message.contains("3 times"), "{message}");
    // Nobody can have read more than there were.
    let refused = venue.owner().post(&path, json!({ "occurrences": 4 })).await;
    refused.assert_refused(400, "validation_error");
    let message = refused.error().message;
    assert!(message.contains("3 times"), "{message}");
    let hidden = json!({ "occurrences": 3, "name": "Sam\u{202e}mas" });
    let refused = venue.owner().post(&path, hidden).await;
    refused.assert_refused(400, "validation_error");

    let all = json!({ "occurrences": 3, "name": "Kim, night shift" });
    venue.owner().post(&path, all).await.expect(200);
    let admin = venue.core.user("ada").role("ADMIN");
    admin
        .post(&path, json!({ "occurrences": 3 }))
        .await
        .expect(200);
    assert_eq!(venue.alarms().await, Vec::<String>::new(), "it is over");
    let ended = alarms_where(&venue.owner(), "state=ended").await.remove(0);
    let name = ended.acknowledged_name.as_deref();
    assert_eq!(name, Some("Sam, duty manager"), "who was first");
    assert_eq!(ended.acknowledged_by, Some(venue.owner().id().await));
    assert!(ended.ended_at.is_some());

    let anew = occur().await;
    assert_eq!((anew.occurrences, anew.state.as_str()), (1, "open"));
    assert_ne!(anew.alarm_id, first.alarm_id);
    let unknown = format!("/fleet/alarms/{}/acknowledge", venue.new_id());
    let refused = admin.post(&unknown, json!({ "occurrences": 1 })).await;
    refused.assert_refused(404, "alarm_not_found");
}

/// An enrolled node of a gate that a show needs.
async fn gate_with_show(venue: &Venue) -> (NodeId, Show) {
    let node = enrolled(venue).await.answer.node_id;
    let show = Show::in_minutes(venue, 30).await;
    (node, show)
}

/// A node of the gate `Gate 1`.
async fn enrolled(venue: &Venue) -> Enrolled {
    let gate = venue.gate("Gate 1").await;
    let plan = json!({ "venueId": venue.id, "label": "North door", "gates": [gate] });
    let announced = venue.owner().post("/fleet/nodes", plan).await.expect(201);
    let code = announced["code"].as_str().unwrap();
    Node::enrol(venue, code).await.unwrap()
}

struct Show {
    id: PerformanceId,
}

impl Show {
    /// Of the organiser Olaf.
    async fn in_minutes(venue: &Venue, minutes: i64) -> Self {
        let from = venue.core.clock.now() + TimeDelta::minutes(minutes);
        let mut scheduled = performance(venue.id, from);
        let organiser = venue.core.user("olaf").role("ORGANIZER");
        scheduled.facts.owner_id = organiser.id().await;
        venue.publish("event_management", 1, &scheduled).await;
        venue.core.settle().await;
        Self {
            id: scheduled.performance_id,
        }
    }
}

/// A gate that answered every scan with an error said `Online`, and nobody was told.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_can_not_write_its_journal_is_an_alarm_until_it_can() {
    let venue = Venue::open().await;
    let node = enrolled(&venue).await.connect(&venue).await;
    Show::in_minutes(&venue, 30).await;
    const FAULTY: &str = "select count(*) from fleet.node_health join fleet.nodes using (node_id)
         where venue_id = $1 and journal_fault = 'held'";
    const WELL: &str = "select count(*) from fleet.node_health join fleet.nodes using (node_id)
         where venue_id = $1 and journal_fault is null";
    for (fault, stored, stops) in [
        (Some(JournalFault::Held), FAULTY, vec!["gate_faulty"]),
        (None, WELL, vec![]),
    ] {
        node.send(Up::Health(Health {
            mode: Mode::Online,
            cache_age_ms: Some(0),
            head: Position(0),
            unacknowledged: 0,
            free_bytes: 1 << 40,
            software: "1.0".to_owned(),
            mode_number: Some(1),
            unreadable: None,
            journal_fault: fault,
        }))
        .await;
        let is_stored = async || venue.value::<i64>(stored).await == 1;
        until("the report is stored", is_stored).await;
        venue.core.run_job("fleet", "watch_gates").await;
        assert_eq!(codes(&venue.owner(), "stops=gates").await, stops);
    }
}

/// What the core stores of a node's report of now.
async fn report(venue: &Venue, node: NodeId, mode: &str) {
    let now = venue.core.clock.now();
    let mut conn = venue.core.app().db.read("fleet").await.unwrap();
    sqlx::query(
        "insert into node_health (node_id, seen_at, mode, mode_since, mode_changes, cache_age_ms,
             head, unacknowledged, free_bytes, software)
         values ($1, $2, $3, $2, 1, 0, 0, 0, 1099511627776, 'test')
         on conflict (node_id) do update set seen_at = excluded.seen_at, mode = excluded.mode",
    )
    .bind(node)
    .bind(now)
    .bind(mode)
    .execute(&mut *conn)
    .await
    .unwrap();
}

async fn codes(user: &User<'_>, query: &str) -> Vec<String> {
    let mut codes: Vec<_> = alarms_where(user, query)
        .await
        .into_iter()
        .map(|it| it.code)
        .collect();
    codes.sort();
    codes
}

/// A gate that was cut off, or locked, was seen nowhere at the core.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_goes_silent_before_the_doors_is_an_alarm_until_it_is_heard() {
    let venue = Venue::open().await;
    venue
        .owner()
        .put(
            &format!("/fleet/venues/{}/policy", venue.id),
            json!({ "maxCacheAgeMs": 300_000 }),
        )
        .await
        .expect(200);
    let (node, show) = gate_with_show(&venue).await;
    let watch = async || venue.core.run_job("fleet", "watch_gates").await;
    report(&venue, node, "Online").await;
    watch().await;
    assert_eq!(venue.alarms().await, Vec::<String>::new());

    venue.core.advance(TimeDelta::seconds(31));
    watch().await;
    watch().await;
    let alarms = alarms_of(&venue.owner()).await;
    let [cut_off] = &alarms[..] else {
        panic!("{alarms:?}")
    };
    assert_eq!(cut_off.code, "gate_cut_off");
    assert_eq!(cut_off.gates, ["Gate 1"]);
    assert_eq!(cut_off.details["performance"], "Evening concert");
    assert_eq!(cut_off.details["lastMode"], "Online");
    let path = format!("/fleet/nodes?venueId={}", venue.id);
    let nodes = venue.owner().get(&path).await.expect(200);
    let health = &nodes["items"][0]["health"];
    assert_eq!(
        health["silentSince"], health["seenAt"],
        "its mode is what it said then"
    );

    // Somebody is on the way; it stands all the same, with the name.
    let by = json!({ "occurrences": cut_off.occurrences, "name": "Sam" });
    let path = format!("/fleet/alarms/{}/acknowledge", cut_off.alarm_id);
    venue.owner().post(&path, by).await.expect(200);
    venue.core.advance(TimeDelta::seconds(270));
    watch().await;
    assert_eq!(
        codes(&venue.owner(), "state=acknowledged").await,
        ["gate_cut_off"]
    );
    assert_eq!(codes(&venue.owner(), "state=open").await, ["gate_locked"]);
    let locked = alarms_where(&venue.owner(), "code=gate_locked")
        .await
        .remove(0);
    assert_eq!(locked.details["presumed"], true);

    // The show's organiser reads them, and another one's doesn't.
    let olaf = venue.core.user("olaf").role("ORGANIZER");
    let both = ["gate_cut_off", "gate_locked"];
    assert_eq!(codes(&olaf, "state=standing").await, both);
    let of_show = format!("performanceId={}", show.id);
    assert_eq!(codes(&olaf, &of_show).await, both);
    let other = venue.core.user("otto").role("ORGANIZER");
    assert_eq!(codes(&other, "state=all").await, Vec::<String>::new());

    // The fact ends them.
    report(&venue, node, "Online").await;
    watch().await;
    assert_eq!(venue.alarms().await, Vec::<String>::new());
    let ended = alarms_where(&venue.owner(), "state=ended").await;
    assert_eq!(ended.len(), 2, "each once: {ended:?}");
    let sam = ended.iter().find_map(|it| it.acknowledged_name.as_deref());
    assert_eq!(sam, Some("Sam"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_reports_that_it_is_locked_while_a_show_needs_it_is_an_alarm() {
    let venue = Venue::open().await;
    let (node, _) = gate_with_show(&venue).await;
    report(&venue, node, "Locked").await;
    venue.core.run_job("fleet", "watch_gates").await;
    let alarm = alarms_of(&venue.owner()).await.remove(0);
    assert_eq!(alarm.code, "gate_locked");
    assert_eq!(alarm.details["presumed"], false);
    assert!(
        alarm.act.contains("another") || alarm.act.contains("a gate that works"),
        "{}",
        alarm.act
    );
}

/// The list had no filters, and a seen alarm stayed in it.
#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_found_by_state_venue_code_and_time() {
    let venue = Venue::open().await;
    let (node, _) = gate_with_show(&venue).await;
    report(&venue, node, "Locked").await;
    venue.core.run_job("fleet", "watch_gates").await;
    let suspected = ScanSuspected {
        suspicion_id: venue.new_id(),
        node_id: None,
        gate_id: None,
        code: "scan_node_unknown".to_owned(),
    };
    venue.publish("ticketing", 1, &suspected).await;
    venue.core.settle().await;
    let admin = venue.core.user("ada").role("ADMIN");
    assert_eq!(
        codes(&admin, "state=open").await,
        ["gate_locked", "scan_node_unknown"]
    );
    let of_venue = format!("venueId={}", venue.id);
    assert_eq!(codes(&admin, &of_venue).await, ["gate_locked"]);
    let of_node = format!("nodeId={node}");
    assert_eq!(codes(&admin, &of_node).await, ["gate_locked"]);
    assert_eq!(
        codes(&admin, "code=scan_node_unknown").await,
        ["scan_node_unknown"]
    );
    assert_eq!(codes(&admin, "stops=gates").await, ["gate_locked"]);
    assert!(codes(&admin, "stops=sales").await.is_empty());
    let later = venue.core.clock.now() + TimeDelta::hours(1);
    let later = later.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    assert_eq!(
        codes(&admin, &format!("since={later}")).await,
        Vec::<String>::new()
    );
    let page = admin.get("/fleet/alarms?size=1&page=2").await.expect(200);
    assert_eq!(
        (&page["total"], page["items"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
    admin
        .get("/fleet/alarms?state=seen")
        .await
        .assert_refused(400, "validation_error");
}
