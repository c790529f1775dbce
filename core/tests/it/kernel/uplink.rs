//! The uplink's topology: what edges send lands in its queue before any core listens, and what no
//! queue takes is kept and seen; downlinks to nodes that are offline are not collected.

use std::sync::Arc;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::{TestApp, TestOptions, until};
use eventify_contracts::uplink::ASK;
use eventify_kernel::app::App;
use eventify_kernel::bus::{Consumers, UplinkMessage};
use eventify_kernel::context::Context;
use eventify_kernel::failure::Failure;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

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

#[tokio::test(flavor = "multi_thread")]
async fn every_uplink_has_its_queue_and_strays_are_kept() {
    // Nobody consumes the pipes here: what arrives stays to be counted.
    let core = TestApp::with(TestOptions {
        contexts: Some(|_, _| vec![eventify_core::contexts::identity::context(&Arc::default())]),
        ..TestOptions::default()
    })
    .await;
    let (_connection, channel) = channel(&core).await;
    let node = core.clock.new_id();
    for (kind, queue) in [("journal", "edge.journal.q"), ("stray", "edge.unrouted.q")] {
        publish(&channel, &format!("ev1.up.{node}.{kind}"), b"x").await;
        until(queue, async || waiting(&channel, queue).await == 1).await;
    }
    publish(&channel, &format!("ev1.down.{node}.point"), b"x").await;
    publish(&channel, &format!("ev1.up.{node}.stray"), b"x").await;
    let unrouted = "edge.unrouted.q";
    until(unrouted, async || waiting(&channel, unrouted).await == 2).await;
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
