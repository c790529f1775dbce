//! The laws of attempts on the real store: a release that comes late, in every order.

use crate::world::house::{CUSTOMER, House, contexts};
use crate::world::{ContextsOf, TableGate, TestApp, TestOptions, until};
use chrono::Duration;
use eventify_contracts::order::{Item, OrderPaid};
use eventify_contracts::reservation::{EndReason, ReservationExpired};
use eventify_core::contexts::inventory::api::{
    self, AttemptId, Held, HoldError, HoldRefusal, HoldRequest, PartRelease,
};
use eventify_kernel::event::DomainEvent;
use eventify_protocol::ids::{OrderId, ReservationId};
use eventify_protocol::money::Money;
use sqlx::{Connection, PgConnection};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The attempt that got no answer arrives.
    First,
    /// Its release.
    Undo,
    /// What the customer does next.
    Customer,
}

/// Every order of these steps in which the customer's come one after the other.
fn orders(first: usize, undo: usize, customer: usize) -> Vec<Vec<Step>> {
    if first + undo + customer == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    let mut begin = |step, rest: Vec<Vec<Step>>| {
        all.extend(rest.into_iter().map(|rest| [vec![step], rest].concat()));
    };
    if first > 0 {
        begin(Step::First, orders(first - 1, undo, customer));
    }
    if undo > 0 {
        begin(Step::Undo, orders(first, undo - 1, customer));
    }
    if customer > 0 {
        begin(Step::Customer, orders(first, undo, customer - 1));
    }
    all
}

async fn core() -> TestApp {
    let contexts = Some(contexts as ContextsOf);
    TestApp::with(TestOptions {
        contexts,
        ..TestOptions::default()
    })
    .await
}

/// The next attempt at the same hold.
fn again(core: &TestApp, request: &HoldRequest) -> HoldRequest {
    HoldRequest {
        attempt: AttemptId(core.clock.new_id()),
        ..request.clone()
    }
}

fn refusal(answer: &Result<Held, HoldError>) -> Option<&HoldRefusal> {
    match answer {
        Err(HoldError::Refused(refusal)) => Some(refusal),
        Ok(_) | Err(HoldError::Db(_)) => None,
    }
}

/// Publishes as the other context would, and waits for all effects.
async fn publish<E: DomainEvent>(house: &House<'_>, context: &'static str, event: &E) {
    let app = house.core.app();
    let begun = app.db.begin(context, &house.cause()).await;
    let mut tx = begun.expect("the database answers");
    tx.publish(app.clock.new_id(), 1, event);
    tx.commit().await.expect("the database answers");
    house.core.settle().await;
}

/// The customer tries again (with a fresh hold, where the first has ended), confirms and pays.
async fn buy(house: &House<'_>, first: &HoldRequest, step: usize, held: &mut Option<Held>) {
    match step {
        0 => {
            let mut second = again(house.core, first);
            let mut answer = house.hold(&second).await;
            if refusal(&answer) == Some(&HoldRefusal::Ended) {
                second.hold.0 = house.core.clock.new_id();
                answer = house.hold(&second).await;
            }
            *held = Some(answer.expect("nobody else wants the seat"));
        }
        1 => {
            let until = house.core.clock.now() + Duration::minutes(15);
            let holds = held.iter().map(|it| it.hold).collect::<Vec<_>>();
            api::extend(house.core.app(), &house.cause(), &holds, until)
                .await
                .expect("the customer has the seat");
        }
        _ => {
            let held = held.as_ref().expect("taken before");
            let paid = OrderPaid {
                order_id: OrderId(house.core.clock.new_id()),
                customer_id: CUSTOMER,
                paid_at: house.core.clock.now(),
                items: vec![item(held)],
            };
            publish(house, "order", &paid).await;
        }
    }
}

fn item(held: &Held) -> Item {
    Item {
        performance_id: held.performance,
        venue_id: held.venue,
        seat_id: Some(held.seats[0].seat),
        seat_label: Some(held.seats[0].label.clone()),
        bucket_id: None,
        zone: None,
        qty: 1,
        price_category: "FULL".parse().expect("a code"),
        unit_price: Money::parse("EUR", "39.00").expect("money"),
        hold_id: held.hold,
    }
}

/// S3: the release of an attempt that timed out came after the customer had confirmed on the next
/// one, freed the seat, and a second customer paid for it.
#[tokio::test(flavor = "multi_thread")]
async fn no_release_that_comes_late_frees_a_seat_that_its_customer_took_up_again() {
    let core = core().await;
    let house = House::open(&core).await;
    let labels = (1..=10).flat_map(|seat| [format!("A-{seat}"), format!("B-{seat}")]);
    let orders = orders(1, 1, 3);
    assert_eq!(orders.len(), 20, "a seat of the hall each");
    for (label, order) in labels.zip(&orders) {
        let first = house.request(&[&label], 0);
        let (mut held, mut step) = (None, 0);
        for next in order {
            match next {
                Step::First => drop(house.hold(&first).await),
                Step::Undo => house.undo(&first).await,
                Step::Customer => {
                    buy(&house, &first, step, &mut held).await;
                    step += 1;
                }
            }
            if held.is_some() {
                let rival = house.hold(&house.request(&[&label], 0)).await;
                let taken = matches!(refusal(&rival), Some(HoldRefusal::OutOfStock(_)));
                assert!(taken, "{order:?} after {next:?}: {rival:?}");
            }
        }
    }
    core.advance(Duration::hours(1));
    core.run_job("inventory", "expire_holds").await;
    assert_eq!(house.left().await.0, 0, "all twenty are paid");
}

/// S3: the other side of the law: what its cart has given up is sold to others, whatever came late.
#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_was_given_up_is_free_in_whatever_order_it_was_given_up() {
    let core = core().await;
    let house = House::open(&core).await;
    for order in orders(2, 2, 2) {
        let first = house.request(&["A-1"], 1);
        let mut step = 0;
        for next in &order {
            match (next, step) {
                (Step::First, _) => drop(house.hold(&first).await),
                (Step::Undo, _) => house.undo(&first).await,
                (Step::Customer, 0) => {
                    drop(house.hold(&again(&core, &first)).await);
                    step += 1;
                }
                (Step::Customer, _) => {
                    let expired = ReservationExpired {
                        reservation_id: ReservationId(first.owner),
                        reason: EndReason::Expired,
                        items: vec![],
                    };
                    publish(&house, "reservation", &expired).await;
                }
            }
        }
        assert_eq!(house.left().await, (20, 100), "{order:?}");
    }
}

/// S3: two requests at the same moment, one of which gives the seat back.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_undone_while_it_arrives_holds_nothing() {
    let core = core().await;
    let house = House::open(&core).await;
    let request = house.request(&["A-1"], 2);
    // The hold waits to be written, and its release for the hold's attempt.
    let gate = TableGate::close(&core, "inventory", "holds").await;
    let url = core.scope.database.url();
    let mut superuser = PgConnection::connect(url).await.expect("a connection");
    let rest = async {
        until("the attempt has arrived", async || {
            waiting(&mut superuser).await == 1
        })
        .await;
        let open = async {
            until("the release waits too", async || {
                waiting(&mut superuser).await == 2
            })
            .await;
            gate.open_when_waiting(1).await;
        };
        tokio::join!(house.undo(&request), open);
    };
    let (held, ()) = tokio::join!(house.hold(&request), rest);
    held.expect("it was first");
    assert_eq!(house.left().await, (20, 100));
    let late = house.hold(&request).await;
    assert_eq!(refusal(&late), Some(&HoldRefusal::Undone));
}

/// Sessions of this test's database that wait for a lock, of a table or of a row.
async fn waiting(superuser: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'",
    )
    .fetch_one(superuser)
    .await
    .expect("the count")
}

/// S3, the same kind: a hold of which a part went back answered a repeat as if it still had all of it,
/// and the cart sold a seat that was free.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_gave_back_a_part_is_not_taken_up_again() {
    let core = core().await;
    let house = House::open(&core).await;
    let request = house.request(&["A-1", "A-2"], 0);
    let held = house.hold(&request).await.expect("the seats are free");
    let part = PartRelease {
        id: core.clock.new_id(),
        hold: held.hold,
        owner: Some(request.owner),
        seats: vec![held.seats[0].seat],
        buckets: vec![],
    };
    api::release_part(core.app(), &house.cause(), &part)
        .await
        .expect("the database answers");
    let repeated = house.hold(&again(&core, &request)).await;
    assert_eq!(refusal(&repeated), Some(&HoldRefusal::Ended));
    assert_eq!(house.left().await.0, 19, "the other seat is still held");
}
