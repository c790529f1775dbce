//! One seat, one payer: what a customer was told they have is theirs, whatever got lost on the way.

use std::time::Duration;

use eventify_core::assembly::Running;
use eventify_protocol::ids::ReservationId;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::world::replies::Reservation;
use crate::world::sale::{FLOOR, SEATS, Sale, seat};
use crate::world::{Answer, TableGate, User, product, proxied, send, until};

/// A second process that sells; its releases wait for the job of the first.
struct Shop<'sale> {
    sale: &'sale Sale,
    running: Running,
}

impl<'sale> Shop<'sale> {
    async fn beside(sale: &'sale Sale, more: Vec<(&'static str, String)>) -> Self {
        let serves = ("process.roles", "[\"serve\"]".to_owned());
        let settings = [vec![serves], sale.stripe.settings(), more].concat();
        let running = sale.core.beside(settings, product).await;
        Self { sale, running }
    }

    async fn add(&self, buyer: &User<'_>, cart: ReservationId, key: &str, items: Value) -> Answer {
        let address = self.running.address.expect("it serves");
        let body = json!({ "performanceId": self.sale.performance, "items": items });
        let request = reqwest::Client::new()
            .post(format!("http://{address}/reservations/{cart}/items"))
            .bearer_auth(buyer.token().expect("a customer"))
            .header("Idempotency-Key", key)
            .json(&body);
        send(request).await
    }
}

/// S3: adding timed out, was tried again and confirmed; then the release of the first attempt freed
/// the seat, another customer bought it too, and one of the two who had paid stood without a ticket.
#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_was_added_on_the_second_try_is_sold_once() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let shop = Shop::beside(&sale, Vec::new()).await;
    let cart = sale.cart(&ada).await;

    let gate = TableGate::close(&sale.core, "inventory", "holds").await;
    let lost = shop.add(&ada, cart, "seat", seat("A-1")).await;
    assert_eq!((lost.status, lost.header("retry-after")), (503, "1"));
    gate.open_when_waiting(1).await;
    until("the attempt ends after its caller", async || {
        sale.free().await.0 == SEATS - 1
    })
    .await;
    let added = shop.add(&ada, cart, "seat", seat("A-1")).await;
    assert_eq!(added.read::<Reservation>(201).items.len(), 1);
    let checkout = sale.confirm(&ada, cart).await;

    sale.core.run_job("reservation", "release_holds").await;
    let bobs = sale.cart(&bob).await;
    let refused = sale.add(&bob, bobs, seat("A-1")).await;
    refused.assert_refused(409, "out_of_stock");
    sale.pay(&checkout).await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    assert_eq!(sale.order(&ada, &checkout).await.tickets().len(), 1);
    shop.running.stop().await;
}

/// S3: a release that came first ended the hold, and each repeat with the same key was told that its
/// cart had ended.
#[tokio::test(flavor = "multi_thread")]
async fn who_tries_again_after_the_release_gets_a_fresh_hold() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let shop = Shop::beside(&sale, Vec::new()).await;
    let cart = sale.cart(&ada).await;
    let gate = TableGate::close(&sale.core, "inventory", "holds").await;
    let lost = shop.add(&ada, cart, "seat", seat("A-1")).await;
    assert_eq!(lost.status, 503);
    gate.open_when_waiting(1).await;
    until("the attempt ends after its caller", async || {
        sale.free().await.0 == SEATS - 1
    })
    .await;
    sale.core.run_job("reservation", "release_holds").await;
    assert_eq!(sale.free().await, (SEATS, FLOOR));
    let added = shop.add(&ada, cart, "seat", seat("A-1")).await;
    added.expect(201);
    let checkout = sale.confirm(&ada, cart).await;
    sale.pay(&checkout).await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    shop.running.stop().await;
}

/// Makes each commit that adds an item wait for the test.
const SLOW_COMMIT: &str = "
    create function wait_for_the_test() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(4711); return null; end $$;
    create constraint trigger slow_commit after insert on reservation.reservation_items
        deferrable initially deferred for each row execute function wait_for_the_test();";

/// S3, the same kind: the commit that put the items into the cart had its effect, its answer was lost,
/// and the release that followed freed places that the cart went on to sell.
#[tokio::test(flavor = "multi_thread")]
async fn items_whose_commit_lost_its_answer_are_in_the_cart_and_stay_held() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let url = sale.core.scope.database.url();
    let (line, proxied_url) = proxied(url).await;
    let line = line.expect("a proxy");
    let database = format!("{{ reservation = {{ url = \"{proxied_url}\" }} }}");
    let shop = Shop::beside(&sale, vec![("database.contexts", database)]).await;
    let cart = sale.cart(&ada).await;
    let mut test = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql(SLOW_COMMIT)
        .execute(&mut test)
        .await
        .expect("the trigger");
    sqlx::query("select pg_advisory_lock(4711)")
        .execute(&mut test)
        .await
        .expect("the lock");

    let break_the_line = async {
        until("the commit waits", async || waiting(&mut test).await).await;
        // A connection that was in use a moment ago is handed out without a look at it.
        until("idle connections are looked at", async || {
            !has_trusted_connections(&mut test).await
        })
        .await;
        line.reset_connections();
        // The server commits all the same: it notices the loss when it answers.
        sqlx::query("select pg_advisory_unlock(4711)")
            .execute(&mut test)
            .await
            .expect("the unlock");
    };
    let (added, ()) = tokio::join!(shop.add(&ada, cart, "seat", seat("A-1")), break_the_line);
    // The look into the cart may meet a connection that was lost with the other: then it is the
    // repeat of the request that finds the items there.
    let added = match added.status {
        503 => shop.add(&ada, cart, "seat", seat("A-1")).await,
        _ => added,
    };
    assert_eq!(added.read::<Reservation>(201).items.len(), 1);

    sale.core.run_job("reservation", "release_holds").await;
    let bobs = sale.cart(&bob).await;
    let refused = sale.add(&bob, bobs, seat("A-1")).await;
    refused.assert_refused(409, "out_of_stock");
    let checkout = sale.confirm(&ada, cart).await;
    sale.pay(&checkout).await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    tokio::time::timeout(Duration::from_secs(20), shop.running.stop())
        .await
        .expect("it stops");
}

async fn waiting(test: &mut PgConnection) -> bool {
    sqlx::query_scalar(
        "select exists (select from pg_locks where locktype = 'advisory' and not granted and database =
             (select oid from pg_database where datname = current_database()))",
    )
    .fetch_one(test)
    .await
    .expect("the locks")
}

async fn has_trusted_connections(test: &mut PgConnection) -> bool {
    sqlx::query_scalar(
        "select exists (select from pg_stat_activity
         where datname = current_database() and application_name = 'eventify reservation'
             and state = 'idle' and query not ilike '%outbox%'
             and state_change > now() - interval '1500 milliseconds')",
    )
    .fetch_one(test)
    .await
    .expect("the sessions")
}
