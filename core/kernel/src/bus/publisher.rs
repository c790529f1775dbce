//! Publishing with confirms, pipelined: a batch costs one round trip.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};

use super::BusError;
use super::answers::{answered, silence};

/// A channel with publisher confirms.
#[derive(Debug)]
pub(crate) struct Publisher {
    channel: Channel,
    timeout: Duration,
}

/// One message on its way.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: String,
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BasicProperties,
    /// Whether a message that no queue takes is a fault: only then does the broker give it back.
    pub(crate) must_route: bool,
}

impl Publisher {
    pub(super) fn new(channel: Channel, timeout: Duration) -> Self {
        Self { channel, timeout }
    }

    /// One result per message, in order.
    pub(crate) async fn publish_all(&self, batch: &[Outgoing]) -> Vec<Result<(), BusError>> {
        let mut confirms = Vec::with_capacity(batch.len());
        let mut is_silent = false;
        for message in batch {
            // What comes behind a message that is not even read would wait as long, one by one.
            let sent = if is_silent {
                Err(silence())
            } else {
                self.send(message).await
            };
            is_silent |= matches!(sent, Err(BusError::NotTaken(_)));
            confirms.push(async move {
                let confirmation = tokio::time::timeout(self.timeout, sent?)
                    .await
                    .map_err(|_| BusError::NotTaken("no confirm in time".to_owned()))??;
                judge(message, &confirmation)
            });
        }
        join_all(confirms).await
    }

    pub(super) async fn close(&self) -> Result<(), BusError> {
        answered(self.channel.close(200, "published".into())).await
    }

    async fn send(&self, message: &Outgoing) -> Result<PublisherConfirm, BusError> {
        let options = BasicPublishOptions {
            mandatory: message.must_route,
            ..BasicPublishOptions::default()
        };
        answered(self.channel.basic_publish(
            message.exchange.into(),
            message.routing_key.as_str().into(),
            options,
            &message.body,
            message.properties.clone(),
        ))
        .await
    }

    pub(crate) async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        self.publish_all(std::slice::from_ref(&message))
            .await
            .into_iter()
            .collect()
    }
}

fn judge(message: &Outgoing, confirmation: &Confirmation) -> Result<(), BusError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err(BusError::Refused(format!(
            "no queue takes '{}'",
            message.routing_key
        ))),
        Confirmation::Nack(_) => Err(BusError::Refused("a negative confirm".to_owned())),
        Confirmation::NotRequested => {
            Err(BusError::NotTaken("the channel has no confirms".to_owned()))
        }
    }
}
