//! The uplink's topology: what edges send lands in its queue before any core listens, and what no
//! queue takes is kept and seen; downlinks to nodes that are offline are not collected.

use std::sync::Arc;

use crate::world::{TestApp, TestOptions};
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

async fn publish(channel: &Channel, key: &str) {
    let options = BasicPublishOptions::default();
    let sent = channel
        .basic_publish(
            "amq.topic".into(),
            key.into(),
            options,
            b"x",
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
    for (kind, queue) in [("journal", "edge.journal"), ("stray", "edge.unrouted.q")] {
        publish(&channel, &format!("ev1.up.{node}.{kind}")).await;
        crate::world::until(queue, async || waiting(&channel, queue).await == 1).await;
    }
    publish(&channel, &format!("ev1.down.{node}.point")).await;
    publish(&channel, &format!("ev1.up.{node}.stray")).await;
    let unrouted = "edge.unrouted.q";
    crate::world::until(unrouted, async || waiting(&channel, unrouted).await == 2).await;
}
