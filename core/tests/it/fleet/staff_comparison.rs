//! The people whom nodes know, compared with those who work at the venue: what was changed behind the core's back is
//! found, told and repaired; what is about to be written is not.

use eventify_protocol::ids::PersonId;
use eventify_protocol::sync::Subject;
use serde_json::json;
use uuid::Uuid;

use crate::fleet::comparison::Scene;
use crate::fleet::staff::{add, id};

const ALARM: &str = "feed_differs_from_staff";

/// Kim works at the venue, and its node knows.
async fn employ_kim(scene: &mut Scene) -> PersonId {
    let kim = scene.venue.core.user("kim");
    let person = id(&add(&scene.venue, &kim, "Kim", &["SUPERVISOR"]).await);
    scene.venue.core.settle().await;
    scene.follow().await;
    person
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whom_the_feed_has_otherwise_is_brought_back_to_the_nodes() {
    let mut scene = Scene::open().await;
    let person = employ_kim(&mut scene).await;
    let subject = Subject::Person(person);
    for (round, tampering) in [
        "delete from feed_state where subject = $1",
        "update feed_state set live = false where subject = $1",
        "update feed_state set version = version + 5 where subject = $1",
        // Another name, or other rights.
        "update feed_state set entry = set_byte(entry, length(entry) - 2,
             (get_byte(entry, length(entry) - 2) + 1) % 256) where subject = $1",
    ]
    .into_iter()
    .enumerate()
    {
        let told = (ALARM, round + 1);
        let details = scene.find_tampering(tampering, subject, told).await;
        assert_eq!(details["restated"], 1);
        assert_eq!(details["personIds"], json!([person]));
    }
    assert_eq!(scene.alarms().await, [], "the tickets were never wrong");
}

/// Whoever stands there could choose a PIN and let people in.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_does_not_work_here_is_removed_everywhere() {
    let mut scene = Scene::open().await;
    let person = employ_kim(&mut scene).await;
    let intruder = PersonId(Uuid::from_u128(6));
    let bytes = |person| minicbor::to_vec(Subject::Person(person)).unwrap();
    let mut conn = scene.venue.core.app().db.read("fleet").await.unwrap();
    sqlx::query(
        "insert into feed_state (venue_id, subject, version, position, live, entry)
         select venue_id, $2, version, position, live, entry from feed_state where subject = $1",
    )
    .bind(bytes(person))
    .bind(bytes(intruder))
    .execute(&mut *conn)
    .await
    .unwrap();
    let head = scene.head().await;
    scene.compare().await;
    assert_eq!(scene.head().await, head + 1);
    scene.follow().await;
    let alarms = scene.alarms_named(ALARM).await;
    assert_eq!(alarms[0].details["unknown"], 1);
    assert_eq!(alarms[0].details["personIds"], json!([intruder]));

    // Who has left, and was written back.
    let before = scene.replica.rows[&Subject::Person(person)].clone();
    let path = format!("/fleet/venues/{}/staff/{person}", scene.venue.id);
    assert_eq!(scene.venue.owner().delete(&path).await.status, 204);
    scene.venue.core.settle().await;
    sqlx::query("update feed_state set live = true, entry = $2 where subject = $1")
        .bind(bytes(person))
        .bind(before.to_bytes())
        .execute(&mut *conn)
        .await
        .unwrap();
    scene.compare().await;
    scene.follow().await;
    for gone in [person, intruder] {
        assert!(!scene.replica.rows.contains_key(&Subject::Person(gone)));
    }
    let alarms = scene.alarms_named(ALARM).await;
    assert_eq!(alarms[0].occurrences, 2);
    assert_eq!(alarms[0].details["personIds"], json!([person]));
    let head = scene.head().await;
    scene.compare().await;
    assert_eq!(scene.head().await, head, "it stays right");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_come_change_and_go_meanwhile_raise_no_false_alarm() {
    let mut scene = Scene::open().await;
    employ_kim(&mut scene).await;
    for round in 0..4 {
        let changing = async {
            let sam = scene.venue.core.user(&format!("sam{round}"));
            let member = add(&scene.venue, &sam, "Sam", &["STEWARD"]).await;
            let path = format!("/fleet/venues/{}/staff/{}", scene.venue.id, id(&member));
            if round % 2 == 0 {
                assert_eq!(scene.venue.owner().delete(&path).await.status, 204);
            }
        };
        tokio::join!(changing, scene.compare());
    }
    scene.venue.core.settle().await;
    let head = scene.head().await;
    scene.compare().await;
    assert_eq!(scene.head().await, head);
    assert_eq!(scene.alarms_named(ALARM).await, []);
}
