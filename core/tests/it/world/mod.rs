//! A core in this process, on a database and virtual host of its own.
//!
//! ```ignore
//! let core = TestApp::start().await;
//! let buyer = core.user("ada").role("CUSTOMER").scope("order:write");
//! let answer = buyer.post("/reservations", json!({})).await;
//! assert_eq!(answer.status, 201);
//! core.settle().await;                                  // every message has had its effect
//! core.advance(Duration::minutes(11));                  // time moves, nobody sleeps
//! core.run_job("reservation", "expire_reservations").await;
//! ```

mod client;
mod device_flow;
mod gate;
pub mod house;
mod issuer;
pub mod locations;
pub mod pooler;
pub mod replies;
pub mod sale;
mod settle;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Duration;
use eventify_core::assembly::{self, Running};
use eventify_core::config::Config;
use eventify_kernel::app::App;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::event::DomainEvent;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_kernel::jobs;
use eventify_kernel::keys::{self, Lifetime};
use eventify_stack::{FaultProxy, Scope, Stack};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

pub use client::{Answer, User, send};
pub use device_flow::{DeviceAnswer, DeviceSignIns};
pub use gate::TableGate;
use issuer::TestIssuer;
pub use issuer::jwt;
pub use settle::until;

/// A running core and what the test does to it.
#[derive(Debug)]
pub struct TestApp {
    running: Option<Running>,
    /// Database and virtual host.
    pub scope: Scope,
    /// Real time, plus what the test has added.
    pub clock: Clock,
    /// What happens to messages.
    pub faults: FaultInjection,
    issuer: TestIssuer,
    http: reqwest::Client,
    /// The line to the broker, where the test asked for one that can break.
    pub broker_line: Option<FaultProxy>,
    settings: Vec<(&'static str, String)>,
    /// Signing keys of its own.
    pub keys: TempDir,
    may_leave: AtomicBool,
}

/// A test that ends before what it began fails, if that can't be settled: an event that nobody could
/// handle, a job that never ends.
impl Drop for TestApp {
    fn drop(&mut self) {
        let Some(running) = &self.running else { return };
        if std::thread::panicking() || self.may_leave.load(Ordering::Relaxed) {
            return;
        }
        // Panics in a test that runs on one thread: nothing could settle there.
        block_in_place(|| {
            Handle::current().block_on(settle::settle(&running.app, &running.consumed));
        });
    }
}

/// Makes the contexts of a core.
pub type ContextsOf = fn(&Config, &Clock) -> Vec<Context>;

/// The product's.
pub fn product(config: &Config, clock: &Clock) -> Vec<Context> {
    drop(rustls::crypto::ring::default_provider().install_default());
    assembly::contexts(config, clock).expect("the settings are good")
}

/// What these are with the default settings.
pub fn made(contexts: ContextsOf) -> Vec<Context> {
    contexts(&config(&[]), &Clock::system())
}

/// How a test's core differs from the ordinary one.
#[derive(Debug, Default)]
pub struct TestOptions {
    /// What happens to messages.
    pub faults: FaultInjection,
    /// `section.key` and value, over the test defaults.
    pub config: Vec<(&'static str, String)>,
    /// Other contexts than the product's, for tests of the kernel.
    pub contexts: Option<ContextsOf>,
    /// Puts a proxy that can break between core and broker.
    pub breakable_broker_line: bool,
}

/// Retries come soon, timers stand still: tests run jobs by name.
const TEST_CONFIG: [(&str, &str); 9] = [
    ("http.listen", "127.0.0.1:0"),
    ("http.rate_limits.normal_per_second", "0"),
    ("http.rate_limits.strict_per_second", "0"),
    ("bus.check_limits", "false"),
    ("bus.retry_short_ms", "20"),
    ("bus.retry_long_ms", "40"),
    ("jobs.interval_factor", "0.0"),
    ("database.max_connections", "6"),
    ("relay.poll_ms", "20"),
];

impl TestApp {
    /// The product's contexts, without faults.
    pub async fn start() -> Self {
        Self::with(TestOptions::default()).await
    }

    /// Messages meet faults.
    pub async fn with_faults(faults: FaultInjection) -> Self {
        Self::with(TestOptions {
            faults,
            ..TestOptions::default()
        })
        .await
    }

    /// Anything.
    pub async fn with(options: TestOptions) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let stack = Stack::shared().await.expect("the stack starts");
        let contexts = options.contexts.unwrap_or(product);
        let scope = stack
            .scope_with(&template_key(&made(contexts)), |url| async move {
                let config = config(&[("database.url", url)]);
                assembly::migrate(&config, &made(contexts))
                    .await
                    .map_err(|error| format!("{error:#}"))
            })
            .await
            .expect("a database and a virtual host");
        let clock = Clock::movable();
        let issuer = TestIssuer::start(clock.clone()).await;
        let keys = signing_keys(&clock);
        let (broker_line, amqp_url) = match options.breakable_broker_line {
            true => proxied(&scope.amqp_url).await,
            false => (None, scope.amqp_url.clone()),
        };
        let mut settings = vec![
            ("database.url", scope.database.url().to_owned()),
            ("bus.url", amqp_url),
            ("keys.directory", keys.path().display().to_string()),
            (
                "auth.issuers",
                format!(
                    "[{{ issuer = \"{}\", device_client = \"gates\" }}]",
                    issuer.url
                ),
            ),
        ];
        settings.extend(options.config);
        let faults = options.faults;
        let config = config(&settings);
        let contexts = contexts(&config, &clock);
        let running = assembly::start(config, clock.clone(), faults.clone(), contexts)
            .await
            .expect("the core starts");
        // Sooner than the core closes a connection that is idle.
        let http = reqwest::Client::builder()
            .pool_idle_timeout(std::time::Duration::from_secs(10))
            .build()
            .expect("nothing in this client can fail");
        Self {
            running: Some(running),
            scope,
            clock,
            faults,
            issuer,
            http,
            broker_line,
            settings,
            keys,
            may_leave: AtomicBool::new(false),
        }
    }

    /// Another process's worth of core on the same servers, with these settings over this one's.
    pub async fn beside(
        &self,
        settings: Vec<(&'static str, String)>,
        contexts: ContextsOf,
    ) -> Running {
        let started = self.start_beside(settings, contexts).await;
        started.expect("the second core starts")
    }

    /// The same, which may be refused.
    pub async fn start_beside(
        &self,
        settings: Vec<(&'static str, String)>,
        contexts: ContextsOf,
    ) -> anyhow::Result<Running> {
        let settings: Vec<_> = self.settings.iter().cloned().chain(settings).collect();
        let none = self.faults.beside();
        let config = config(&settings);
        let contexts = contexts(&config, &self.clock);
        assembly::start(config, self.clock.clone(), none, contexts).await
    }

    /// The core's shared parts, for asserting on what the database holds.
    pub fn app(&self) -> &App {
        &self.running().app
    }

    /// Where one of its contexts' own listeners is.
    pub fn listener(&self, name: &str) -> SocketAddr {
        self.running().listeners[name]
    }

    /// `http://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!(
            "http://{}",
            self.running().address.expect("this core serves")
        )
    }

    /// The `iss` of the test's own identity provider.
    pub fn issuer_url(&self) -> &str {
        &self.issuer.url
    }

    /// What becomes of sign-ins that were begun at a scanner.
    pub fn device_sign_ins(&self) -> &DeviceSignIns {
        &self.issuer.device_sign_ins
    }

    /// A user of the test's own identity provider. The same name is the same user.
    pub fn user(&self, name: &str) -> User<'_> {
        User::new(self, name)
    }

    /// Somebody without a token.
    pub fn anybody(&self) -> User<'_> {
        User::anonymous(self)
    }

    /// Moves the core's clock.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The payloads of a type that a context has published, in order.
    pub async fn published<E: DomainEvent>(&self, context: &'static str) -> Vec<E> {
        let mut conn = self.app().db.read(context).await.expect("a connection");
        let payloads: Vec<Value> =
            sqlx::query_scalar("select payload from outbox where kind = $1 order by position")
                .bind(E::TYPE)
                .fetch_all(&mut *conn)
                .await
                .expect("the outbox");
        let events = payloads.into_iter().map(serde_json::from_value);
        events.collect::<Result<_, _>>().expect("of this type")
    }

    /// Runs a job as its timer would, then settles.
    pub async fn run_job(&self, context: &str, name: &str) {
        jobs::run_now(self.app(), context, name)
            .await
            .expect("the job succeeds");
        self.settle().await;
    }

    /// Waits until every message that was written has had its effect with every consumer of it, and
    /// every job that was woken has run.
    pub async fn settle(&self) {
        settle::settle(self.app(), &self.running().consumed).await;
    }

    /// Ends the core gracefully; the scope stays for a look at what is left.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// This test ends with work that can't be settled: the servers are gone, a message is parked.
    pub fn leave_unsettled(&self) {
        self.may_leave.store(true, Ordering::Relaxed);
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the core runs")
    }
}

/// `amqp://user:password@host:port/vhost`, through a proxy.
pub async fn proxied(url: &str) -> (Option<FaultProxy>, String) {
    let address = url
        .rsplit('@')
        .next()
        .and_then(|rest| rest.split('/').next());
    let address = address.expect("the URL has a host");
    let proxy = FaultProxy::start(address.parse().expect("an address"))
        .await
        .expect("a proxy");
    let url = url.replace(address, &proxy.address().to_string());
    (Some(proxy), url)
}

/// A root key, signing keys and the key set, as `eventify-core keys init` makes them.
fn signing_keys(clock: &Clock) -> TempDir {
    let directory = TempDir::new().expect("a scratch directory");
    let lifetime = Lifetime {
        from: clock.now().timestamp(),
        seconds: 400 * 86_400,
    };
    keys::init(directory.path(), lifetime, &mut || clock.random_bytes()).expect("keys");
    directory
}

/// A template database per set of migrations.
fn template_key(contexts: &[Context]) -> String {
    let mut key = String::from("core");
    for context in contexts {
        key.push_str(context.name);
        for file in context.migrations {
            key.push_str(file.name);
            key.push_str(file.sql);
        }
    }
    key
}

pub fn config(settings: &[(&'static str, String)]) -> Config {
    let defaults = TEST_CONFIG
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()));
    let variables = defaults
        .chain(settings.iter().cloned())
        .map(|(key, value)| {
            (
                format!("EVENTIFY_CORE__{}", key.replace('.', "__").to_uppercase()),
                value,
            )
        });
    // Later ones win.
    let variables: std::collections::BTreeMap<_, _> = variables.collect();
    Config::load(None, variables).expect("the test's configuration is good")
}
