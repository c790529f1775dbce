//! Enrolment, the broker's permissions, and who may run a venue.

use std::time::Duration;

use chrono::TimeDelta;
use eventify_protocol::enrolment::EnrolmentCode;
use eventify_protocol::keys::{KeyUse, RootPublicKey, SignedKeySet};
use eventify_protocol::sync::{Ask, Down, Nonce, PolicyEntry, Up, Value};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fleet::feed::{ask, replica_of, welcome};
use crate::fleet::world::{Node, SECRET, Venue, alarms_of, enrol_with};
use crate::world::replies::NodeShown;
use crate::world::send;

#[tokio::test(flavor = "multi_thread")]
async fn a_code_makes_one_node_and_the_same_key_gets_the_same_answer_again() {
    let venue = Venue::open().await;
    let code = venue.announce("North door").await.code;
    let key = rcgen::KeyPair::generate().unwrap();
    let first = enrol_with(&venue, &code, &key).await.unwrap();
    let again = enrol_with(&venue, &code, &key).await.unwrap();
    assert_eq!(
        first, again,
        "the first answer was lost, the second is the same"
    );
    assert_eq!(first.label, "North door");

    let (status, body) = Node::enrol(&venue, &code).await.map(drop).unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT, "another key");
    assert_eq!(body["error"]["code"], "enrolment_code_used");

    venue.core.advance(TimeDelta::minutes(16));
    let (status, _) = enrol_with(&venue, &code, &key).await.unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT, "the code's time is over");

    let stored: Vec<u8> = venue
        .value("select code_hash from nodes where venue_id = $1")
        .await;
    let secret = code.parse::<EnrolmentCode>().unwrap().secret;
    assert_eq!(stored, secret.hash().0, "the secret itself is not stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_not_announced_where_no_code_can_be_made() {
    let venue = Venue::limited(&[("fleet.enrolment_listen", "")]).await;
    let node = json!({ "venueId": venue.id, "label": "North door", "gates": [] });
    let refused = venue.owner().post("/fleet/nodes", node).await;
    assert_eq!(
        (refused.status, refused.code()),
        (503, "enrolment_not_configured")
    );
    let nodes = format!("/fleet/nodes?venueId={}", venue.id);
    let nodes = venue.owner().get(&nodes).await.expect(200);
    assert_eq!(nodes["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_leave_room_for_a_node() {
    let limits = [
        ("http.max_connections", "4"),
        ("http.header_timeout_ms", "300"),
    ];
    let venue = Venue::limited(&limits).await;
    let address = venue.core.listener("enrolment");
    let mut connections = Vec::new();
    for _ in 0..5 {
        connections.push(TcpStream::connect(address).await.unwrap());
    }
    // The fifth is refused at once, long before a handshake takes too long.
    let mut end = [0];
    let read = timeout(Duration::from_secs(5), connections[4].read(&mut end)).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    drop(connections);
    let code = venue.announce("North door").await.code;
    let key = rcgen::KeyPair::generate().unwrap();
    // The core notices a closed connection a little later.
    let address = format!("https://{address}/fleet/enrolments");
    let connecting = async { while !is_served(&address).await {} };
    timeout(Duration::from_secs(20), connecting).await.unwrap();
    enrol_with(&venue, &code, &key).await.unwrap();
}

/// Whether there is a place for a connection.
async fn is_served(address: &str) -> bool {
    let client = reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    client.get(address).send().await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_expires_and_made_up_ones_are_unknown() {
    let venue = Venue::open().await;
    let code = venue.announce("North door").await.code;
    let mut made_up: EnrolmentCode = code.parse().unwrap();
    made_up.secret.0[0] ^= 1;
    let (status, body) = Node::enrol(&venue, &made_up.to_string())
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["error"]["code"], "enrolment_code_unknown");

    venue.core.advance(TimeDelta::minutes(15));
    let (status, body) = Node::enrol(&venue, &code).await.map(drop).unwrap_err();
    assert_eq!(status, StatusCode::GONE);
    assert_eq!(body["error"]["code"], "enrolment_code_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_holds_all_that_a_node_needs_and_the_broker_takes_its_certificate() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let answer = &node.enrolled.answer;
    let bytes = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap()
    };
    let root = RootPublicKey::from_bytes(&bytes(&answer.root_key)).unwrap();
    let keys = SignedKeySet::from_bytes(bytes(&answer.key_set))
        .verify(&root)
        .unwrap();
    assert!(
        keys.keys()
            .iter()
            .any(|entry| entry.key_use == KeyUse::Sync)
    );

    let point = ask(&mut node, &keys, 7).await;
    assert_eq!(
        (point.nonce, point.node, point.venue),
        (Nonce([7; 16]), node.id, venue.id)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_let_in_under_its_own_client_id_only_and_not_at_all_when_revoked() {
    let venue = Venue::open().await;
    let other = venue.node("South door").await;
    let announced = venue.announce("North door").await;
    let node = Node::enrol(&venue, &announced.code).await.unwrap();
    let refused = node.try_connect(&other.id.to_string()).await;
    assert!(
        refused.is_err(),
        "it would have disconnected the other node"
    );
    assert_eq!(venue.alarms().await, ["broker_refused"]);
    assert!(
        node.try_connect(&node.answer.node_id.to_string())
            .await
            .is_ok()
    );

    let path = format!("/fleet/nodes/{}/revoke", node.answer.node_id);
    let revoked: NodeShown = venue.owner().post(&path, json!({})).await.read(200);
    assert_eq!(revoked.status, "revoked");
    assert!(
        node.try_connect(&node.answer.node_id.to_string())
            .await
            .is_err()
    );
}

/// A session costs the broker more than what a node sends in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_begins_sessions_without_end_is_let_in_now_and_then_and_no_other_waits() {
    let venue = Venue::open().await;
    let floods = venue.node("South door").await;
    let announced = venue.announce("North door").await;
    let other = Node::enrol(&venue, &announced.code).await.unwrap();
    let own = floods.id.to_string();
    let mut taken = 0;
    while floods.enrolled.try_connect(&own).await.is_ok() {
        taken += 1;
        assert!(taken < 200, "it begins sessions without end");
    }
    assert!(taken >= 20, "a line that flaps is no flood: {taken}");
    assert_eq!(venue.alarms().await, ["node_floods"]);
    let id = other.answer.node_id.to_string();
    assert!(other.try_connect(&id).await.is_ok(), "another waits for it");
    // What one certificate causes without end is not written without end.
    let mut denied = 1;
    while denied < 20 {
        denied += u32::from(floods.enrolled.try_connect(&own).await.is_err());
    }
    let alarms = alarms_of(&venue.owner()).await;
    assert!(alarms[0].occurrences < denied, "{}", alarms[0].occurrences);
    venue.core.advance(TimeDelta::seconds(5));
    assert!(
        floods.enrolled.try_connect(&own).await.is_ok(),
        "it may again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_node_gets_its_revocation_and_the_broker_disconnects_it() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    let path = format!("/fleet/nodes/{}/revoke", node.id);
    venue.owner().post(&path, json!({})).await.expect(200);
    let revoked = |message| match message {
        Down::Config(config) => Some(config.revoked),
        _ => None,
    };
    assert!(node.receive("its revocation", revoked).await);
    let ask = Up::Ask(Ask {
        nonce: Nonce([1; 16]),
    });
    node.send(ask.clone()).await;
    assert_eq!(
        node.receive_rest().await,
        [],
        "the broker closes the connection"
    );
}

/// S24: bodies that never came held all places of the listener, and no node could connect.
#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_listener_reads_nothing_of_a_stranger_and_waits_long_for_nobody() {
    let venue = Venue::limited(&[("http.request_timeout_ms", "1000")]).await;
    for (secret, status) in [("guessed", " 404 "), (SECRET, " 503 ")] {
        let address = venue.core.listener("broker_auth");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /{secret}/broker/user HTTP/1.1\r\nhost: core\r\ncontent-length: 99\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\nusername"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = timeout(Duration::from_secs(8), connection.read_to_end(&mut answer));
        closed.await.expect("it is closed").unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(status), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_are_run_by_their_own_people() {
    let venue = Venue::open().await;
    let gate = json!({ "venueId": venue.id, "name": "North" });
    let stranger = venue.core.user("stan").role("VENUE_IT");
    assert_eq!(
        stranger.post("/fleet/gates", gate.clone()).await.status,
        403
    );
    let customer = venue.core.user("carl").role("CUSTOMER");
    assert_eq!(
        customer.post("/fleet/gates", gate.clone()).await.status,
        403
    );
    assert_eq!(
        venue
            .core
            .anybody()
            .post("/fleet/gates", gate.clone())
            .await
            .status,
        401
    );

    let path = format!(
        "/fleet/venues/{}/operators/{}",
        venue.id,
        stranger.id().await
    );
    assert_eq!(
        stranger.put(&path, json!({})).await.status,
        403,
        "nobody appoints himself"
    );
    assert_eq!(venue.owner().put(&path, json!({})).await.status, 204);
    assert_eq!(
        stranger.post("/fleet/gates", gate.clone()).await.status,
        201
    );
    assert_eq!(venue.owner().delete(&path).await.status, 204);
    // Somebody else's id, or one that is gone, has not been dismissed now.
    let refused = venue.owner().delete(&path).await.expect(404);
    assert_eq!(refused["error"]["code"], "operator_not_found");
    let gates = format!("/fleet/gates?venueId={}", venue.id);
    assert_eq!(stranger.get(&gates).await.status, 403);
    assert_eq!(
        venue.owner().get(&gates).await.expect(200)["items"][0]["name"],
        "North"
    );

    let unknown = json!({ "venueId": venue.new_id(), "name": "North" });
    let answer = venue.owner().post("/fleet/gates", unknown).await;
    answer.assert_refused(404, "venue_not_found");
    let twice = venue.owner().post("/fleet/gates", gate).await;
    twice.assert_refused(409, "name_taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venues_procedure_reaches_its_nodes_and_stays_when_the_limit_changes() {
    let venue = Venue::open().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    drop(replica_of(&mut node, &answer).await);
    let path = format!("/fleet/venues/{}/policy", venue.id);
    let body = json!({ "maxCacheAgeMs": 0, "procedure": [" Keep the queue", "", "Call 12 34"] });
    let stranger = venue.core.user("stan").role("VENUE_IT");
    let refused = stranger.put(&path, body.clone()).await;
    assert_eq!(refused.status, 403, "somebody else's venue");
    let set = venue.owner().put(&path, body).await.expect(200);
    let steps = ["Keep the queue", "Call 12 34"];
    assert_eq!(set["procedure"], json!(steps));
    assert_eq!(set["search"], false, "off until somebody switches it on");
    let later = json!({ "maxCacheAgeMs": 300_000 });
    venue.owner().put(&path, later).await.expect(200);
    let shown = format!("/fleet/venues/{}", venue.id);
    let shown = venue.owner().get(&shown).await.expect(200);
    assert_eq!(shown["policy"]["procedure"], json!(steps));
    let in_force = PolicyEntry {
        max_cache_age_ms: 300_000,
        procedure: Some(steps.map(str::to_owned).to_vec()),
        ..PolicyEntry::default()
    };
    let has_it = |message| match message {
        Down::Delta(delta) => delta
            .entries
            .into_iter()
            .any(|entry| entry.value == Some(Value::Policy(in_force.clone())))
            .then_some(()),
        _ => None,
    };
    node.receive("the policy", has_it).await;
    let long = json!({ "maxCacheAgeMs": 0, "procedure": vec!["step"; 7] });
    let refused = venue.owner().put(&path, long).await;
    assert_eq!(refused.code(), "validation_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_never_exceeds_the_limit_of_the_protocol() {
    let venue = Venue::open().await;
    let path = format!("/fleet/venues/{}/policy", venue.id);
    let set = |millis: i64| {
        let body = json!({ "maxCacheAgeMs": millis });
        let (owner, path) = (venue.owner(), path.clone());
        async move { owner.put(&path, body).await }
    };
    assert_eq!(set(300_001).await.code(), "validation_error");
    assert_eq!(set(-1).await.status, 400);
    assert_eq!(set(300_000).await.expect(200)["maxCacheAgeMs"], 300_000);
    assert_eq!(set(0).await.expect(200)["maxCacheAgeMs"], 0);
}

/// S27: whether a version is the newest is a word about a venue, and not for strangers.
#[tokio::test(flavor = "multi_thread")]
async fn who_runs_another_venue_learns_no_version_of_gates_and_nodes() {
    let venue = Venue::open().await;
    let gate = venue.gate("North").await;
    let node = venue.announce("North door").await.node_id;
    let stranger = venue.core.user("sam").role("VENUE_IT");
    for (path, plan) in [
        (
            format!("/fleet/nodes/{node}"),
            json!({ "label": "Mine", "gates": [] }),
        ),
        (
            format!("/fleet/gates/{gate}"),
            json!({ "name": "Mine", "performances": [], "categories": [] }),
        ),
    ] {
        for version in ["\"1\"", "\"2\"", "\"77\""] {
            let request = stranger.request(Method::PUT, &path).json(&plan);
            let refused = send(request.header("If-Match", version)).await;
            refused.assert_refused(403, "forbidden");
        }
        let request = venue.owner().request(Method::PUT, &path).json(&plan);
        let stale = send(request.header("If-Match", "\"77\"")).await;
        stale.assert_refused(412, "precondition_failed");
    }
}
