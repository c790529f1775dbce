//! Certificates of nodes: renewed by their key, and missed by nobody when they end.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fleet::world::{Node, Venue, hello, renew_with};
use crate::world::replies::NodeShown;
use eventify_protocol::ids::NodeId;
use eventify_protocol::sync::{Down, Up};

fn refused<T: std::fmt::Debug>(answer: Result<T, (StatusCode, Value)>) -> (u16, String) {
    let (status, body) = answer.unwrap_err();
    let code = body["error"]["code"].as_str().unwrap().to_owned();
    (status.as_u16(), code)
}

async fn shown(venue: &Venue, node: NodeId) -> NodeShown {
    let path = format!("/fleet/nodes?venueId={}", venue.id);
    let nodes = venue.owner().get(&path).await.expect(200);
    let nodes: Vec<NodeShown> = serde_json::from_value(nodes["items"].clone()).unwrap();
    nodes.into_iter().find(|it| it.node_id == node).unwrap()
}

/// Part D 3: node certificates end after 90 days, and nothing renewed them.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_renews_its_certificate_by_its_key_before_it_ends() {
    let venue = Venue::open().await;
    let code = venue.announce("North door").await.code;
    let mut enrolled = Node::enrol(&venue, &code).await.unwrap();
    let id = enrolled.answer.node_id;
    let first_end = shown(&venue, id).await.certificate_expires_at.unwrap();

    let early = renew_with(&venue, id, &enrolled.key).await.unwrap();
    assert_eq!(
        early.certificate_chain, enrolled.answer.certificate_chain,
        "too early: the one in force"
    );
    let other_key = rcgen::KeyPair::generate().unwrap();
    assert_eq!(
        refused(renew_with(&venue, id, &other_key).await),
        (404, "node_key_unknown".to_owned())
    );

    venue.core.advance(TimeDelta::days(60));
    let renewed = renew_with(&venue, id, &enrolled.key).await.unwrap();
    assert_ne!(renewed.certificate_chain, early.certificate_chain);
    assert_eq!(renewed.broker, enrolled.answer.broker);
    let again = renew_with(&venue, id, &enrolled.key).await.unwrap();
    assert_eq!(again, renewed, "the first answer was lost");
    let end = shown(&venue, id).await.certificate_expires_at.unwrap();
    let longer = end - first_end;
    assert!(
        (59..=60).contains(&longer.num_days()),
        "{first_end} {end}: 90 days from the renewal"
    );

    venue.core.run_job("fleet", "watch_certificates").await;
    assert!(venue.alarms().await.is_empty());
    enrolled.answer.certificate_chain = renewed.certificate_chain;
    venue.core.settle().await;
}

/// C04: the gate that worked in spring comes back with its journal and its scanners.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_past_its_certificate_comes_back_when_the_console_allows_it() {
    let venue = Venue::open().await;
    let code = venue.announce("North door").await.code;
    let enrolled = Node::enrol(&venue, &code).await.unwrap();
    let id = enrolled.answer.node_id;
    let renewal = format!("/fleet/nodes/{id}/renewal");
    let answer = venue.owner().post(&renewal, json!({})).await;
    answer.assert_refused(409, "certificate_not_expired");

    venue.core.advance(TimeDelta::days(62));
    venue.core.run_job("fleet", "watch_certificates").await;
    assert_eq!(venue.alarms().await, ["certificate_ends"]);

    venue.core.advance(TimeDelta::days(100));
    assert_eq!(
        refused(renew_with(&venue, id, &enrolled.key).await),
        (403, "renewal_not_allowed".to_owned())
    );
    let newest = venue.alarms().await.into_iter().next();
    assert_eq!(newest.as_deref(), Some("node_waits_for_renewal"));

    let stranger = venue.core.user("sam").role("VENUE_IT");
    let answer = stranger.post(&renewal, json!({})).await;
    assert_eq!(answer.status, 403);
    let allowed = venue.owner().post(&renewal, json!({})).await.expect(200);
    assert!(allowed["renewalAllowedUntil"].is_string(), "{allowed}");
    let renewed = renew_with(&venue, id, &enrolled.key).await.unwrap();
    let shown = shown(&venue, id).await;
    assert_eq!((shown.status.as_str(), shown.version), ("enrolled", 2));
    assert_eq!(shown.renewal_allowed_until, None, "used up");
    assert_eq!(shown.label, "North door");
    assert_ne!(renewed.certificate_chain, enrolled.answer.certificate_chain);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_takes_a_renewed_certificate() {
    let venue = Venue::open().await;
    let code = venue.announce("North door").await.code;
    let mut enrolled = Node::enrol(&venue, &code).await.unwrap();
    // Half of its life is over for the core; for the broker all its certificates are young.
    let _one: i32 = venue
        .value(
            "update nodes set certificate_expires_at = now() + interval '20 days'
             where venue_id = $1 returning 1",
        )
        .await;
    let id = enrolled.answer.node_id;
    let renewed = renew_with(&venue, id, &enrolled.key).await.unwrap();
    assert_ne!(renewed.certificate_chain, enrolled.answer.certificate_chain);
    enrolled.answer.certificate_chain = renewed.certificate_chain;
    let mut node = enrolled.connect(&venue).await;
    node.send(Up::Hello(hello(None))).await;
    node.receive("a welcome", |message| {
        matches!(message, Down::Welcome(_)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_node_and_one_that_slept_too_long_renew_nothing() {
    let venue = Venue::open().await;
    let mut keys = Vec::new();
    for label in ["North door", "South door"] {
        let code = venue.announce(label).await.code;
        keys.push(Node::enrol(&venue, &code).await.unwrap());
    }
    let [revoked, asleep] = keys.try_into().ok().unwrap();
    let id = revoked.answer.node_id;
    let revoke = format!("/fleet/nodes/{id}/revoke");
    venue.owner().post(&revoke, json!({})).await.expect(200);
    assert_eq!(
        refused(renew_with(&venue, id, &revoked.key).await),
        (410, "node_revoked".to_owned())
    );
    let allow = format!("/fleet/nodes/{id}/renewal");
    let answer = venue.owner().post(&allow, json!({})).await;
    answer.assert_refused(409, "node_not_enrolled");

    venue.core.advance(TimeDelta::days(90 + 181));
    let id = asleep.answer.node_id;
    assert_eq!(
        refused(renew_with(&venue, id, &asleep.key).await),
        (410, "certificate_too_old".to_owned())
    );
    let allow = format!("/fleet/nodes/{id}/renewal");
    let answer = venue.owner().post(&allow, json!({})).await;
    answer.assert_refused(410, "certificate_too_old");
}
