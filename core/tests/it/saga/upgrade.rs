//! From one release to the next: work that waited in older queues waits in the task queue of this
//! one, and a release that still runs does so on tables that the next one has extended.

use eventify_core::assembly;
use eventify_core::config::Config;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::db::tasks;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_kernel::jobs;
use eventify_stack::Stack;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::world::house::House;
use crate::world::sale::{Sale, seat};
use crate::world::{config, made, product};

/// What had to be done: two releases, an intent, a payment's request, two refunds.
const WAITING: &str = r#"
    insert into reservation.releases
        (release_id, hold_id, seat_id, qty, due_at, correlation_id, owner_id)
    select release, hold, seat, qty, now(), gen_random_uuid(), owner
    from (values
        ('00000000-0000-0000-0000-000000000001'::uuid, '00000000-0000-0000-0000-000000000001'::uuid,
            null::uuid, null::int, null::uuid),
        ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003',
            gen_random_uuid(), 1, gen_random_uuid())) as rows (release, hold, seat, qty, owner);
    insert into "order".orders (order_id, reservation_id, customer_id, status, currency,
        total_amount, pay_until, correlation_id, created_at, updated_at, version)
    values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'pending', 'EUR', 39,
        now() + interval '1 hour', gen_random_uuid(), now(), now(), 1);
    insert into payment.payments (payment_id, order_id, customer_id, status, currency, amount,
        captured_amount, provider, provider_ref, client_secret, todo, due_at, attempts, heard_at,
        correlation_id, created_at, updated_at, version)
    select id, gen_random_uuid(), gen_random_uuid(), status, 'EUR', 39, captured, 'stripe',
        reference, reference, todo, due, 0, now(), gen_random_uuid(), now(), now(), 1
    from (values
        ('00000000-0000-0000-0000-000000000004'::uuid, 'processing', 0, null, 'create', now()),
        ('00000000-0000-0000-0000-000000000005', 'captured', 39, 'pi_1', null, null))
        as rows (id, status, captured, reference, todo, due);
    insert into payment.refunds (refund_id, payment_id, status, currency, amount, reason,
        ticket_ids, due_at, attempts, correlation_id, created_at, updated_at)
    select gen_random_uuid(), '00000000-0000-0000-0000-000000000005', 'pending', 'EUR', amount,
        'user_request', '{}', now(), attempts, gen_random_uuid(), now(), now()
    from (values (10, 0), (12, 3)) as rows (amount, attempts);
"#;

/// Job and how many tasks it has.
const EXPECTED: [(&str, &str, i64); 4] = [
    ("reservation", "release_holds", 2),
    ("order", "request_intents", 1),
    ("payment", "drive_payments", 1),
    ("payment", "drive_refunds", 2),
];

/// The contexts as they were before the task queue.
fn before() -> Vec<Context> {
    let mut contexts = made(product);
    for context in &mut contexts {
        let mut names = context.migrations.iter().map(|it| it.name);
        if let Some(tasks) = names.position(|name| name.ends_with("tasks")) {
            context.migrations = &context.migrations[..tasks];
        }
    }
    contexts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_in_older_queues_waits_as_tasks_that_can_be_read() {
    let scope = Stack::shared().await.unwrap().scope().await.unwrap();
    let url = scope.database.url().to_owned();
    let settings = config(&[
        ("database.url", url.clone()),
        ("bus.url", scope.amqp_url.clone()),
        ("process.roles", "[\"relay\"]".to_owned()),
        ("payment.stripe.api_url", "http://127.0.0.1:1".to_owned()),
    ]);
    assembly::migrate(&settings, &before()).await.unwrap();
    let mut conn = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(WAITING).execute(&mut conn).await.unwrap();
    assembly::migrate(&settings, &made(product)).await.unwrap();

    let running = start(settings).await;
    for (context, job, expected) in EXPECTED {
        let mut conn = running.app.db.read(context).await.unwrap();
        let waiting = sqlx::query_scalar::<_, i64>("select count(*) from tasks where kind = $1")
            .bind(job)
            .fetch_one(&mut *conn)
            .await;
        assert_eq!(waiting.unwrap(), expected, "{job}");
    }
    // A payload that can't be read would be parked.
    for (context, job, _) in EXPECTED {
        let mut conn = running.app.db.read(context).await.unwrap();
        jobs::run_now(&running.app, context, job).await.unwrap();
        let troubled = tasks::list_troubled(&mut conn, 10).await.unwrap();
        let parked: Vec<_> = troubled
            .iter()
            .filter(|it| it.parked_at.is_some())
            .collect();
        assert!(parked.is_empty(), "{parked:#?}");
    }
    running.stop().await;
}

async fn start(settings: Config) -> assembly::Running {
    let (clock, faults) = (Clock::system(), FaultInjection::default());
    let contexts = product(&settings, &clock);
    assembly::start(settings, clock, faults, contexts)
        .await
        .unwrap()
}

/// Adds a column to every table of the schema in the search path.
const EXTEND: &str = "do $$ declare name text; begin
    for name in select tablename from pg_tables where schemaname = current_schema() loop
        execute format('alter table %I add column added_later int not null default 1', name);
    end loop;
end $$";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_still_sells_when_the_next_one_has_added_columns() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    // Every connection has prepared its statements on the tables as they were.
    sale.bought(&ada, seat("A-1")).await;
    let app = sale.core.app();
    for context in app.db.contexts() {
        let mut conn = app.db.read(context).await.unwrap();
        sqlx::raw_sql(EXTEND).execute(&mut *conn).await.unwrap();
    }
    let (checkout, tickets) = sale.bought(&ada, seat("A-2")).await;
    let qr = format!("/tickets/{}/token", tickets[0]);
    assert_eq!(ada.get(&qr).await.status, 200);
    assert_eq!(ada.get("/orders").await.expect(200)["total"], 2);
    let cancel = format!("/orders/{}/cancel", checkout.order);
    ada.post(&cancel, json!({})).await.expect(202);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    let house = House::open(&sale.core).await;
    let admin = sale.core.user("admin").role("ADMIN");
    let gate = json!({ "venueId": house.venue, "name": "North" });
    admin.post("/fleet/gates", gate).await.expect(201);
    sale.core.settle().await;
}
