//! Holds: all or nothing, once, for a time.

use crate::world::house::{CUSTOMER, House, organiser};
use crate::world::replies::Hold;
use crate::world::{TableGate, TestApp};
use chrono::Duration;
use eventify_contracts::inventory::CapacityAdjusted;
use eventify_core::contexts::inventory::api::{
    self, Buyer, ExtendError, HoldError, HoldRefusal, HoldRequest, PartRelease, SeatWanted,
};
use eventify_protocol::ids::HoldId;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_holds_seats_by_label_or_id_and_units_of_a_zone() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let first = house.held(&["A-1"], 0).await;
    house.release(&[first.hold]).await;
    let body = json!({
        "performanceId": house.performance,
        "seats": [{ "seatId": "A-2" }, { "seatId": first.seats[0].seat, "priceCategory": "CHILD" }],
        "buckets": [{ "bucketId": house.floor, "qty": 3 }],
        "ttlSeconds": 300,
    });
    let answer = house.post_hold("pos", "k1", body.clone()).await;
    let held: Hold = answer.clone().read(201);
    let labels: Vec<_> = held.seats.iter().map(|it| &it.label).collect();
    assert_eq!(labels, ["A-2", "A-1"]);
    assert_eq!(json!(held.seats[0].categories), json!(["FULL", "CHILD"]));
    assert_eq!(held.buckets[0].qty, 3);
    assert_eq!(house.left().await, (18, 97));
    let again = house.post_hold("pos", "k1", body.clone()).await;
    assert_eq!(again.body, answer.body, "the same key gets the same hold");
    assert_eq!(house.left().await, (18, 97));

    let release = format!("/inventory/holds/{}/release", held.hold_id);
    let stranger = core.user("stranger").scope("inventory:hold");
    assert_eq!(stranger.post(&release, json!({})).await.status, 403);
    let pos = core.user("pos").scope("inventory:hold");
    for _ in 0..2 {
        let released = pos.post(&release, json!({})).await.expect(200);
        assert_eq!(released["status"], "released");
    }
    assert_eq!(house.left().await, (20, 100));
    let unscoped = core
        .user("pos")
        .role("CUSTOMER")
        .post("/inventory/holds", body)
        .await;
    assert_eq!(unscoped.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_held_is_refused_with_its_reason() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let hold = |seat: &str, category: &str, ttl: u32| {
        json!({
            "performanceId": house.performance, "ttlSeconds": ttl,
            "seats": [{ "seatId": seat, "priceCategory": category }],
        })
    };
    let elsewhere = json!({
        "performanceId": core.clock.new_id(), "seats": [{ "seatId": "A-1" }], "ttlSeconds": 60,
    });
    let nothing = json!({ "performanceId": house.performance, "ttlSeconds": 60 });
    for (body, status, code) in [
        (hold("A-1", "FULL", 59), 400, "validation_error"),
        (hold("A-1", "FULL", 901), 400, "validation_error"),
        (nothing, 400, "validation_error"),
        (hold("Z-99", "FULL", 60), 422, "unknown_seat"),
        (hold("A-1", "FLOOR", 60), 422, "category_not_allowed"),
        (elsewhere, 404, "performance_not_found"),
    ] {
        let answer = house
            .post_hold("pos", &core.clock.new_id().to_string(), body)
            .await;
        answer.assert_refused(status, code);
    }
    assert_eq!(house.left().await, (20, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_all_or_nothing_and_what_is_missing_is_named() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    house.held(&["A-1", "A-2"], 98).await;
    let wanted = json!({
        "performanceId": house.performance, "ttlSeconds": 60,
        "seats": [{ "seatId": "A-2" }, { "seatId": "A-3" }],
        "buckets": [{ "bucketId": house.floor, "qty": 3 }],
    });
    let answer = house.post_hold("pos", "k", wanted).await;
    answer.assert_refused(409, "out_of_stock");
    let details = answer.error().details;
    assert_eq!(
        (details[0].field.as_str(), details[0].issue.as_str()),
        ("seats", "A-2")
    );
    assert_eq!(details[1].issue, format!("{}: 2 of 3 left", house.floor));
    assert_eq!(house.left().await, (18, 2), "nothing else was taken");
    house.held(&["A-3"], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_id_is_good_for_one_request_and_never_comes_back() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let request = house.request(&["A-1"], 2);
    let first = house.hold(&request).await.unwrap();
    assert_eq!(house.hold(&request).await.unwrap(), first);
    let other = api::HoldRequest {
        hold: request.hold,
        ..house.request(&["A-2"], 0)
    };
    assert!(matches!(
        house.hold(&other).await,
        Err(HoldError::Refused(HoldRefusal::IdReused))
    ));
    house.release(&[request.hold]).await;
    house.release(&[request.hold]).await;
    assert!(matches!(
        house.hold(&request).await,
        Err(HoldError::Refused(HoldRefusal::Ended))
    ));
    assert_eq!(house.left().await, (20, 100));

    let twice = house.request(&["A-4", "A-4"], 0);
    assert!(matches!(
        house.hold(&twice).await,
        Err(HoldError::Refused(HoldRefusal::Invalid { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_hold_makes_room_at_once_and_is_released_soon() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    house.held(&["A-1"], 1).await;
    let kept = house.held(&["A-2"], 1).await;
    let until = core.clock.now() + Duration::minutes(15);
    api::extend(core.app(), &house.cause(), &[kept.hold], until)
        .await
        .unwrap();
    core.advance(Duration::minutes(11));
    house.held(&["A-1"], 0).await;
    assert_eq!(
        house.left().await,
        (18, 99),
        "the seat's hold gave back its unit as well"
    );

    core.advance(Duration::minutes(11));
    core.run_job("inventory", "expire_holds").await;
    assert_eq!(
        house.left().await,
        (19, 99),
        "a confirmed hold doesn't expire by itself"
    );
    house.release(&[kept.hold]).await;
    assert_eq!(house.left().await, (20, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn extending_is_all_or_nothing_and_names_the_ended_holds() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let (early, late) = (house.held(&["A-1"], 0).await, house.held(&["A-2"], 0).await);
    let unknown = HoldId(core.clock.new_id());
    house.release(&[early.hold]).await;
    let until = core.clock.now() + Duration::minutes(15);
    let ids = [early.hold, late.hold, unknown];
    match api::extend(core.app(), &house.cause(), &ids, until).await {
        Err(ExtendError::Ended(ended)) => assert_eq!(ended, [early.hold, unknown]),
        other => panic!("{other:?}"),
    }
    core.advance(Duration::minutes(11));
    core.run_job("inventory", "expire_holds").await;
    assert_eq!(
        house.left().await,
        (20, 100),
        "the other one was not extended either"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_of_a_customer_at_the_same_moment_find_room_once() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let ada = Buyer {
        id: CUSTOMER,
        most_held: Some(3),
        seller: None,
    };
    let requests = [(); 4].map(|()| HoldRequest {
        customer: Some(ada),
        ..house.request(&[], 2)
    });
    // Nobody gets further than to the row of their own until all have come that far.
    let gate = TableGate::close(&core, "inventory", "holds").await;
    let holding = futures_util::future::join_all(requests.iter().map(|it| house.hold(it)));
    let (answers, ()) = tokio::join!(holding, gate.open_when_waiting(4));
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(HoldError::Refused(HoldRefusal::TooManyHeld(3)))));
    assert_eq!(refused.count(), 3);
    assert_eq!(house.left().await, (20, 98));
    // A repeat is no more than the first was.
    let first = answers.iter().position(Result::is_ok).unwrap();
    house.hold(&requests[first]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_goes_back_once() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let request = house.request(&["A-1", "A-2"], 5);
    let held = house.hold(&request).await.unwrap();
    let part = PartRelease {
        id: core.clock.new_id(),
        hold: held.hold,
        owner: Some(request.owner),
        seats: vec![held.seats[0].seat],
        buckets: vec![(house.floor, 2)],
    };
    let foreign = PartRelease {
        id: core.clock.new_id(),
        owner: Some(core.clock.new_id()),
        ..part.clone()
    };
    api::release_part(core.app(), &house.cause(), &foreign)
        .await
        .unwrap();
    assert_eq!(house.left().await, (18, 95), "the hold has another owner");
    for _ in 0..2 {
        api::release_part(core.app(), &house.cause(), &part)
            .await
            .unwrap();
    }
    assert_eq!(house.left().await, (19, 97));
    house.release(&[held.hold]).await;
    assert_eq!(house.left().await, (20, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_held_before_the_event_is_published_or_after_it_was_cancelled() {
    let core = TestApp::start().await;
    let house = House::planned(&core).await;
    let request = house.request(&["A-1"], 0);
    assert!(matches!(
        house.hold(&request).await,
        Err(HoldError::Refused(HoldRefusal::NotOnSale))
    ));
    let event = format!("/events/{}", house.event);
    organiser(&core)
        .post(&format!("{event}/publish"), json!({}))
        .await
        .expect(200);
    core.settle().await;
    house.hold(&request).await.unwrap();
    let cancel = format!("{event}/performances/{}/cancel", house.performance);
    organiser(&core)
        .post(&cancel, json!({ "reason": "ill" }))
        .await
        .expect(200);
    core.settle().await;
    let late = house.request(&["A-2"], 0);
    assert!(matches!(
        house.hold(&late).await,
        Err(HoldError::Refused(HoldRefusal::Cancelled))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_that_was_not_asked_for_is_offered() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let mut request = house.request(&["A-1"], 1);
    let held = house.hold(&request).await.unwrap();
    assert_eq!(held.seats[0].category, None, "two are allowed");
    assert_eq!(held.buckets[0].category, Some("FLOOR".parse().unwrap()));
    request = house.request(&["A-2"], 0);
    let seat = request.seats[0].seat.clone();
    request.seats = vec![SeatWanted {
        seat,
        category: Some("CHILD".parse().unwrap()),
    }];
    let held = house.hold(&request).await.unwrap();
    assert_eq!(held.seats[0].category, Some("CHILD".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_grows_and_shrinks_down_to_what_is_taken() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    house.held(&[], 60).await;
    let path = format!("/inventory/performances/{}/capacity", house.performance);
    let to = |capacity: u32| json!({ "bucketId": house.floor, "capacity": capacity });
    let adjusted: CapacityAdjusted = organiser(&core).post(&path, to(70)).await.read(200);
    assert_eq!((adjusted.remaining, adjusted.capacity), (10, 70));
    let refused = organiser(&core).post(&path, to(59)).await;
    refused.assert_refused(422, "below_reserved");
    organiser(&core).post(&path, to(61)).await.expect(200);
    house.held(&[], 1).await;
    let full = house.request(&[], 1);
    assert!(matches!(
        house.hold(&full).await,
        Err(HoldError::Refused(HoldRefusal::OutOfStock(_)))
    ));
    let rival = core
        .user("rival")
        .role("ORGANIZER")
        .post(&path, to(90))
        .await;
    assert_eq!(rival.status, 403);
}
