//! The uplink's topology: what edges send lands in its queue before any core listens, and what no
//! queue takes is kept and seen; downlinks to nodes that are offline are not collected.

use std::sync::Arc;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::{TestApp, TestOptions, until};
use eventify_contracts::uplink::{ASK, CONTROL};
use eventify_kernel::app::App;
use eventify_kernel::bus::{Consumers, UplinkMessage, dead_letters};
use eventify_kernel::context::Context;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::run_now;
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, BasicRejectOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

async fn channel(core: &TestApp) -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&core.scope.amqp_url, properties)
        .await
        .expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .expect("confirms");
    (connection, channel)
}

async fn publish(channel: &Channel, key: &str, body: &[u8]) {
    let options = BasicPublishOptions::default();
    let sent = channel
        .basic_publish(
            "amq.topic".into(),
            key.into(),
            options,
            body,
            BasicProperties::default(),
        )
        .await
        .expect("a publish");
    assert!(sent.await.expect("a confirm").is_ack());
}

/// Publishes many before the first is confirmed.
async fn flood(channel: &Channel, key: &str, bodies: &[Vec<u8>]) {
    let mut sent = Vec::new();
    for body in bodies {
        let (exchange, options) = ("amq.topic".into(), BasicPublishOptions::default());
        let properties = BasicProperties::default();
        let publish = channel.basic_publish(exchange, key.into(), options, body, properties);
        sent.push(publish.await.expect("a publish"));
    }
    for confirm in sent {
        confirm.await.expect("a confirm");
    }
}

async fn waiting(channel: &Channel, queue: &str) -> u32 {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await
        .expect("the queue exists");
    queue.message_count()
}

/// Nobody consumes the uplinks here: what arrives stays.
async fn core_without_listeners() -> TestApp {
    TestApp::with(TestOptions {
        contexts: Some(|_, _| vec![eventify_core::contexts::identity::context(&Arc::default())]),
        ..TestOptions::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_uplink_has_its_queue_and_strays_are_kept() {
    let core = core_without_listeners().await;
    let (_connection, channel) = channel(&core).await;
    let node = core.clock.new_id();
    for (kind, queue) in [
        ("journal", "edge.journal.kept.q"),
        ("stray", "edge.unrouted.q"),
    ] {
        publish(&channel, &format!("ev1.up.{node}.{kind}"), b"x").await;
        until(queue, async || waiting(&channel, queue).await == 1).await;
    }
    publish(&channel, &format!("ev1.down.{node}.point"), b"x").await;
    publish(&channel, &format!("ev1.up.{node}.stray"), b"x").await;
    let unrouted = "edge.unrouted.q";
    until(unrouted, async || waiting(&channel, unrouted).await == 2).await;
}

/// Takes the next message of a queue.
async fn take(channel: &Channel, queue: &str) -> BasicGetMessage {
    let mut taken = None;
    until(queue, async || {
        let got = channel.basic_get(queue.into(), BasicGetOptions::default());
        taken = got.await.expect("the queue answers");
        taken.is_some()
    })
    .await;
    taken.expect("a message")
}

async fn standing(core: &TestApp) -> Vec<String> {
    run_now(core.app(), "identity", "watch_parked_work")
        .await
        .expect("the job");
    let mut conn = core.app().db.read("identity").await.expect("a connection");
    sqlx::query_scalar(
        "select kind || ' ' || subject || ' ' || (details ->> 'parked') from standing_alarms
         where cleared_at is null",
    )
    .fetch_all(&mut *conn)
    .await
    .expect("the alarms")
}

/// S2 a: a journal message that a core did not survive went to the next one, and to each after its
/// restart, with all venues' journals behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_message_that_no_core_survives_is_parked_with_an_alarm() {
    let core = core_without_listeners().await;
    let bus = core.app().bus.clone();
    let (_connection, channel) = channel(&core).await;
    let key = format!("ev1.up.{}.journal", core.clock.new_id());
    publish(&channel, &key, b"rows").await;
    assert_eq!(standing(&core).await, Vec::<String>::new());
    // As the broker sees a process that ends before it has answered.
    let unanswered = BasicNackOptions {
        requeue: true,
        ..BasicNackOptions::default()
    };
    let mut deliveries = 0;
    while waiting(&channel, "edge.journal.dlq").await == 0 {
        let got = channel.basic_get("edge.journal.kept.q".into(), BasicGetOptions::default());
        if let Some(message) = got.await.expect("the queue answers") {
            deliveries += 1;
            assert!(deliveries < 100, "it is delivered without end");
            message.acker.nack(unanswered).await.expect("it goes back");
        }
    }
    assert_eq!(waiting(&channel, "edge.journal.kept.q").await, 0);
    assert_eq!(
        standing(&core).await,
        ["bus.messages_parked edge.journal 1"]
    );
    let letters = dead_letters::read(&bus, "edge.journal", 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason.as_deref(), Some("delivery_limit"));

    // A release that survives it knows from the key whose rows they are.
    until("it is back among the parked", async || {
        waiting(&channel, "edge.journal.dlq").await == 1
    })
    .await;
    let replayed = dead_letters::replay(&bus, "edge.journal", 10).await;
    assert_eq!(replayed.unwrap(), 1);
    let message = take(&channel, "edge.journal.kept.q").await;
    assert_eq!(message.routing_key.as_str(), key);
    assert_eq!(message.data, b"rows");
    let done = message.acker.ack(BasicAckOptions::default()).await;
    done.expect("it is taken");
    assert_eq!(standing(&core).await, Vec::<String>::new());
}

/// S2 b: what the broker drops because a flood takes all the room is no letter for anybody. It pushed out of the
/// parked what somebody has to look at, and was parked itself, for an alarm that asks for a replay.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_in_the_queue_is_not_parked_and_pushes_out_nothing_that_is() {
    let core = core_without_listeners().await;
    let (_connection, channel) = channel(&core).await;
    let key = |node: Uuid| format!("ev1.up.{node}.journal");
    let (faulty, busy) = (core.clock.new_id(), core.clock.new_id());
    publish(&channel, &key(faulty), b"poison").await;
    let poison = take(&channel, "edge.journal.kept.q").await;
    let rejected = poison.acker.reject(BasicRejectOptions::default()).await;
    rejected.expect("it is parked");
    until("it is parked", async || {
        waiting(&channel, "edge.journal.dlq").await == 1
    })
    .await;

    // As much room as a few messages take, in place of 256 MiB.
    let policy = json!({"max-length": 4});
    let bounded = core
        .scope
        .bound("edge-journal", "^edge\\.journal\\.kept", policy);
    bounded.await.expect("the broker is bounded");
    let flood: Vec<_> = (0..50).map(|number| vec![number; 1_000]).collect();
    self::flood(&channel, &key(busy), &flood).await;
    until("the oldest have gone", async || {
        waiting(&channel, "edge.journal.kept.q").await == 4
    })
    .await;
    let last = take(&channel, "edge.journal.kept.q").await;
    assert_eq!(last.data, vec![46; 1_000], "the newest stay");
    let letters = dead_letters::read(&core.app().bus, "edge.journal", 100);
    let reasons: Vec<_> = letters.await.unwrap().into_iter().collect();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!(reasons[0].reason.as_deref(), Some("rejected"));
}

static ANSWERED: AtomicUsize = AtomicUsize::new(0);

async fn on_ask(_: App, message: UplinkMessage) -> Result<(), Failure> {
    assert_ne!(message.body, b"defect");
    ANSWERED.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// With one message in hand at a time, one that stays unacknowledged would be the last.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_makes_its_handler_panic_holds_up_no_other() {
    let core = TestApp::with(TestOptions {
        contexts: Some(|_, _| {
            let consumers = Consumers::new().uplink(ASK, on_ask);
            vec![Context {
                consumers,
                ..Context::new("fleet", &[])
            }]
        }),
        config: vec![("bus.prefetch", "1".to_owned())],
        ..TestOptions::default()
    })
    .await;
    let (_connection, channel) = channel(&core).await;
    let key = format!("ev1.up.{}.ask", core.clock.new_id());
    for body in [b"defect".as_slice(), b"good"] {
        publish(&channel, &key, body).await;
    }
    until("the next one is answered", async || {
        ANSWERED.load(Ordering::SeqCst) == 1
    })
    .await;
}

static OF_FLOOD: AtomicUsize = AtomicUsize::new(0);
static OF_OTHERS: AtomicUsize = AtomicUsize::new(0);

async fn on_counted_ask(_: App, message: UplinkMessage) -> Result<(), Failure> {
    let of = match message.body.as_slice() {
        b"flood" => &OF_FLOOD,
        _ => &OF_OTHERS,
    };
    of.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// S2 b: each message of a flood cost queries, before anything was refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_sends_beyond_its_share_reaches_no_handler() {
    const FLOOD: usize = 2_000;
    let core = TestApp::with(TestOptions {
        contexts: Some(|_, _| {
            let consumers = Consumers::new().uplink(ASK, on_counted_ask);
            vec![Context {
                consumers,
                ..Context::new("fleet", &[])
            }]
        }),
        ..TestOptions::default()
    })
    .await;
    let (_connection, channel) = channel(&core).await;
    let begun = core.clock.instant();
    let node = format!("ev1.up.{}.ask", core.clock.new_id());
    flood(&channel, &node, &vec![b"flood".to_vec(); FLOOD]).await;
    for _ in 0..10 {
        let other = format!("ev1.up.{}.ask", core.clock.new_id());
        publish(&channel, &other, b"other").await;
    }
    until("each other node is answered", async || {
        OF_OTHERS.load(Ordering::SeqCst) == 10
    })
    .await;
    // Sixty at once, and ten a second.
    let seconds = (core.clock.instant() - begun).as_secs() + 1;
    let share = 60 + 10 * usize::try_from(seconds).expect("a test is short");
    let handled = OF_FLOOD.load(Ordering::SeqCst);
    assert!(handled <= share, "{handled} of {FLOOD} in {seconds} s");
}

/// The bodies that a test's handler was called with, and when it may return.
#[derive(Debug)]
struct Slow {
    calls: Mutex<Vec<String>>,
    may_return: Semaphore,
}

impl Slow {
    const fn new() -> Self {
        Self {
            calls: Mutex::new(Vec::new()),
            may_return: Semaphore::const_new(0),
        }
    }

    async fn call(&self, message: &UplinkMessage) {
        let body = String::from_utf8_lossy(&message.body).into_owned();
        let is_slow = body.starts_with("slow");
        self.calls.lock().unwrap().push(body);
        if is_slow {
            self.may_return.acquire().await.unwrap().forget();
        }
    }

    fn bodies(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

async fn core_with(concurrency: u16, contexts: crate::world::ContextsOf) -> TestApp {
    TestApp::with(TestOptions {
        contexts: Some(contexts),
        config: vec![("bus.concurrency", concurrency.to_string())],
        ..TestOptions::default()
    })
    .await
}

static PULLS: Slow = Slow::new();

async fn on_pull(_: App, message: UplinkMessage) -> Result<(), Failure> {
    PULLS.call(&message).await;
    Ok(())
}

/// A node whose pulls took seconds had as many places as its share allows, and all others stood behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_pulls_while_its_pull_is_slow_has_one_place() {
    let core = core_with(4, |_, _| {
        let consumers = Consumers::new().uplink(CONTROL, on_pull);
        vec![Context {
            consumers,
            ..Context::new("fleet", &[])
        }]
    })
    .await;
    let (_connection, channel) = channel(&core).await;
    let pulls = || format!("ev1.up.{}.pull", core.clock.new_id());
    let here = pulls();
    let bodies: Vec<_> = (0..50).map(|pull| format!("slow {pull}").into()).collect();
    flood(&channel, &here, &bodies).await;
    publish(&channel, &pulls(), b"other").await;
    // It is the last in its queue: all fifty have been looked at.
    until("the other node is answered", async || {
        PULLS.bodies().contains(&"other".to_owned())
    })
    .await;
    assert_eq!(PULLS.bodies(), ["slow 0", "other"]);
    PULLS.may_return.add_permits(50);
    until("a later pull is answered", async || {
        PULLS.bodies().len() == 3
    })
    .await;
    publish(&channel, &pulls(), b"last").await;
    until("the last is answered", async || {
        PULLS.bodies().contains(&"last".to_owned())
    })
    .await;
    let answered = PULLS.bodies();
    assert_eq!(answered.len(), 4, "{answered:?}");
    assert_ne!(answered[2], "slow 1", "the newest within its share");
}

static FULL: Slow = Slow::new();

async fn on_control(_: App, message: UplinkMessage) -> Result<(), Failure> {
    FULL.call(&message).await;
    Ok(())
}

/// While it waited for a place, a core dropped nothing, and messages of all stood behind a flood.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_dropped_while_all_places_are_taken() {
    /// So many that a slow machine takes them before the broker lets them expire.
    const AT_ONCE: usize = 100;
    const OTHERS: usize = 20;
    let core = core_with(1, |_, _| {
        let consumers = Consumers::new().uplink(CONTROL, on_control);
        vec![Context {
            consumers,
            ..Context::new("fleet", &[])
        }]
    })
    .await;
    let (_connection, channel) = channel(&core).await;
    let health = format!("ev1.up.{}.health", core.clock.new_id());
    publish(&channel, &health, b"slow").await;
    until("its place is taken", async || FULL.bodies() == ["slow"]).await;
    let node = format!("ev1.up.{}.pull", core.clock.new_id());
    let all_taken = async || {
        until("nothing waits at the broker", async || {
            waiting(&channel, "edge.control.q").await == 0
        })
        .await;
    };
    for _ in 0..10 {
        flood(&channel, &node, &vec![b"flood".to_vec(); AT_ONCE]).await;
        all_taken().await;
    }
    for _ in 0..OTHERS {
        let other = format!("ev1.up.{}.pull", core.clock.new_id());
        publish(&channel, &other, b"other").await;
    }
    // A core that waits has 64 of the flood, and the broker lets all others expire.
    all_taken().await;
    FULL.may_return.add_permits(1);
    until("each other node is answered", async || {
        let bodies = FULL.bodies();
        bodies.iter().filter(|body| *body == "other").count() == OTHERS
    })
    .await;
}
