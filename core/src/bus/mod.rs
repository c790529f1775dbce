//! RabbitMQ: the only module that says `lapin`.
//!
//! Connections are disposable: whoever needs a channel gets one of a live connection. The first one,
//! and each that comes in place of a broken one, declares the topology before anything else, so that
//! no message meets a missing queue. The outbox is the memory; a publish that fails is tried again by the relay.

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
    /// It did not say in time whether it took a message, or gave up what it was doing.
    #[error("broker did not take the message: {0}")]
    NotTaken(String),
    /// It doesn't take this message: a negative confirm, or no queue for it.
    #[error("broker refuses the message: {0}")]
    Refused(String),
}

/// The broker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: config::Bus,
    /// Contexts whose queues are declared.
    contexts: Vec<&'static str>,
    /// Whether the topology stands, as far as this process knows.
    declared: Mutex<bool>,
    lines: [Mutex<Option<Connection>>; Line::ALL.len()],
    downlink: Mutex<Option<Channel>>,
}

/// A connection for each direction and each partner. A broker that runs out of memory stops reading
/// from connections that publish: consumers must not wait behind those, nor gates behind events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Events to the broker.
    Publish,
    /// Events from the broker.
    Consume,
    /// Messages of edges.
    FromEdges,
    /// Messages to edges.
    ToEdges,
}

impl Line {
    const ALL: [Self; 4] = [Self::Publish, Self::Consume, Self::FromEdges, Self::ToEdges];

    const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
            Self::FromEdges => "from edges",
            Self::ToEdges => "to edges",
        }
    }
}

/// Pause before a loop that lost the broker tries again.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// A broker that doesn't answer within this is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Bus {
    /// Connects at first use.
    #[must_use]
    pub fn new(config: config::Bus, contexts: Vec<&'static str>) -> Self {
        Self(Arc::new(Inner {
            config,
            contexts,
            declared: Mutex::default(),
            lines: Default::default(),
            downlink: Mutex::default(),
        }))
    }

    /// Whether the broker can be reached now; connects if it isn't.
    pub async fn is_connected(&self) -> bool {
        // The line that a broker short of memory still serves: it is no use to stop serving then.
        match self.channel(Line::Consume).await {
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
            None => self.channel(Line::ToEdges).await?,
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

    /// Closes the connections.
    pub async fn close(&self) {
        for line in &self.0.lines {
            if let Some(connection) = line.lock().await.take() {
                let _already_gone = connection.close(200, "stopping".into()).await;
            }
        }
    }

    pub(crate) fn config(&self) -> &config::Bus {
        &self.0.config
    }

    /// A new channel of a live connection.
    pub(crate) async fn channel(&self, line: Line) -> Result<Channel, BusError> {
        let mut connection = self.0.lines[line as usize].lock().await;
        let broke = connection.is_some();
        if let Some(live) = connection.as_ref().filter(|it| it.status().connected()) {
            return Ok(live.create_channel().await?);
        }
        let name = format!("eventify-core {} {}", std::process::id(), line.name());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect(&self.0.config.url, properties);
        let fresh = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| BusError::NotTaken("no connection in time".to_owned()))??;
        let channel = fresh.create_channel().await?;
        // Under the lock: whoever comes second finds the queues that it needs.
        let mut declared = self.0.declared.lock().await;
        if broke || !*declared {
            *declared = false;
            topology::declare(&channel, &self.0.config, &self.0.contexts).await?;
            *declared = true;
        }
        *connection = Some(fresh);
        Ok(channel)
    }

    /// A channel with publisher confirms.
    pub(crate) async fn publisher(&self) -> Result<publisher::Publisher, BusError> {
        let channel = self.channel(Line::Publish).await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(publisher::Publisher::new(
            channel,
            self.0.config.confirm_timeout(),
        ))
    }
}
