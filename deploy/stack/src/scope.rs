//! What a test has for itself on the shared servers.

use std::path::PathBuf;

use serde_json::Value;

use crate::background;
use crate::clock;
use crate::error::{Result, StackError};
use crate::message_proxy::MessageProxy;
use crate::oidc::Oidc;
use crate::pki::{ClientIdentity, DeviceCa};
use crate::postgres::Database;
use crate::stack::Description;
use crate::stripe::Stripe;

/// A test's own database and virtual host, with every address that a core and its edge nodes need.
/// Dropping it removes both; what can't be removed then goes when the run ends.
#[derive(Debug)]
pub struct Scope {
    pub database: Database,
    /// The virtual host's name; a node's certificate has the common name `vhost:node`.
    pub vhost: String,
    /// The core's AMQP URL, with login and virtual host.
    pub amqp_url: String,
    /// Where edge nodes connect to: `localhost`, which is in the broker's certificate.
    pub mqtt_host: &'static str,
    pub mqtt_port: u16,
    /// PEM file: the authority of the broker's certificate.
    pub broker_ca: PathBuf,
    /// PEM files: the authority with which the core signs client certificates.
    pub device_ca: DeviceCa,
    /// Shared by all tests of the run.
    pub oidc: Oidc,
    /// This test's own account.
    pub stripe: Stripe,
    /// `host:port` of the run's mail sink (plain SMTP, no login).
    pub smtp_address: String,
    description: Description,
}

impl Scope {
    pub(crate) async fn around(database: Database, description: &Description) -> Result<Self> {
        let description = description.clone();
        let vhost = format!("t{}", clock::random_name::<6>());
        description.rabbitmq.create_vhost(&vhost).await?;
        Ok(Self {
            database,
            amqp_url: description.rabbitmq.amqp_url(&vhost),
            vhost,
            mqtt_host: "localhost",
            mqtt_port: description.rabbitmq.mqtt_port(),
            broker_ca: description.rabbitmq.broker_ca().to_owned(),
            device_ca: description.device_ca.clone(),
            oidc: description.oidc.clone(),
            stripe: description.stripe.account(),
            smtp_address: description.mail.smtp_address(),
            description,
        })
    }

    /// Sends RabbitMQ's questions about MQTT clients of this virtual host to
    /// `<core_url>/broker/{user,vhost,resource,topic}`; until then all are answered `deny`.
    pub async fn register_broker_auth(&self, core_url: &str) -> Result<()> {
        self.description
            .dispatcher
            .register(&self.vhost, core_url)
            .await
    }

    /// Takes a policy from this virtual host's broker, as in a deployment that forgot it.
    pub async fn remove_policy(&self, name: &str) -> Result<()> {
        let rabbitmq = &self.description.rabbitmq;
        rabbitmq.delete_policy(&self.vhost, name).await
    }

    /// Bounds the queues of this virtual host that match, beside what they were declared with: the lower bound
    /// holds.
    pub async fn bound(&self, name: &str, queues: &str, bounds: Value) -> Result<()> {
        let rabbitmq = &self.description.rabbitmq;
        rabbitmq
            .put_policy(&self.vhost, name, ("queues", queues), bounds)
            .await
    }

    /// A proxy between one node and the broker that can hold single messages.
    pub async fn message_proxy(&self, node: &ClientIdentity) -> Result<MessageProxy> {
        MessageProxy::start(&self.description.rabbitmq, node).await
    }

    /// The certificate's common name of `user` on this virtual host.
    #[must_use]
    pub fn common_name(&self, user: &str) -> String {
        format!("{}:{user}", self.vhost)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let (vhost, description) = (std::mem::take(&mut self.vhost), self.description.clone());
        background::spawn(async move {
            let removed = async {
                description.dispatcher.unregister(&vhost).await?;
                description.rabbitmq.delete_vhost(&vhost).await?;
                Ok::<_, StackError>(())
            };
            if let Err(error) = removed.await {
                tracing::debug!(vhost, %error, "The virtual host stays until the run ends.");
            }
        });
    }
}
