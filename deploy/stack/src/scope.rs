//! What one test has for itself on the shared servers.

use std::path::PathBuf;

use crate::background;
use crate::clock;
use crate::error::{Result, StackError};
use crate::message_line::MessageLine;
use crate::oidc::Oidc;
use crate::pki::{ClientIdentity, DeviceCa};
use crate::postgres::Database;
use crate::stack::Description;
use crate::stripe::Stripe;

/// A test's own database and virtual host, with every address that a core and its edges are
/// configured with. Dropping it removes both (best effort: the run's end removes everything).
#[derive(Debug)]
pub struct Scope {
    /// Dropped with the scope.
    pub database: Database,
    /// The virtual host's name; a node's certificate has the common name `vhost:node`.
    pub vhost: String,
    /// The core's AMQP URL, with login and virtual host.
    pub amqp_url: String,
    /// Where edges connect to: `localhost`, in the broker's certificate beside `127.0.0.1`.
    pub mqtt_host: &'static str,
    pub mqtt_port: u16,
    /// PEM file: what edges trust the broker by.
    pub broker_ca: PathBuf,
    /// PEM files: what the core signs client certificates with.
    pub device_ca: DeviceCa,
    /// Shared by all tests of the run.
    pub oidc: Oidc,
    /// An account of this test's own.
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

    /// From now on RabbitMQ's questions about MQTT clients of this virtual host go to
    /// `<core_url>/broker/{user,vhost,resource,topic}`; before, all are answered `deny`.
    pub async fn register_broker_auth(&self, core_url: &str) -> Result<()> {
        self.description
            .dispatcher
            .register(&self.vhost, core_url)
            .await
    }

    /// A line to the broker for one node, by its certificate, on which single messages can be held.
    pub async fn message_line(&self, node: &ClientIdentity) -> Result<MessageLine> {
        MessageLine::start(&self.description.rabbitmq, node).await
    }

    /// The common name that makes RabbitMQ take a client for `user` on this virtual host.
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
                description.dispatcher.forget(&vhost).await?;
                description.rabbitmq.delete_vhost(&vhost).await?;
                Ok::<_, StackError>(())
            };
            if let Err(error) = removed.await {
                tracing::debug!(vhost, %error, "left to the end of the run");
            }
        });
    }
}
