//! RabbitMQ: the only module that uses `lapin`.
//!
//! Connections are disposable: a channel is opened on a live connection, which is made if there is
//! none. The first connection, and each that replaces a broken one, declares the topology before
//! anything else, so that no message meets a missing queue. The outbox is the memory; a publish that
//! fails is tried again by the relay.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind};
use tokio::sync::Mutex;

use self::answers::answered;
use crate::config;
use crate::connectivity::{CONNECT_TIMEOUT, Connectivity, Pauses};

mod answers;
pub mod consumer;
pub mod dead_letters;
mod grouped;
mod headers;
mod in_hand;
mod limits;
mod publisher;
mod queues;
mod registry;
pub mod relay;
mod shares;
mod topology;
mod uplink;

pub use limits::{MAX_DOWNLINK_MESSAGES, MAX_MESSAGE_BYTES};
pub use queues::{EventQueue, Lane, Routing};
pub use registry::{ConsumerFn, Consumers, GroupConsumerFn, Handler, UplinkHandler, UplinkMessage};
pub use topology::{
    ALTERNATE_EXCHANGE, DOMAIN_EXCHANGE, MQTT_EXCHANGE, dead_letter_queue, queue, retry_queues,
};
pub use uplink::{Binding, Uplink, consume as consume_uplink};

/// The broker did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Connection, channel or protocol.
    #[error("broker: {0}")]
    Amqp(#[from] lapin::Error),
    /// No answer at its address.
    #[error("the broker at {place} can't be reached: {why}")]
    OutOfReach {
        /// Host, port and virtual host.
        place: String,
        /// What was met there.
        why: String,
    },
    /// It answers, and takes no connection from us.
    #[error("the broker at {place} refuses the connection: {why}; check bus.url")]
    ConnectionRefused {
        /// Host, port and virtual host.
        place: String,
        /// Its reason.
        why: lapin::Error,
    },
    /// It did not confirm a message in time, or ended the operation.
    #[error("broker did not take the message: {0}")]
    NotTaken(String),
    /// It lacks a setting without which one sender can take the memory of all.
    #[error("the broker {0} (OPERATING.md, \"What the broker must limit\"; bus.check_limits)")]
    Unlimited(String),
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
    routing: Routing,
    /// Whether the topology is declared, as far as this process knows.
    declared: Mutex<bool>,
    connections: [Mutex<Option<Connection>>; Purpose::ALL.len()],
    downlink: Mutex<Option<Channel>>,
    connectivity: Connectivity,
}

/// The longest that a broker may take to declare all queues.
const PREPARED: Duration = Duration::from_secs(60);

/// Of a queue that nobody has.
const PROBE_KEY: &str = "eventify.probe";

/// A connection for each direction and each partner. A broker that runs out of memory stops reading
/// from connections that publish: consumers must not wait behind those, nor gates behind events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Events to the broker.
    Publish,
    /// Events from the broker.
    Consume,
    /// Messages of edges, and the events that gates wait for.
    Uplink,
    /// Messages to edges.
    Downlink,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Publish, Self::Consume, Self::Uplink, Self::Downlink];

    const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
            Self::Uplink => "for gates",
            Self::Downlink => "to edges",
        }
    }
}

impl BusError {
    /// The pause before the next attempt of a loop, and whether the loop logs the error. A broker that
    /// can't be reached is logged once for all loops ([`Bus::channel`]).
    pub(crate) fn pause(&self, pauses: &mut Pauses) -> (Duration, bool) {
        let is_news = match self {
            Self::OutOfReach { .. } | Self::ConnectionRefused { .. } => {
                return (pauses.next(), false);
            }
            Self::Amqp(error) => !is_line(error),
            Self::NotTaken(_) | Self::Refused(_) | Self::Unlimited(_) => true,
        };
        pauses.reset();
        (pauses.next(), is_news)
    }
}

impl Bus {
    /// Connects at first use.
    #[must_use]
    pub fn new(config: config::Bus, contexts: Vec<&'static str>, routing: Routing) -> Self {
        let connectivity = Connectivity::of("broker", place(&config.url), "bus.url");
        Self(Arc::new(Inner {
            config,
            contexts,
            routing,
            declared: Mutex::default(),
            connections: Default::default(),
            downlink: Mutex::default(),
            connectivity,
        }))
    }

    /// Whether the broker was out of reach when it was last wanted.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.0.connectivity.is_lost()
    }

    /// Waits until the broker accepts connections and the topology is declared.
    ///
    /// # Errors
    /// It takes none from us, or not this topology: that does not pass by itself.
    pub async fn wait(&self) -> Result<(), BusError> {
        let mut pauses = Pauses::default();
        loop {
            match self.open(Purpose::Consume).await {
                Ok(_) => return Ok(()),
                Err(BusError::OutOfReach { why, .. }) => self.0.connectivity.lost(why),
                Err(error) => return Err(error),
            };
            tokio::time::sleep(pauses.next()).await;
        }
    }

    /// Whether the broker can be reached now; connects if it isn't.
    pub async fn is_connected(&self) -> bool {
        // The line that a broker short of memory still serves: it is no use to stop serving then.
        let asked = async {
            match self.channel(Purpose::Consume).await {
                Ok(channel) => channel.close(200, "probe".into()).await.is_ok(),
                Err(error) => {
                    tracing::debug!(%error, "not connected");
                    false
                }
            }
        };
        // A line that breaks while it is asked may never answer.
        let answered = tokio::time::timeout(CONNECT_TIMEOUT, asked).await;
        answered.unwrap_or(false)
    }

    /// Whether the broker takes messages now. Short of memory or disk it serves consumers, and reads nothing from
    /// those that publish: all looks connected. A message to no queue tells, for it is confirmed like any other.
    pub async fn takes_messages(&self) -> bool {
        let asked = async {
            let probe = publisher::Outgoing {
                exchange: "",
                routing_key: PROBE_KEY.to_owned(),
                body: Vec::new(),
                properties: BasicProperties::default(),
                must_route: false,
            };
            let publisher = self.publisher().await?;
            publisher.publish(probe).await?;
            publisher.close().await
        };
        match asked.await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "the broker takes no message");
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
            None => self.channel(Purpose::Downlink).await?,
        };
        let sent = answered(channel.basic_publish(
            MQTT_EXCHANGE.into(),
            routing_key.into(),
            BasicPublishOptions::default(),
            body,
            BasicProperties::default(),
        ))
        .await;
        if sent.is_ok() {
            *downlink = Some(channel);
        }
        sent?;
        Ok(())
    }

    /// Closes the connections.
    pub async fn close(&self) {
        for connection in &self.0.connections {
            if let Some(connection) = connection.lock().await.take() {
                let _already_gone = connection.close(200, "stopping".into()).await;
            }
        }
    }

    /// The queues of events of the contexts that consume any.
    #[must_use]
    pub fn queues(&self) -> Vec<EventQueue> {
        self.0.routing.queues(&self.0.contexts)
    }

    /// The uplinks whose messages are parked when they can't be handled.
    pub fn kept_uplinks(&self) -> impl Iterator<Item = Uplink> + '_ {
        let all = self.0.routing.uplinks.iter().copied();
        all.filter(|uplink| uplink.is_durable)
    }

    /// The names of all queues that have dead letters.
    #[must_use]
    pub fn parking(&self) -> Vec<String> {
        let uplinks = self.kept_uplinks().map(|uplink| uplink.name.to_owned());
        let events = self.queues().into_iter().map(|queue| queue.to_string());
        events.chain(uplinks).collect()
    }

    /// Whether a queue must receive this event: then an unroutable message is a fault.
    pub(crate) fn is_awaited(&self, kind: &str) -> bool {
        self.0.routing.awaited.contains(kind)
    }

    pub(crate) fn config(&self) -> &config::Bus {
        &self.0.config
    }

    /// A new channel of a live connection. That there is none is logged once for all callers.
    pub(crate) async fn channel(&self, purpose: Purpose) -> Result<Channel, BusError> {
        let opened = self.open(purpose).await;
        match &opened {
            Err(BusError::OutOfReach { why, .. }) => self.0.connectivity.lost(why),
            Err(BusError::ConnectionRefused { why, .. }) => self.0.connectivity.lost(why),
            _ => false,
        };
        opened
    }

    async fn open(&self, purpose: Purpose) -> Result<Channel, BusError> {
        let mut connection = self.0.connections[purpose as usize].lock().await;
        let broke = connection.is_some();
        if let Some(live) = connection.as_ref().filter(|it| it.status().connected()) {
            let opened = answered(live.create_channel()).await;
            // A broker short of memory reads nothing from those that publish: a fresh connection is no better.
            if matches!(opened, Err(BusError::NotTaken(_))) && !live.status().blocked() {
                *connection = None;
            }
            return opened;
        }
        if broke && !self.is_lost() {
            let (address, purpose_name) = (self.0.connectivity.place(), purpose.name());
            tracing::warn!(
                code = "bus.connection_lost",
                address,
                purpose = purpose_name,
                "the connection to the broker is lost"
            );
        }
        let fresh = self.connect(purpose).await?;
        let prepared = tokio::time::timeout(PREPARED, self.prepare(&fresh, broke));
        let channel = match prepared.await {
            Ok(Err(BusError::Amqp(error))) if is_line(&error) => {
                return Err(self.out_of_reach(&error));
            }
            Ok(prepared) => prepared?,
            Err(_) => return Err(self.out_of_reach("no answer in time")),
        };
        self.0.connectivity.found();
        *connection = Some(fresh);
        Ok(channel)
    }

    /// The first channel of a connection. `broke`: whether it comes in place of a broken one.
    async fn prepare(&self, fresh: &Connection, broke: bool) -> Result<Channel, BusError> {
        let channel = fresh.create_channel().await?;
        // Under the lock, so that the second caller finds the queues.
        let mut declared = self.0.declared.lock().await;
        if broke || !*declared {
            *declared = false;
            let Inner {
                config,
                contexts,
                routing,
                ..
            } = &*self.0;
            topology::declare(&channel, config, contexts, routing).await?;
            *declared = true;
        }
        Ok(channel)
    }

    async fn connect(&self, purpose: Purpose) -> Result<Connection, BusError> {
        let name = format!("eventify-core {} {}", std::process::id(), purpose.name());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect(&self.0.config.url, properties);
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(fresh)) => Ok(fresh),
            Ok(Err(error)) if is_line(&error) => Err(self.out_of_reach(error)),
            Ok(Err(why)) => Err(BusError::ConnectionRefused {
                place: self.0.connectivity.place().to_owned(),
                why,
            }),
            Err(_) => Err(self.out_of_reach("no answer in time")),
        }
    }

    fn out_of_reach(&self, why: impl Display) -> BusError {
        BusError::OutOfReach {
            place: self.0.connectivity.place().to_owned(),
            why: why.to_string(),
        }
    }

    /// A channel with publisher confirms.
    pub(crate) async fn publisher(&self) -> Result<publisher::Publisher, BusError> {
        let channel = self.channel(Purpose::Publish).await?;
        answered(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(publisher::Publisher::new(
            channel,
            self.0.config.confirm_timeout(),
        ))
    }
}

/// Whether it is the line, or a broker that is just starting, and not what was asked.
fn is_line(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::IOError(_)
            | ErrorKind::MissingHeartbeatError
            | ErrorKind::InvalidConnectionState(_)
            | ErrorKind::InvalidChannelState(..)
    )
}

/// Whether a URL can be read. Why not is not said: the reason may quote a password.
#[must_use]
pub(crate) fn is_url(text: &str) -> bool {
    text.parse::<AMQPUri>().is_ok()
}

/// Host, port and virtual host of a URL, without the login.
fn place(url: &str) -> String {
    url.parse::<AMQPUri>().map_or_else(
        |error| error,
        |uri| {
            let AMQPUri {
                authority, vhost, ..
            } = uri;
            format!(
                "{}:{}, virtual host {vhost}",
                authority.host, authority.port
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_broker_is_shown_without_the_login() {
        for (url, shown) in [
            (
                "amqp://user:secret@mq:5673/venues",
                "mq:5673, virtual host venues",
            ),
            ("amqp://mq", "mq:5672, virtual host /"),
        ] {
            assert_eq!(place(url), shown);
        }
    }
}
