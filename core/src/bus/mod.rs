//! RabbitMQ: the only module that says `lapin`.
//!
//! A connection is disposable: whoever needs a channel gets one of a live connection, and a new
//! connection declares the topology before anything else, so that no message meets a missing
//! queue. The outbox is the memory; a publish that fails is tried again by the relay.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::sync::Mutex;

use crate::config;

pub(crate) mod consumer;
pub mod dead_letters;
mod headers;
mod pipe;
mod publisher;
mod registry;
pub(crate) mod relay;
mod topology;

pub use pipe::Pipe;
pub(crate) use pipe::consume as consume_pipe;
pub use registry::{ConsumerFn, Consumers, GroupConsumerFn, Handler, PipeHandler, PipeMessage};
pub use topology::{
    ALTERNATE_EXCHANGE, DOMAIN_EXCHANGE, EDGE_EXCHANGE, dead_letter_queue, queue, retry_queues,
};

/// The broker did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Connection, channel or protocol.
    #[error("broker: {0}")]
    Amqp(#[from] lapin::Error),
    /// No confirm in time, a negative one, or a message that no queue took.
    #[error("broker did not take the message: {0}")]
    NotTaken(String),
}

/// The broker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: config::Bus,
    /// Contexts whose queues are declared.
    contexts: Vec<&'static str>,
    connection: Mutex<Option<Connection>>,
    downlink: Mutex<Option<Channel>>,
}

/// Pause before a loop that lost the broker tries again.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// A broker that doesn't answer within this is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Bus {
    /// Connects at first use.
    #[must_use]
    pub fn new(config: config::Bus, contexts: Vec<&'static str>) -> Self {
        let (connection, downlink) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner {
            config,
            contexts,
            connection,
            downlink,
        }))
    }

    /// Whether the broker can be reached now; connects if it isn't.
    pub async fn is_connected(&self) -> bool {
        match self.channel().await {
            Ok(channel) => channel.close(200, "probe".into()).await.is_ok(),
            Err(error) => {
                tracing::warn!(%error, "broker not reachable");
                false
            }
        }
    }

    /// Sends bytes to an edge over `amq.topic`: `ev1.down.<node>.<kind>`. No confirm and nothing
    /// kept: heads and acknowledgements of the sync protocol are the memory.
    ///
    /// # Errors
    /// The connection is down; the edge will ask again.
    pub async fn send_down(&self, routing_key: &str, body: &[u8]) -> Result<(), BusError> {
        let mut downlink = self.0.downlink.lock().await;
        let channel = match downlink
            .take()
            .filter(|channel| channel.status().connected())
        {
            Some(channel) => channel,
            None => self.channel().await?,
        };
        let sent = channel
            .basic_publish(
                EDGE_EXCHANGE.into(),
                routing_key.into(),
                BasicPublishOptions::default(),
                body,
                BasicProperties::default(),
            )
            .await;
        if sent.is_ok() {
            *downlink = Some(channel);
        }
        sent?;
        Ok(())
    }

    /// Closes the connection.
    pub async fn close(&self) {
        if let Some(connection) = self.0.connection.lock().await.take() {
            let _already_gone = connection.close(200, "stopping".into()).await;
        }
    }

    pub(crate) fn config(&self) -> &config::Bus {
        &self.0.config
    }

    /// A new channel of a live connection.
    pub(crate) async fn channel(&self) -> Result<Channel, BusError> {
        let mut connection = self.0.connection.lock().await;
        if let Some(live) = connection.as_ref().filter(|it| it.status().connected()) {
            return Ok(live.create_channel().await?);
        }
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("eventify-core {}", std::process::id()).into());
        let connecting = Connection::connect(&self.0.config.url, properties);
        let fresh = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| BusError::NotTaken("no connection in time".to_owned()))??;
        let channel = fresh.create_channel().await?;
        topology::declare(&channel, &self.0.config, &self.0.contexts).await?;
        *connection = Some(fresh);
        Ok(channel)
    }

    /// A channel with publisher confirms.
    pub(crate) async fn publisher(&self) -> Result<publisher::Publisher, BusError> {
        let channel = self.channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(publisher::Publisher::new(
            channel,
            self.0.config.confirm_timeout(),
        ))
    }
}
