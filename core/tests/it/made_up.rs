//! S8: requests that wait for what never comes hold up nobody else's.

use eventify_protocol::ids::{OrderId, ReservationId};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};

use crate::world::Answer;
use crate::world::sale::{Sale, seat};

/// Of one caller, at once.
const MADE_UP: usize = 20;
/// So many of them may wait.
const WAITING: usize = 3;
/// On a machine that stands still for a second the waits are over before anybody can overtake them.
const TRIES: usize = 5;

type Asked<'a> = BoxFuture<'a, (&'static str, Answer)>;

/// Eve asks for what does not exist, often and at once. All but a few are answered; while these wait, Ada asks for
/// what is hers. Whose answer came first.
async fn first_answer(
    sale: &Sale,
    path: &str,
    made_up: impl Fn() -> Value,
    real: Value,
) -> &'static str {
    let (eve, ada) = (sale.buyer("eve"), sale.buyer("ada"));
    let asked = |who: &'static str, body: Value| -> Asked<'_> {
        let user = if who == "ada" { &ada } else { &eve };
        async move { (who, user.post(path, body).await) }.boxed()
    };
    let mut open: FuturesUnordered<Asked<'_>> =
        (0..MADE_UP).map(|_| asked("eve", made_up())).collect();
    for _ in 0..MADE_UP - WAITING {
        let (_, refused) = open.next().await.expect("an answer");
        assert_eq!(
            (refused.status, refused.header("retry-after")),
            (404, "1"),
            "{}",
            refused.body
        );
    }
    open.push(asked("ada", real));
    let (first, _) = open.next().await.expect("an answer");
    while let Some((who, answer)) = open.next().await {
        assert_eq!(
            answer.status,
            if who == "ada" { 201 } else { 404 },
            "{}",
            answer.body
        );
    }
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_overtakes_those_of_carts_that_do_not_exist() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let cart = sale.confirmed(&ada, seat("A-1")).await;
    let made_up = || json!({ "reservationId": ReservationId(sale.core.clock.new_id()) });
    for _ in 0..TRIES {
        let real = json!({ "reservationId": cart });
        if first_answer(&sale, "/orders", made_up, real).await == "ada" {
            return;
        }
    }
    panic!("Ada's order waits for Eve's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_overtakes_those_of_orders_that_do_not_exist() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    let made_up = || json!({ "orderId": OrderId(sale.core.clock.new_id()) });
    for _ in 0..TRIES {
        let real = json!({ "orderId": checkout.order });
        if first_answer(&sale, "/payments/intents", made_up, real).await == "ada" {
            return;
        }
    }
    panic!("Ada's payment waits for Eve's");
}
