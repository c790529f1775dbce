//! What is played in a venue, as its gates learn it.

use chrono::Duration;
use eventify_contracts::event_management::{
    PerformanceCancelled, PerformanceFacts, PerformanceRescheduled, PerformanceScheduled,
};
use eventify_contracts::fleet::{PerformanceConfirmed, PerformanceDeclined};
use eventify_contracts::ticketing::TicketFacts;
use eventify_protocol::ids::{GateId, PerformanceId};
use eventify_protocol::sync::{FeedEntry, PerformanceEntry, PerformanceState, Subject, Value};
use eventify_protocol::time::{CoreInterval, CoreTime};
use eventify_protocol::token::Claims;
use eventify_sync::rules::Entitlement;
use eventify_sync::token::SignedTicket;
use reqwest::Method;
use serde_json::json;

use crate::fleet::feed::{Replica, replica_of, welcome};
use crate::fleet::world::{Node, Venue, alarms_of, issue, performance, ticket};
use crate::world::{Answer, send};

/// The entry of the venue's performance in the next delta.
async fn next_entry(node: &mut Node, id: PerformanceId) -> Option<PerformanceEntry> {
    let delta = node.delta().await;
    let of_it = |entry: &&FeedEntry| entry.subject == Subject::Performance(id);
    let entry = delta.entries.iter().find(of_it).expect("its entry").clone();
    entry.value.map(performance_of)
}

fn performance_of(value: Value) -> PerformanceEntry {
    let Value::Performance(entry) = value else {
        panic!("{value:?}");
    };
    entry
}

fn moved(scheduled: &PerformanceScheduled, by: Duration) -> PerformanceRescheduled {
    let mut facts: PerformanceFacts = scheduled.facts.clone();
    let previous_start_time = facts.times.start_time;
    for time in [
        &mut facts.times.start_time,
        &mut facts.times.doors_at,
        &mut facts.times.admits_from,
        &mut facts.times.admits_until,
    ] {
        *time += by;
    }
    PerformanceRescheduled {
        performance_id: scheduled.performance_id,
        facts,
        previous_start_time,
    }
}

fn cancelled(moved: &PerformanceRescheduled) -> PerformanceCancelled {
    let facts = moved.facts.clone();
    PerformanceCancelled {
        performance_id: moved.performance_id,
        event_id: facts.event_id,
        event_title: facts.event_title,
        owner_id: facts.owner_id,
        org_id: facts.org_id,
        start_time: facts.times.start_time,
        venue_id: facts.venue_id,
        reason: "storm".to_owned(),
    }
}

/// C08: the organiser moves the show; the gates know with the next delta. Cancelled, it stays in the
/// feed as what it is: its tickets are refused as revoked, not as unknown.
#[tokio::test(flavor = "multi_thread")]
async fn gates_learn_that_a_show_has_moved_and_that_it_was_cancelled() {
    let venue = Venue::open().await;
    let start = venue.core.clock.now() + Duration::hours(2);
    let scheduled = performance(venue.id, start);
    let id = scheduled.performance_id;
    venue.publish("event_management", 1, &scheduled).await;
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &answer).await;
    let first = replica.rows[&Subject::Performance(id)].value.clone();
    let first = performance_of(first.unwrap());
    assert_eq!(first.title, "Evening concert");
    assert_eq!(first.starts_at, start.timestamp());

    let later = moved(&scheduled, Duration::days(1));
    venue.publish("event_management", 2, &later).await;
    venue.core.settle().await;
    let entry = next_entry(&mut node, id).await.unwrap();
    assert_eq!(entry.admits.from, first.admits.from + 86_400);
    assert_eq!(entry.admits.until, first.admits.until + 86_400);
    assert_eq!(entry.state, PerformanceState::Scheduled);

    venue
        .publish("event_management", 3, &cancelled(&later))
        .await;
    venue.core.settle().await;
    let entry = next_entry(&mut node, id).await.unwrap();
    assert_eq!(entry.state, PerformanceState::Cancelled);
    assert_eq!(venue.unprojected("event_management").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_about_a_foreign_show_that_is_over() {
    let venue = Venue::open().await;
    let start = venue.core.clock.now() + Duration::hours(2);
    let mut foreign = performance(venue.id, start);
    foreign.facts.awaits_venue = true;
    venue.publish("event_management", 1, &foreign).await;
    venue.core.settle().await;
    venue.core.run_job("fleet", "watch_gates").await;
    assert_eq!(venue.alarms().await, ["performance_awaits_confirmation"]);
    venue.core.advance(Duration::days(2));
    venue.core.run_job("fleet", "watch_gates").await;
    assert!(venue.alarms().await.is_empty());
}

/// S1: what a foreign organiser plans in a shared hall is the venue's to admit.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_show_enters_the_feed_when_the_venue_confirms_it() {
    let venue = Venue::open().await;
    let start = venue.core.clock.now() + Duration::hours(2);
    let mut foreign = performance(venue.id, start);
    foreign.facts.awaits_venue = true;
    let id = foreign.performance_id;
    venue.publish("event_management", 1, &foreign).await;
    venue.core.settle().await;
    assert_eq!(venue.unprojected("event_management").await, 0);
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &answer).await;
    assert!(!replica.rows.contains_key(&Subject::Performance(id)));
    venue.core.run_job("fleet", "watch_gates").await;
    assert_eq!(venue.alarms().await, ["performance_awaits_confirmation"]);

    let list = format!("/fleet/venues/{}/performances", venue.id);
    let waiting = venue.owner().get(&format!("{list}?waiting=true")).await;
    let waiting = waiting.expect(200);
    assert_eq!(waiting["items"][0]["performanceId"], json!(id));
    assert_eq!(waiting["items"][0]["awaitsVenue"], json!(true));
    let confirm = format!("{list}/{id}/confirm");
    let stranger = venue.core.user("mallory").role("VENUE_IT");
    assert_eq!(stranger.post(&confirm, json!({})).await.status, 403);
    assert_eq!(stranger.get(&list).await.status, 403);
    let unknown = format!("{list}/{}/confirm", venue.new_id());
    let unknown = venue.owner().post(&unknown, json!({})).await;
    unknown.assert_refused(404, "performance_not_found");
    for _ in 0..2 {
        let confirmed = confirmed(&venue, &confirm, "\"1\"").await.expect(200);
        assert_eq!(confirmed["awaitsVenue"], json!(false));
    }
    venue.core.settle().await;
    assert!(next_entry(&mut node, id).await.is_some());
    let published = venue.published::<PerformanceConfirmed>().await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].version, 1);

    // Moved into another evening, it waits again, and the gates forget it.
    let later = moved(&foreign, Duration::days(1));
    venue.publish("event_management", 2, &later).await;
    venue.core.settle().await;
    assert_eq!(next_entry(&mut node, id).await, None);
    let waiting = venue.owner().get(&format!("{list}?waiting=true")).await;
    assert_eq!(waiting.expect(200)["total"], json!(1));
}

/// Whoever plans many shows in a shared hall fills nobody's list: 500 drafts were 500 alarms that stopped gates, and
/// no venue could say no.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_organiser_plans_in_a_hall_is_one_alarm_until_the_venue_has_answered() {
    let venue = Venue::open().await;
    let soon = venue.core.clock.now() + Duration::days(9);
    let mut first = performance(venue.id, soon);
    first.facts.awaits_venue = true;
    let shows: Vec<_> = (0..5)
        .map(|days| {
            let mut show = first.clone();
            show.performance_id = PerformanceId(venue.new_id());
            show.facts.times.admits_from += Duration::days(days);
            show
        })
        .collect();
    for show in &shows {
        venue.publish("event_management", 1, show).await;
    }
    let watched = async || {
        venue.core.settle().await;
        venue.core.run_job("fleet", "watch_gates").await;
        let mut standing = alarms_of(&venue.owner()).await;
        assert!(standing.len() < 2, "{standing:?}");
        standing.pop()
    };
    let alarm = watched().await.unwrap();
    assert_eq!(alarm.code, "performance_awaits_confirmation");
    assert_eq!(alarm.details["performances"], 5);
    let of_first = json!(shows[0].performance_id);
    assert_eq!(alarm.details["firstPerformanceId"], of_first);
    assert!(alarm.stops.is_empty(), "nobody stands at a gate yet");

    let list = format!("/fleet/venues/{}/performances", venue.id);
    let decline = format!("{list}/{}/decline", shows[0].performance_id);
    let refused = confirmed(&venue, &decline, "\"7\"").await;
    assert_eq!(refused.status, 412);
    for _ in 0..2 {
        let declined = confirmed(&venue, &decline, "\"1\"").await.expect(200);
        assert_eq!(declined["declined"], json!(true));
        assert_eq!(declined["awaitsVenue"], json!(true), "no gate admits to it");
    }
    assert_eq!(watched().await.unwrap().details["performances"], 4);
    let published = venue.published::<PerformanceDeclined>().await;
    assert_eq!(published.len(), 1);

    venue.core.advance(Duration::days(9));
    let near = watched().await.unwrap();
    assert_eq!(near.stops, ["gates"], "a day before the second one");

    let all = json!({ "organiserId": first.facts.owner_id });
    let stranger = venue.core.user("mallory").role("VENUE_IT");
    let path = format!("{list}/decline");
    assert_eq!(stranger.post(&path, all.clone()).await.status, 403);
    let nobody = json!({ "organiserId": venue.new_id() });
    let nobody = venue.owner().post(&path, nobody).await.expect(200);
    assert_eq!(nobody["declined"], 0);
    let all = venue.owner().post(&path, all).await.expect(200);
    assert_eq!(all["declined"], 4);
    assert_eq!(watched().await, None);
    let waiting = venue.owner().get(&format!("{list}?waiting=true")).await;
    assert_eq!(waiting.expect(200)["total"], 0);

    // The venue may think again; what it has confirmed it does not decline. Other times are asked anew.
    let confirm = format!("{list}/{}/confirm", shows[4].performance_id);
    confirmed(&venue, &confirm, "\"1\"").await.expect(200);
    let decline = format!("{list}/{}/decline", shows[4].performance_id);
    let refused = confirmed(&venue, &decline, "\"1\"").await;
    refused.assert_refused(409, "performance_not_waiting");
    let later = moved(&shows[3], Duration::days(1));
    venue.publish("event_management", 2, &later).await;
    assert_eq!(watched().await.unwrap().details["performances"], 1);
}

/// Follows the feed to its end.
async fn follow(venue: &Venue, node: &mut Node, replica: &mut Replica) {
    let head: i64 = venue
        .value("select head from venues where venue_id = $1")
        .await;
    while replica.position < u64::try_from(head).unwrap() {
        replica.join(node.delta().await);
    }
}

/// Whether a gate that knows only its replica lets the ticket's holder in, when the show that `facts`
/// describes has begun.
fn admits(
    replica: &Replica,
    gate: GateId,
    (ticket, facts): (&TicketFacts, &PerformanceFacts),
) -> bool {
    let row = |subject| replica.rows.get(&subject)?.value.clone();
    let Some(Value::Performance(performance)) = row(Subject::Performance(ticket.performance_id))
    else {
        return false;
    };
    let (Some(Value::Gate(at)), Some(Value::Ticket(entry))) = (
        row(Subject::Gate(gate)),
        row(Subject::Ticket(ticket.ticket_id)),
    ) else {
        panic!("gate and ticket are in the feed");
    };
    let claims = Claims {
        ticket: ticket.ticket_id,
        performance: entry.performance,
        category: entry.category,
        not_before: 0,
        expiry: i64::from(u32::MAX),
        revision: 1,
    };
    let signed = SignedTicket {
        hash: entry.token,
        claims,
    };
    let now = CoreTime(facts.times.start_time.timestamp_micros() + 1);
    let when = CoreInterval {
        earliest: now,
        latest: now,
    };
    Entitlement::from(&entry)
        .admits(&signed, gate, Some(&at), &performance, &when)
        .is_ok()
}

/// The venue's word about what it has seen in this version.
async fn confirmed(venue: &Venue, path: &str, seen: &str) -> Answer {
    let request = venue.owner().request(Method::POST, path);
    send(request.header("If-Match", seen).json(&json!({}))).await
}

/// An organiser showed the venue an afternoon, and moved the show to the evening before it had answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_show_that_moves_while_the_venue_decides_is_not_confirmed_unseen() {
    let venue = Venue::open().await;
    let mut show = performance(venue.id, venue.core.clock.now() + Duration::hours(2));
    show.facts.awaits_venue = true;
    venue.publish("event_management", 1, &show).await;
    venue.core.settle().await;
    let list = format!("/fleet/venues/{}/performances?waiting=true", venue.id);
    let seen = async || -> serde_json::Value { venue.owner().get(&list).await.expect(200) };
    assert_eq!(seen().await["items"][0]["version"], 1);

    let later = moved(&show, Duration::days(1));
    venue.publish("event_management", 2, &later).await;
    venue.core.settle().await;
    let id = show.performance_id;
    let confirm = format!("/fleet/venues/{}/performances/{id}/confirm", venue.id);
    let stale = confirmed(&venue, &confirm, "\"1\"").await;
    assert_eq!((stale.status, stale.code()), (412, "precondition_failed"));
    let unseen = venue.owner().post(&confirm, json!({})).await;
    assert_eq!(
        (unseen.status, unseen.code()),
        (428, "precondition_required")
    );
    assert_eq!(seen().await["items"][0]["version"], 2);

    confirmed(&venue, &confirm, "\"2\"").await.expect(200);
    assert_eq!(seen().await["total"], 0);
    // A lost answer.
    confirmed(&venue, &confirm, "\"2\"").await.expect(200);
}

/// The feed dropped the second confirmation, because it had the version of the move, which had taken the
/// show out. API and core admitted; a gate without the core turned the whole house away.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_show_that_moved_and_was_confirmed_again_admits_at_a_gate_without_the_core() {
    let venue = Venue::open().await;
    let gate = venue.gate("North").await;
    let mut show = performance(venue.id, venue.core.clock.now() + Duration::hours(2));
    show.facts.awaits_venue = true;
    venue.publish("event_management", 1, &show).await;
    let sold = ticket(venue.id, 1);
    venue
        .publish("ticketing", 1, &issue(vec![sold.clone()]))
        .await;
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let mut by_delta = replica_of(&mut node, &answer).await;

    let id = show.performance_id;
    let confirm = format!("/fleet/venues/{}/performances/{id}/confirm", venue.id);
    for version in 1..=3 {
        if version > 1 {
            let later = moved(&show, Duration::days(1));
            venue.publish("event_management", version, &later).await;
            show.facts = later.facts;
        }
        venue.core.settle().await;
        follow(&venue, &mut node, &mut by_delta).await;
        let present = (&sold, &show.facts);
        assert!(!admits(&by_delta, gate, present), "not yet: {version}");
        confirmed(&venue, &confirm, &format!("\"{version}\""))
            .await
            .expect(200);
        venue.core.settle().await;
        follow(&venue, &mut node, &mut by_delta).await;
        assert!(admits(&by_delta, gate, present), "confirmed: {version}");
    }
    let published = venue.published::<PerformanceConfirmed>().await;
    let confirmed: Vec<_> = published.iter().map(|it| it.version).collect();
    assert_eq!(confirmed, [1, 2, 3], "the venue's word is about the facts");

    // The next gate has no entry of the way here.
    let _one: i32 = venue
        .value("delete from snapshots where venue_id = $1 returning 1")
        .await;
    let mut node = venue.node("South door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let by_snapshot = replica_of(&mut node, &answer).await;
    assert!(admits(&by_snapshot, gate, (&sold, &show.facts)));
}

/// A show that was moved and then cancelled: the messages came the other way round, and the gates kept
/// the evening that it was never played on.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_learnt_after_the_cancellation_still_reaches_the_gates() {
    let venue = Venue::open().await;
    let scheduled = performance(venue.id, venue.core.clock.now() + Duration::hours(2));
    venue.publish("event_management", 1, &scheduled).await;
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let mut replica = replica_of(&mut node, &answer).await;
    let later = moved(&scheduled, Duration::days(1));
    venue
        .publish("event_management", 3, &cancelled(&later))
        .await;
    venue.core.settle().await;
    venue.publish("event_management", 2, &later).await;
    venue.core.settle().await;
    follow(&venue, &mut node, &mut replica).await;
    let entry = &replica.rows[&Subject::Performance(later.performance_id)];
    let entry = performance_of(entry.value.clone().unwrap());
    assert_eq!(entry.state, PerformanceState::Cancelled);
    assert_eq!(entry.starts_at, later.facts.times.start_time.timestamp());
}

/// The release before knew no names of categories: its rows are written once more, which is no difference
/// that anybody has to look at.
#[tokio::test(flavor = "multi_thread")]
async fn after_an_upgrade_performances_are_written_with_the_names_of_their_categories() {
    let venue = Venue::open().await;
    let scheduled = performance(venue.id, venue.core.clock.now() + Duration::hours(2));
    let id = scheduled.performance_id;
    venue.publish("event_management", 1, &scheduled).await;
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &answer).await;
    let mut entry = replica.rows[&Subject::Performance(id)].clone();
    let new = performance_of(entry.value.clone().unwrap());
    assert!(new.categories.is_some());
    entry.value = Some(Value::Performance(PerformanceEntry {
        categories: None,
        ..new.clone()
    }));
    let mut conn = venue.core.app().db.read("fleet").await.unwrap();
    sqlx::query("update feed_state set entry = $2 where subject = $1")
        .bind(minicbor::to_vec(Subject::Performance(id)).unwrap())
        .bind(entry.to_bytes())
        .execute(&mut *conn)
        .await
        .unwrap();
    sqlx::query("update venues set row_form = 2")
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    for _ in 0..2 {
        venue.core.run_job("fleet", "renew_rows").await;
        venue.core.run_job("fleet", "write_feed").await;
    }
    assert_eq!(next_entry(&mut node, id).await, Some(new));
    let head: i64 = venue
        .value("select head from venues where venue_id = $1")
        .await;
    assert_eq!(u64::try_from(head).unwrap(), replica.position + 1, "once");
    let alarms = alarms_of(&venue.owner()).await;
    assert!(
        alarms
            .iter()
            .all(|it| it.code != "feed_differs_from_performances")
    );
}
