//! The stack as a whole: its owner starts it and describes it in a file, other processes read that.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::broker_auth::Dispatcher;
use crate::clock;
use crate::error::{During, Result, StackError};
use crate::mail::{self, Mail};
use crate::oidc::{self, Oidc};
use crate::pki::{self, DeviceCa};
use crate::postgres::{self, Database, Postgres};
use crate::process::Server;
use crate::rabbitmq::{self, RabbitMq};
use crate::scope::Scope;
use crate::scratch::Scratch;
use crate::stripe::{self, Stripe, StripeServer};
use crate::tools;

/// The environment variable with the path of the running stack's description.
pub(crate) const DESCRIPTION_VARIABLE: &str = "EVENTIFY_STACK";

/// How to start a stack.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// PostgreSQL writes to disk at each commit as in production: for benchmarks and kill -9 tests.
    pub durable: bool,
    /// The broker takes messages of any size, as in a deployment that forgot the limit.
    pub any_message_size: bool,
}

/// The addresses and logins of a running stack: the content of the description file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) postgres: Postgres,
    pub(crate) rabbitmq: RabbitMq,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) device_ca: DeviceCa,
    pub(crate) oidc: Oidc,
    pub(crate) stripe: StripeServer,
    pub(crate) mail: Mail,
}

/// The servers in the order in which they stop; the scratch folder is removed last.
#[derive(Debug)]
struct Servers {
    rabbitmq: rabbitmq::Node,
    _others: [Server; 4],
    scratch: Scratch,
}

/// A running stack. Dropping the owner's value stops the servers.
#[derive(Debug)]
pub struct Stack {
    description: Description,
    servers: Option<Servers>,
    started_in: Duration,
}

impl Stack {
    /// The stack that `EVENTIFY_STACK` names, else a new one that ends with this process.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Stack> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| async {
                match std::env::var_os(DESCRIPTION_VARIABLE) {
                    Some(path) => Self::from_description(Path::new(&path)),
                    None => Self::start(Options::default()).await,
                }
            })
            .await
    }

    /// Starts all servers in parallel and waits until each has answered.
    pub async fn start(options: Options) -> Result<Self> {
        let started = clock::now();
        let scratch = Scratch::create()?;
        let files = pki::make(&scratch)?;
        let dispatcher = Dispatcher::start().await?;
        let packaged = async {
            tools::install().await?;
            tokio::try_join!(
                oidc::start(&scratch),
                stripe::start(&scratch),
                mail::start(&scratch)
            )
        };
        let (broker, database, packaged) = tokio::try_join!(
            rabbitmq::start(&scratch, &files, &dispatcher, options.any_message_size),
            postgres::start(&scratch, options.durable),
            packaged,
        )?;
        let ((rabbitmq, node), (postgres, postgres_server)) = (broker, database);
        let ((oidc, oidc_server), (stripe, stripe_server), (mail, mail_server)) = packaged;
        let device_ca = files.device_ca;
        let description = Description {
            postgres,
            rabbitmq,
            dispatcher,
            device_ca,
            oidc,
            stripe,
            mail,
        };
        scratch.private_file("stack.json", &serde_json::to_string_pretty(&description)?)?;
        let others = [postgres_server, oidc_server, stripe_server, mail_server];
        let servers = Servers {
            rabbitmq: node,
            _others: others,
            scratch,
        };
        let started_in = started.elapsed();
        tracing::info!(code = "stack.ready", ?started_in, "The servers are ready.");
        Ok(Self {
            description,
            servers: Some(servers),
            started_in,
        })
    }

    fn from_description(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .during(|| format!("reading {DESCRIPTION_VARIABLE}={}", path.display()))?;
        let description = serde_json::from_str(&text)?;
        Ok(Self {
            description,
            servers: None,
            started_in: Duration::ZERO,
        })
    }

    /// The file that describes this stack to other processes; only its owner knows it.
    #[must_use]
    pub fn description_file(&self) -> Option<std::path::PathBuf> {
        self.servers
            .as_ref()
            .map(|servers| servers.scratch.path().join("stack.json"))
    }

    /// The addresses and logins for a person who reads them.
    #[must_use]
    pub fn addresses(&self) -> String {
        let lines = [
            ("PostgreSQL", self.postgres().url("postgres")),
            ("AMQP", self.rabbitmq().amqp_url("%2f")),
            ("RabbitMQ management", self.rabbitmq().management_url()),
            (
                "MQTT over mutual TLS",
                format!("localhost:{}", self.rabbitmq().mqtt_port()),
            ),
            (
                "  trusts (device CA)",
                self.device_ca().certificate.display().to_string(),
            ),
            (
                "  is trusted by (broker CA)",
                self.rabbitmq().broker_ca().display().to_string(),
            ),
            ("OIDC provider", self.oidc().issuer.clone()),
            (
                "  client and secret",
                format!("{}:{}", self.oidc().client_id, self.oidc().client_secret),
            ),
            ("Stripe-compatible server", self.stripe().base_url),
            ("SMTP (mail sink)", self.mail().smtp_address()),
        ];
        lines
            .map(|(name, value)| format!("{name:<28} {value}"))
            .join("\n")
    }

    /// How long the start took; zero if another process started it.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    #[must_use]
    pub fn postgres(&self) -> &Postgres {
        &self.description.postgres
    }

    #[must_use]
    pub fn rabbitmq(&self) -> &RabbitMq {
        &self.description.rabbitmq
    }

    /// Runs `rabbitmqctl` on the broker, for all who use it: only the stack's owner can.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> Result<()> {
        match &self.servers {
            Some(servers) => servers.rabbitmq.control(arguments).await,
            None => Err(StackError::Missing {
                missing: "the broker's own files".to_owned(),
                remedy: "start a stack of your own",
            }),
        }
    }

    /// The authority of client certificates for the run's broker.
    #[must_use]
    pub fn device_ca(&self) -> &DeviceCa {
        &self.description.device_ca
    }

    #[must_use]
    pub fn oidc(&self) -> &Oidc {
        &self.description.oidc
    }

    /// A new account at the Stripe-compatible server; each [`Scope`] has its own.
    #[must_use]
    pub fn stripe(&self) -> Stripe {
        self.description.stripe.account()
    }

    #[must_use]
    pub fn mail(&self) -> &Mail {
        &self.description.mail
    }

    /// A new scope with an empty database.
    pub async fn scope(&self) -> Result<Scope> {
        let database = self.postgres().empty_database().await?;
        Scope::around(database, &self.description).await
    }

    /// A new scope with a clone of the template database `key`; see [`Postgres::database`].
    pub async fn scope_with<F, Fut, E>(&self, key: &str, migrate: F) -> Result<Scope>
    where
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = std::result::Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let database = self.database(key, migrate).await?;
        Scope::around(database, &self.description).await
    }

    /// Only a clone of the template database `key`; see [`Postgres::database`].
    pub async fn database<F, Fut, E>(&self, key: &str, migrate: F) -> Result<Database>
    where
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = std::result::Result<(), E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.postgres().database(key, migrate).await
    }
}
