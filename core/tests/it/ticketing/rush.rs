//! Gates come first: what a rush in the shop can't take from them (DECISIONS 46).

use eventify_contracts::fleet::JournalAccepted;
use eventify_kernel::bus::{DOMAIN_EXCHANGE, EventQueue, dead_letters, queue};
use eventify_kernel::event::DomainEvent;
use eventify_kernel::{alarms, jobs};
use eventify_protocol::verdict::Verdict;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, ConnectionProperties};
use reqwest::Method;
use sqlx::{Connection, PgConnection};

use crate::ticketing::world::connection::NodeConnection;
use crate::ticketing::world::journal::{Journal, classes};
use crate::ticketing::world::{FLEET, Venue, contexts};
use crate::world::house::House;
use crate::world::{TestApp, TestOptions, send, until};

/// C35: customers had all connections of the database, and a guest at the gate waited for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_let_in_while_the_shop_has_taken_all_of_its_connections() {
    let venue = Venue::open().await;
    let (_, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let db = &venue.core.app().db;
    let mut taken = Vec::new();
    for context in ["ticketing", "fleet"] {
        loop {
            match db.read(context).await {
                Ok(conn) => taken.push(conn),
                Err(error) => {
                    assert!(error.is_busy(), "{error}");
                    break;
                }
            }
        }
    }
    let verdict = connection.scan(&venue.scan(0, &token)).await;
    assert_eq!(verdict, Verdict::Admit);
    drop(taken);
}

/// C35: the catalogue's readers took all connections, its messages waited for one, and the readers
/// after them waited three seconds for a fault.
#[tokio::test(flavor = "multi_thread")]
async fn readers_beyond_their_share_are_refused_at_once_and_hold_up_no_message() {
    let share = 2;
    let config = vec![
        ("database.anonymous_connections", share.to_string()),
        // A busy machine needs a while to make a connection.
        ("database.anonymous_wait_ms", "3000".to_owned()),
    ];
    let core = TestApp::with(TestOptions {
        config,
        ..TestOptions::default()
    })
    .await;
    let house = House::open(&core).await;
    let url = core.scope.database.url();
    let mut slow = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql("begin; lock table catalogue.events in access exclusive mode")
        .execute(&mut slow)
        .await
        .expect("the lock");
    // A transaction would see the sessions of its first look for ever.
    let mut watch = PgConnection::connect(url).await.expect("a connection");
    let anybody = core.anybody();
    let read = || send(anybody.request(Method::GET, "/catalog/events"));
    let first = futures_util::future::join_all((0..share).map(|_| read()));
    let others = async {
        until("the share is in use", async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut watch)
            .await
            .expect("the count");
            waiting == share
        })
        .await;
        let refused = read().await;
        assert_eq!(refused.header("retry-after"), "1");
        refused.assert_refused(503, "busy");
        house.held(&["A-1"], 0).await;
        core.settle().await;
        sqlx::raw_sql("rollback")
            .execute(&mut slow)
            .await
            .expect("the unlock");
    };
    let (first, ()) = tokio::join!(first, others);
    for answer in first {
        answer.expect(200);
    }
}

/// The queue that journals stood in before they had one of their own, and the present one.
const QUEUES: [EventQueue; 2] = [
    EventQueue::ordinary("ticketing"),
    EventQueue::gates("ticketing"),
];

async fn bind(channel: &Channel, to: EventQueue) {
    let (name, options) = (queue(&to.to_string()), QueueBindOptions::default());
    let key = JournalAccepted::ROUTING_KEY.into();
    let bound = channel.queue_bind(
        name.into(),
        DOMAIN_EXCHANGE.into(),
        key,
        options,
        FieldTable::default(),
    );
    bound.await.expect("the binding");
}

async fn unbind(channel: &Channel, from: EventQueue) {
    let name = queue(&from.to_string());
    let key = JournalAccepted::ROUTING_KEY.into();
    let unbound = channel.queue_unbind(
        name.into(),
        DOMAIN_EXCHANGE.into(),
        key,
        FieldTable::default(),
    );
    unbound.await.expect("no binding");
}

/// Whether any queue takes journals.
async fn is_routed(channel: &Channel) -> bool {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let sent = channel
        .basic_publish(
            DOMAIN_EXCHANGE.into(),
            JournalAccepted::ROUTING_KEY.into(),
            options,
            b"no journal",
            BasicProperties::default(),
        )
        .await
        .expect("a publish");
    match sent.await.expect("a confirm") {
        Confirmation::Ack(returned) => returned.is_none(),
        Confirmation::Nack(_) | Confirmation::NotRequested => panic!("the broker takes messages"),
    }
}

/// C35: from one release to the next. What stands in the old queue is applied from there; the old
/// binding is taken back, or each journal would stand behind the orders as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_in_the_queue_of_the_release_before_is_applied_and_the_next_one_is_not_sent_there()
 {
    let venue = Venue::open().await;
    let url = &venue.core.scope.amqp_url;
    let connection = lapin::Connection::connect(url, ConnectionProperties::default())
        .await
        .expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.expect("confirms");
    let [old, new] = QUEUES;

    // As the release before has declared it.
    bind(&channel, old).await;
    unbind(&channel, new).await;
    let (_, token) = venue.ticket().await;
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&venue.scan(0, &token), Verdict::Admit);
    journal.upload().await;
    assert_eq!(classes(&venue).await, ["admitted"]);

    // A process of this release starts beside it.
    let roles = vec![("process.roles", "[\"relay\"]".to_owned())];
    let next = venue.core.beside(roles, contexts).await;
    let (_, token) = venue.ticket().await;
    journal.shown(&venue.scan(0, &token), Verdict::Admit);
    journal.upload().await;
    assert_eq!(classes(&venue).await, ["admitted", "admitted"]);
    unbind(&channel, new).await;
    assert!(!is_routed(&channel).await, "the old binding is gone");
    bind(&channel, new).await;
    next.stop().await;
}

const DAMAGED: u32 = 20;

/// C35: what is parked for gates is counted, alarmed and replayed as what is parked for the shop: each
/// message once, although it is parked again at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_parked_is_an_alarm_and_is_replayed_into_its_own_queue() {
    let venue = Venue::open().await;
    venue.core.leave_unsettled();
    let app = venue.core.app();
    let name = EventQueue::gates("ticketing").to_string();
    let parked = async || {
        let count = dead_letters::count(&app.bus, &name).await;
        count.expect("the count") == DAMAGED
    };
    for _ in 0..DAMAGED {
        let mut damaged = Journal::of(&venue, 0).batch();
        damaged.rows = vec!["no row".to_owned()];
        venue.publish(FLEET, 1, &damaged).await;
    }
    until("the journals are parked", parked).await;
    let letters = dead_letters::read(&app.bus, &name, 10)
        .await
        .expect("letters");
    assert_eq!(letters[0].kind.as_deref(), Some(JournalAccepted::TYPE));

    let watch = async || {
        let ran = jobs::run_now(app, "catalogue", "watch_parked_work").await;
        ran.expect("the job succeeds");
        let filter = alarms::Filter {
            states: Some(vec![alarms::State::Open]),
            ..alarms::Filter::default()
        };
        let listed = alarms::list(app, &filter, (0, 100)).await;
        let (standing, _) = listed.expect("the alarms");
        let standing = standing
            .into_iter()
            .map(|alarm| (alarm.kind, alarm.subject));
        Vec::from_iter(standing)
    };
    let alarm = ("bus.messages_parked".to_owned(), name.clone());
    assert_eq!(watch().await, [alarm]);
    until("they can be got again", parked).await;
    let replayed = dead_letters::replay(&app.bus, &name, 10 * DAMAGED).await;
    assert_eq!(replayed.expect("a replay"), DAMAGED);
    until("they are parked again", parked).await;
}
