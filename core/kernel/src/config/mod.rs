//! The kernel's sections of the configuration, as `eventify_settings` reads them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::auth;
use crate::http::Network;

mod check;

pub use eventify_settings::{Settings, SettingsError as ConfigError};

/// The sections of the kernel; those of the contexts stand beside them and are theirs.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// What this process does.
    pub process: Process,
    /// The HTTP server.
    pub http: Http,
    /// Who may sign tokens.
    pub auth: Auth,
    /// Where the signing keys are.
    pub keys: Keys,
    /// PostgreSQL.
    pub database: Database,
    /// RabbitMQ.
    pub bus: Bus,
    /// Outbox to broker.
    pub relay: Relay,
    /// Sweepers and other work that time starts.
    pub jobs: Jobs,
    /// Who is mailed about alarms.
    pub alarms: Alarms,
    /// `[retention]`
    pub retention: Retention,
}

/// `[alarms]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarms {
    /// Empty: nobody is mailed.
    pub smtp_url: String,
    /// Empty: the server asks for none.
    pub smtp_user: String,
    /// Of that user.
    pub smtp_password: String,
    /// Whose mails they are.
    pub mail_from: String,
    /// Who gets them.
    pub mail_to: Vec<String>,
    mail_every_seconds: u32,
}

impl Alarms {
    /// Shortest time between two mails.
    #[must_use]
    pub fn mail_every(&self) -> Duration {
        Duration::from_secs(self.mail_every_seconds.into())
    }
}

/// `[keys]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// See [`crate::keys`] for what is in it.
    pub directory: std::path::PathBuf,
}

/// A part of the core's work that a process can do; parts scale apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Bring the schemas up to date before anything else.
    Migrate,
    /// Answer HTTP.
    Serve,
    /// Consume messages and run jobs.
    Work,
    /// Publish the outboxes.
    Relay,
}

/// `[process]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Roles of this process.
    pub roles: Vec<Role>,
    stop_grace_ms: u64,
}

impl Process {
    /// How long a stop waits for work in flight.
    #[must_use]
    pub fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.stop_grace_ms)
    }

    /// Whether this process has a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How clients reach this core.
    pub public_url: String,
    /// Largest request body.
    pub max_body_bytes: usize,
    request_timeout_ms: u64,
    health_listen: String,
    /// Connections open at once, per listener.
    pub max_connections: usize,
    /// Those of one address.
    pub max_connections_per_address: usize,
    /// Requests to public routes that are answered at once.
    pub anonymous_at_once: usize,
    header_timeout_ms: u64,
    write_timeout_ms: u64,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Sites whose pages may call this API.
    pub cors_origins: Vec<String>,
    /// Token buckets.
    pub rate_limits: RateLimits,
    /// Idempotency keys.
    pub idempotency: Idempotency,
}

impl Http {
    /// Longest time a handler may take.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// Longest wait for a request's headers, from the connection's start or the last answer.
    #[must_use]
    pub fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    /// Longest wait for a client to take what is sent to it.
    #[must_use]
    pub fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    /// Address of the listener for probes alone.
    #[must_use]
    pub fn health_listen(&self) -> Option<SocketAddr> {
        self.health_listen.parse().ok()
    }
}

/// `[http.rate_limits]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// Ordinary routes, per second.
    pub normal_per_second: u32,
    /// Ordinary routes, at once.
    pub normal_burst: u32,
    /// Money and holds, per second.
    pub strict_per_second: u32,
    /// Money and holds, at once.
    pub strict_burst: u32,
}

/// `[http.idempotency]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    lease_ms: u64,
    keep_days: u32,
}

impl Idempotency {
    /// How long a running request holds its key.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// How long a response is kept for replay.
    #[must_use]
    pub fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_days) * 86_400)
    }
}

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Trusted issuers.
    pub issuers: Vec<Issuer>,
    leeway_seconds: u32,
    jwks_cache_seconds: u64,
    jwks_refresh_seconds: u64,
}

impl Auth {
    /// How far a token's times may be off.
    #[must_use]
    pub fn leeway(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.leeway_seconds))
    }

    /// Age at which keys are fetched again.
    #[must_use]
    pub fn jwks_cache(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::try_from(self.jwks_cache_seconds).unwrap_or(i64::MAX / 1000))
    }

    /// Shortest time between two fetches that unknown key ids trigger.
    #[must_use]
    pub fn jwks_refresh(&self) -> chrono::Duration {
        chrono::Duration::seconds(
            i64::try_from(self.jwks_refresh_seconds).unwrap_or(i64::MAX / 1000),
        )
    }
}

/// One trusted OIDC issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` claim, exactly.
    pub issuer: String,
    /// Where its keys are; by default found through discovery.
    pub jwks_url: Option<String>,
    /// Accepted `aud` values.
    #[serde(default = "default_audiences")]
    pub audiences: Vec<String>,
    /// Client ids whose `resource_access` roles count.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Public client that gate staff sign in with at a scanner (RFC 8628).
    pub device_client: Option<String>,
    /// Roles that its tokens can give; all, where it is the only issuer and says nothing.
    pub roles: Option<BTreeSet<auth::Role>>,
    /// The issuer whose place it takes: its users and organisations are the same.
    pub succeeds: Option<String>,
}

impl Issuer {
    /// Whether its tokens can give this role.
    #[must_use]
    pub fn may_grant(&self, role: auth::Role) -> bool {
        self.roles
            .as_ref()
            .is_none_or(|roles| roles.contains(&role))
    }
}

fn default_audiences() -> Vec<String> {
    vec!["eventify-core".to_owned()]
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The database of every context without one of its own.
    pub url: String,
    /// Connections per context, for all work but the two below.
    pub max_connections: u32,
    /// Connections per context for messages of edge nodes and for events that gates wait for.
    pub gate_connections: u32,
    /// Connections per context for requests to public routes.
    pub anonymous_connections: u32,
    acquire_timeout_ms: u64,
    statement_timeout_ms: u32,
    anonymous_wait_ms: u64,
    /// Contexts with a database of their own.
    pub contexts: std::collections::BTreeMap<String, ContextDatabase>,
}

impl Database {
    /// How long to wait for a free connection.
    #[must_use]
    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }

    /// After which PostgreSQL gives up a statement.
    #[must_use]
    pub fn statement_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms.into())
    }

    /// How long a request to a public route waits for one.
    #[must_use]
    pub fn anonymous_wait(&self) -> Duration {
        Duration::from_millis(self.anonymous_wait_ms)
    }

    /// Every context that is given a database of its own exists.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`].
    pub fn must_know(&self, contexts: &[&str]) -> Result<(), ConfigError> {
        match self
            .contexts
            .keys()
            .find(|name| !contexts.contains(&name.as_str()))
        {
            Some(unknown) => Err(ConfigError::UnknownKey {
                origin: "the configuration".to_owned(),
                key: format!("database.contexts.{unknown}"),
                allowed: contexts.join(", "),
            }),
            None => Ok(()),
        }
    }

    /// Where a context's schema lives.
    #[must_use]
    pub fn url_of(&self, context: &str) -> &str {
        self.contexts.get(context).map_or(&self.url, |own| &own.url)
    }
}

/// `[database.contexts.<name>]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextDatabase {
    /// PostgreSQL URL.
    pub url: String,
}

/// `[bus]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// AMQP URL.
    pub url: String,
    /// Messages taken ahead.
    pub prefetch: u16,
    /// Messages worked on at once, per queue.
    pub concurrency: u16,
    /// Whether a broker without its limits stops the start.
    pub check_limits: bool,
    /// First and second retry, milliseconds.
    pub retry_short_ms: u32,
    /// Third and fourth retry, milliseconds.
    pub retry_long_ms: u32,
    confirm_timeout_ms: u64,
}

impl Bus {
    /// The URL's virtual host (RabbitMQ URI specification): none is the default one.
    #[must_use]
    pub fn vhost(&self) -> String {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        let name = path.split(['?', '#']).next().unwrap_or_default();
        if name.is_empty() {
            "/".to_owned()
        } else {
            percent_decoded(name)
        }
    }

    /// How long to wait for the broker's confirm.
    #[must_use]
    pub fn confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.confirm_timeout_ms)
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let decoded = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `[relay]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// Rows a batch.
    pub batch: u16,
    poll_ms: u64,
}

impl Relay {
    /// Safety net behind the notifications.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }
}

/// `[jobs]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// Multiplies every interval; 0 stops the timer.
    pub interval_factor: f64,
}

/// `[retention]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    messages_days: u16,
}

impl Retention {
    /// How long a message is kept that the broker has.
    #[must_use]
    pub fn messages(&self) -> chrono::Duration {
        chrono::Duration::days(self.messages_days.into())
    }
}

impl Config {
    /// Checks the texts that parse but can't work.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key at fault, its value and what is allowed.
    pub fn check(&self, settings: &Settings) -> Result<(), ConfigError> {
        check::kernel(self, settings)
    }
}
