//! Who works at a venue: added, changed and ended by those who run it, and known to its nodes.

use eventify_protocol::ids::{PersonId, ScanId};
use eventify_protocol::staff::StaffRole;
use eventify_protocol::sync::{
    Down, FeedEntry, PersonEntry, PolicyEntry, Subject, Up, Value as Entry,
};
use eventify_protocol::verdict::{Mode, Verdict};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::fleet::feed::{replica_of, welcome};
use crate::fleet::journal::Journal;
use crate::fleet::world::{Node, Venue};
use crate::world::{User, until};

fn path(venue: &Venue) -> String {
    format!("/fleet/venues/{}/staff", venue.id)
}

/// Adds somebody by our own id of their account.
pub(crate) async fn add(venue: &Venue, who: &User<'_>, name: &str, roles: &[&str]) -> Value {
    let new = json!({ "userId": who.id().await, "name": name, "roles": roles });
    venue.owner().post(&path(venue), new).await.expect(201)
}

async fn edit(venue: &Venue, member: &Value, version: &str, plan: Value) -> (u16, Value) {
    let owner = venue.owner();
    let path = format!("{}/{}", path(venue), member["personId"].as_str().unwrap());
    let request = owner
        .request(Method::PUT, &path)
        .header("If-Match", version);
    let answer = request.json(&plan).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

pub(crate) fn id(member: &Value) -> PersonId {
    serde_json::from_value(member["personId"].clone()).unwrap()
}

/// The next entry about somebody that the node gets.
async fn entry(node: &mut Node, person: PersonId) -> FeedEntry {
    node.receive("an entry", |message| match message {
        Down::Delta(delta) => {
            let mut entries = delta.entries.into_iter();
            entries.find(|entry| entry.subject == Subject::Person(person))
        }
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_to_the_node_change_there_and_are_gone_at_once() {
    let venue = Venue::open().await;
    let sam = venue.core.user("sam");
    let before = add(&venue, &venue.core.user("kim"), "Kim", &["SUPERVISOR"]).await;
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    // Who was there before comes with the snapshot.
    let welcomed = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &welcomed).await;
    let kim = replica
        .rows
        .get(&Subject::Person(id(&before)))
        .expect("Kim");
    let expected = PersonEntry {
        name: "Kim".to_owned(),
        roles: vec![StaffRole::Supervisor],
    };
    assert_eq!(kim.value, Some(Entry::Person(expected)));

    let member = add(&venue, &sam, " Sam ", &["BOX_OFFICE", "STEWARD"]).await;
    assert_eq!(member["name"], "Sam");
    assert_eq!(id(&member).0.get_version_num(), 4, "says nothing of when");
    let added = entry(&mut node, id(&member)).await;
    let roles = vec![StaffRole::Steward, StaffRole::BoxOffice];
    let expected = PersonEntry {
        name: "Sam".to_owned(),
        roles,
    };
    assert_eq!(
        (added.version, added.value),
        (1, Some(Entry::Person(expected)))
    );

    let plan = json!({ "name": "Sam B.", "roles": ["SUPERVISOR"] });
    let (status, changed) = edit(&venue, &member, "\"1\"", plan.clone()).await;
    assert_eq!((status, &changed["version"]), (200, &json!(2)));
    let (status, _) = edit(&venue, &member, "\"1\"", plan.clone()).await;
    assert_eq!(status, 412, "somebody else was first");
    assert_eq!(entry(&mut node, id(&member)).await.version, 2);

    let one = format!("{}/{}", path(&venue), id(&member));
    for _ in 0..2 {
        assert_eq!(venue.owner().delete(&one).await.status, 204);
    }
    let gone = entry(&mut node, id(&member)).await;
    assert_eq!((gone.version, gone.value), (3, None));
    let (status, body) = edit(&venue, &member, "\"3\"", plan).await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (410, Some("person_ended"))
    );
    let list = venue.owner().get(&path(&venue)).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let all = format!("{}?ended=true", path(&venue));
    let all = venue.owner().get(&all).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    // Who comes back is another person.
    let again = add(&venue, &sam, "Sam", &["STEWARD"]).await;
    assert_ne!(again["personId"], member["personId"]);
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_run_the_venue_see_and_change_its_people() {
    let venue = Venue::open().await;
    let sam = venue.core.user("sam");
    let member = add(&venue, &sam, "Sam", &["STEWARD"]).await;
    let one = format!("{}/{}", path(&venue), id(&member));
    let new = json!({ "userId": sam.id().await, "name": "Eve", "roles": ["SUPERVISOR"] });
    let other_venues = venue.core.user("otto").role("VENUE_IT");
    let steward = venue.core.user("sam").role("STEWARD").role("SUPERVISOR");
    for stranger in [&other_venues, &steward] {
        let listed = stranger.get(&path(&venue)).await;
        listed.assert_refused(403, "forbidden");
        let added = stranger.post(&path(&venue), new.clone()).await;
        added.assert_refused(403, "forbidden");
        stranger.delete(&one).await.assert_refused(403, "forbidden");
    }
    let admin = venue.core.user("ada").role("ADMIN");
    assert_eq!(admin.get(&path(&venue)).await.status, 200);
    // Somebody of another venue is nobody here.
    let unknown = format!("{}/{}", path(&venue), venue.new_id());
    let answer = venue.owner().delete(&unknown).await;
    answer.assert_refused(404, "person_not_found");
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_one_person_at_a_venue_named_by_our_id_or_the_providers() {
    let venue = Venue::open().await;
    let issuer = venue.core.issuer_url();
    let new = |account: Value, name: &str| {
        let mut new = json!({ "name": name, "roles": ["STEWARD"] });
        for (key, value) in account.as_object().unwrap() {
            new[key] = value.clone();
        }
        new
    };
    // The provider's name is enough before anybody was here, and is the same account.
    let by_subject = json!({ "issuer": issuer, "subject": "sam" });
    let owner = venue.owner();
    let added = owner.post(&path(&venue), new(by_subject, "Sam")).await;
    let added = added.expect(201);
    let sam = venue.core.user("sam");
    assert_eq!(added["userId"], json!(sam.id().await));
    let by_id = json!({ "userId": sam.id().await });
    let twice = owner.post(&path(&venue), new(by_id.clone(), "Sam")).await;
    twice.assert_refused(409, "account_taken");
    for (account, name, field) in [
        (
            json!({ "issuer": "https://evil.example", "subject": "sam" }),
            "S",
            "issuer",
        ),
        (json!({ "issuer": issuer, "subject": "" }), "S", "subject"),
        (json!({ "issuer": issuer }), "S", "userId"),
        (by_id, "", "name"),
    ] {
        let answer = owner.post(&path(&venue), new(account, name)).await;
        answer.assert_refused(400, "validation_error");
        assert_eq!(answer.body["error"]["details"][0]["field"], field);
    }
    venue.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_that_wants_shifts_tells_its_nodes_and_keeps_its_limit() {
    let venue = Venue::open().await;
    let policy = format!("/fleet/venues/{}/policy", venue.id);
    let set = json!({ "maxCacheAgeMs": 60_000, "shiftNeeded": true });
    let set = venue.owner().put(&policy, set).await.expect(200);
    assert_eq!(set["shiftNeeded"], true);
    // What is left out stays.
    let less = json!({ "maxCacheAgeMs": 30_000 });
    let less = venue.owner().put(&policy, less).await.expect(200);
    assert_eq!(
        (&less["shiftNeeded"], &less["maxCacheAgeMs"]),
        (&json!(true), &json!(30_000))
    );
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    let welcomed = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &welcomed).await;
    let expected = PolicyEntry {
        max_cache_age_ms: 30_000,
        shift_needed: Some(true),
        ..PolicyEntry::default()
    };
    let row = replica.rows.get(&Subject::Policy).unwrap();
    assert_eq!(row.value, Some(Entry::Policy(expected)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_says_who_was_on_shift() {
    let venue = Venue::open().await;
    let node = venue.node("North door").await;
    let person = PersonId(Uuid::from_u128(0x51));
    let mut journal = Journal::open(node.id, 1);
    journal.on_shift = Some(person);
    journal.scan(1, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    let stored = "select count(*) from fleet.journal_rows join fleet.nodes using (node_id)
        where venue_id = $1 and person_id is not null";
    until("the row is stored", async || {
        venue.value::<i64>(stored).await == 1
    })
    .await;
    let rows = format!("/fleet/nodes/{}/journal", node.id);
    let rows = venue.owner().get(&rows).await.expect(200);
    let scan = rows["items"].as_array().unwrap().iter();
    let scan = scan
        .clone()
        .find(|row| row["entry"]["scan"] == json!(ScanId(Uuid::from_u128(1))));
    assert_eq!(scan.expect("the scan")["entry"]["person"], json!(person));
    venue.core.leave_unsettled();
}

/// Each of those who were added at the same time was counted without the others.
#[tokio::test(flavor = "multi_thread")]
async fn people_who_are_added_at_the_same_time_are_counted() {
    let venue = Venue::open().await;
    let url = venue.core.scope.database.url();
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::query(
        "insert into fleet.staff (person_id, venue_id, user_id, name, roles, version, added_by, added_at,
             changed_by, changed_at)
         select gen_random_uuid(), $1, gen_random_uuid(), 'Kim', '{STEWARD}', 1, $1, now(), $1, now()
         from generate_series(1, 999)",
    )
    .bind(venue.id)
    .execute(&mut conn)
    .await
    .unwrap();
    let owner = venue.owner();
    let adding = (0..8).map(|_| async {
        let new = json!({ "userId": venue.new_id(), "name": "Sam", "roles": ["SUPERVISOR"] });
        owner.post(&path(&venue), new).await.status
    });
    let mut answers = join_all(adding).await;
    answers.sort_unstable();
    assert_eq!((answers[0], answers[1]), (201, 409), "{answers:?}");
    let staff: i64 = venue
        .value("select count(*) from staff where venue_id = $1")
        .await;
    assert_eq!(staff, 1_000);
}
