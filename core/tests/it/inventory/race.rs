//! Many customers at once: nothing is sold twice, nothing is left unsold, nobody waits long.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::world::house::{FLOOR, House};
use crate::world::{TestApp, TestOptions};
use chrono::Duration;
use eventify_core::contexts::inventory::api::{self, Held, HoldError, HoldRefusal, HoldRequest};
use eventify_protocol::ids::SeatId;
use tokio::task::JoinSet;

/// A request that needs longer has waited for PostgreSQL to break a deadlock.
const SOON: std::time::Duration = std::time::Duration::from_secs(20);

async fn core() -> TestApp {
    let config = vec![("database.max_connections", "16".to_owned())];
    TestApp::with(TestOptions {
        config,
        ..TestOptions::default()
    })
    .await
}

/// All requests at the same moment; what each of them got.
async fn all_at_once(core: &TestApp, requests: Vec<HoldRequest>) -> Vec<Result<Held, HoldError>> {
    let start = Arc::new(tokio::sync::Barrier::new(requests.len()));
    let mut racing = JoinSet::new();
    for request in requests {
        let (app, start) = (core.app().clone(), start.clone());
        racing.spawn(async move {
            start.wait().await;
            let cause = eventify_kernel::cause::Cause::fresh(&app.clock);
            api::hold(&app, &cause, &request).await
        });
    }
    tokio::time::timeout(SOON, racing.join_all())
        .await
        .expect("all answered soon")
}

/// Deadlocks that PostgreSQL has had to break in this test's database.
async fn deadlocks(core: &TestApp) -> i64 {
    let mut conn = core.app().db.read("inventory").await.expect("a connection");
    sqlx::query_scalar("select deadlocks from pg_stat_database where datname = current_database()")
        .fetch_one(&mut *conn)
        .await
        .expect("the statistics")
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_customers_want_the_same_ten_seats_and_one_gets_them() {
    let core = core().await;
    let house = House::open(&core).await;
    let row: Vec<_> = (1..=10).map(|number| format!("A-{number}")).collect();
    let requests = (0..20).map(|customer| {
        let mut seats: Vec<_> = row.iter().map(String::as_str).collect();
        seats.rotate_left(customer % 10);
        house.request(&seats, 1)
    });
    let answers = all_at_once(&core, requests.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refusal in answers.into_iter().filter_map(Result::err) {
        let HoldError::Refused(HoldRefusal::OutOfStock(missing)) = refusal else {
            panic!("{refusal}");
        };
        assert_eq!(missing.seats.len(), 10);
    }
    assert_eq!(house.left().await, (10, FLOOR - 1));
    assert_eq!(deadlocks(&core).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_requests_never_get_the_same_seat() {
    let core = core().await;
    let house = House::open(&core).await;
    let requests = (0..40_usize).map(|customer| {
        let seats: Vec<_> = (0..3)
            .map(|step| {
                format!(
                    "{}-{}",
                    ["A", "B"][step % 2],
                    (customer * 7 + step * 3) % 10 + 1
                )
            })
            .collect();
        house.request(&seats.iter().map(String::as_str).collect::<Vec<_>>(), 0)
    });
    let answers = all_at_once(&core, requests.collect()).await;
    let held: Vec<SeatId> = answers
        .iter()
        .flatten()
        .flat_map(|held| &held.seats)
        .map(|seat| seat.seat)
        .collect();
    let distinct: BTreeSet<_> = held.iter().collect();
    assert_eq!(distinct.len(), held.len(), "a seat was given to two");
    assert_eq!(
        house.left().await.0,
        20 - u32::try_from(held.len()).unwrap()
    );
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert!(
            matches!(refusal, HoldError::Refused(HoldRefusal::OutOfStock(_))),
            "{refusal}"
        );
    }
    assert_eq!(deadlocks(&core).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_sold_out_to_the_last_unit_and_never_beyond() {
    let core = core().await;
    let house = House::open(&core).await;
    let mut sold = 0;
    for round in 0..3_u32 {
        let requests = (0..30_u32).map(|customer| house.request(&[], (customer + round) % 3 + 1));
        for held in all_at_once(&core, requests.collect())
            .await
            .into_iter()
            .flatten()
        {
            sold += held.buckets[0].quantity;
        }
        assert!(sold <= FLOOR, "{sold} units of {FLOOR} after round {round}");
        assert_eq!(house.left().await.1, FLOOR - sold);
    }
    let singles = (0..5).map(|_| house.request(&[], 1)).collect();
    sold += u32::try_from(
        all_at_once(&core, singles)
            .await
            .into_iter()
            .flatten()
            .count(),
    )
    .unwrap();
    assert_eq!(
        (sold, house.left().await.1),
        (FLOOR, 0),
        "the last units are found"
    );
    assert_eq!(deadlocks(&core).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_holds_releases_and_expiries_keep_the_counts_right() {
    let core = core().await;
    let house = House::open(&core).await;
    let mut alive: Vec<Held> = Vec::new();
    for round in 0..4_u32 {
        let releasing: Vec<_> = alive
            .drain(..alive.len() / 2)
            .map(|held| held.hold)
            .collect();
        let seat = |customer: u32| format!("A-{}", (customer + round) % 10 + 1);
        let requests: Vec<_> = (0..16_u32)
            .map(|customer| HoldRequest {
                expires_at: core.clock.now() + Duration::seconds(60 + i64::from(customer)),
                ..house.request(&[seat(customer).as_str()], customer % 4 + 1)
            })
            .collect();
        let sweep = core.run_job("inventory", "expire_holds");
        let (answers, (), ()) = tokio::join!(
            all_at_once(&core, requests),
            house.release(&releasing),
            sweep
        );
        alive.extend(answers.into_iter().flatten());
        core.advance(Duration::seconds(40));
    }
    core.run_job("inventory", "expire_holds").await;
    alive.retain(|held| held.expires_at > core.clock.now());
    let units: u32 = alive
        .iter()
        .flat_map(|held| &held.buckets)
        .map(|it| it.quantity)
        .sum();
    let seats: usize = alive.iter().map(|held| held.seats.len()).sum();
    let expected = (20 - u32::try_from(seats).unwrap(), FLOOR - units);
    assert_eq!(house.left().await, expected);
    let rest: Vec<_> = alive.iter().map(|held| held.hold).collect();
    house.release(&rest).await;
    assert_eq!(house.left().await, (20, FLOOR));
    assert_eq!(deadlocks(&core).await, 0);
}
