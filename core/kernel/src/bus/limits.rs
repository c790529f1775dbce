//! What the broker has to limit, because it takes messages before any of our code sees them: the size of a
//! message, and what waits for a node that doesn't read. Both are settings of the broker, and both are
//! tried here: a limit that only a document asks for is missing one day.

use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, ErrorKind};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Bus, BusError, Purpose};

/// Largest message: a process holds some of any sender's in memory. Four times our own largest event, a
/// part of a stadium's plan.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Messages that may wait for one node: more than it asks for at a time.
pub const MAX_DOWNLINK_MESSAGES: u32 = 2_000;
/// A broker that says nothing for so long has other worries than these.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the MQTT plugin keeps what a subscriber has not acknowledged.
fn queue_of_subscriber(id: Uuid) -> String {
    format!("mqtt-subscription-eventify-probe-{id}qos1")
}

impl Bus {
    /// Tries what the broker takes, with a queue of this name for a moment.
    ///
    /// # Errors
    /// [`BusError::Unlimited`] names the setting that is missing.
    pub async fn check_limits(&self, id: Uuid) -> Result<(), BusError> {
        let tried = async {
            self.check_message_size().await?;
            self.check_downlinks(id).await
        };
        match timeout(PATIENCE, tried).await {
            Ok(Err(BusError::Unlimited(missing))) => Err(BusError::Unlimited(missing)),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                not_tried(&error.to_string());
                Ok(())
            }
            Err(_) => {
                not_tried("no answer in time");
                Ok(())
            }
        }
    }

    async fn prober(&self) -> Result<Channel, BusError> {
        let channel = self.channel(Purpose::Publish).await?;
        let options = ConfirmSelectOptions::default();
        channel.confirm_select(options).await?;
        Ok(channel)
    }

    /// One byte too many closes the channel, before it is known that no queue would have taken it.
    async fn check_message_size(&self) -> Result<(), BusError> {
        let channel = self.prober().await?;
        let body = vec![0; MAX_MESSAGE_BYTES + 1];
        let sent = async {
            let (exchange, nowhere) = ("".into(), "edge.probe".into());
            let (options, properties) = Default::default();
            let sent = channel.basic_publish(exchange, nowhere, options, &body, properties);
            sent.await?.await
        };
        match sent.await {
            Ok(_) => Err(BusError::Unlimited(format!(
                "takes messages of more than {MAX_MESSAGE_BYTES} bytes: set max_message_size = \
                 {MAX_MESSAGE_BYTES} in its rabbitmq.conf"
            ))),
            Err(error) if matches!(error.kind(), ErrorKind::ProtocolError(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_downlinks(&self, id: Uuid) -> Result<(), BusError> {
        let channel = self.prober().await?;
        let name = queue_of_subscriber(id);
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let declare = channel.queue_declare(name.as_str().into(), options, FieldTable::default());
        declare.await?;
        let mut last = None;
        for _ in 0..=MAX_DOWNLINK_MESSAGES {
            let (exchange, key) = ("".into(), name.as_str().into());
            let options = BasicPublishOptions::default();
            let sent =
                channel.basic_publish(exchange, key, options, b"", BasicProperties::default());
            last = Some(sent.await?);
        }
        if let Some(last) = last {
            last.await?;
        }
        let options = QueueDeleteOptions::default();
        let waiting = channel.queue_delete(name.as_str().into(), options).await?;
        channel.close(200, "probe".into()).await?;
        if waiting <= MAX_DOWNLINK_MESSAGES {
            return Ok(());
        }
        Err(BusError::Unlimited(format!(
            "keeps any number of messages for a node that doesn't read: set a policy for queues named \
             '^mqtt-subscription-' with max-length {MAX_DOWNLINK_MESSAGES} and max-length-bytes"
        )))
    }
}

fn not_tried(why: &str) {
    tracing::warn!(
        code = "bus.limits_not_tried",
        error = why,
        "whether the broker has its limits could not be tried"
    );
}
