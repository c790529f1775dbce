//! The core put together: what every handler, consumer and job is given, and how it starts and
//! stops.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::future::{BoxFuture, join_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::bell::Bell;
use crate::breaker::Breakers;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::config::{Config, Role};
use crate::context::Context;
use crate::db::{Db, migrate, notify};
use crate::fleet::api::Desk;
use crate::http::rate_limit::RateLimiter;
use crate::identity::api::KnownUsers;
use crate::interference::Interference;
use crate::jobs::JobBells;
use crate::keys::Keys;
use crate::psp::{PaymentGateway, Stripe};
use crate::schemas::Schemas;
use crate::ticketing::api::Turnstile;
use crate::{bus, db, fleet, housekeeping, http, jobs};

/// What all parts of the core share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// The fields of an [`App`].
#[derive(Debug)]
pub struct Parts {
    /// Settings.
    pub config: Config,
    /// Time and ids.
    pub clock: Clock,
    /// PostgreSQL.
    pub db: Db,
    /// RabbitMQ.
    pub bus: Bus,
    /// Trusted issuers.
    pub auth: Auth,
    /// Signing keys.
    pub keys: Keys,
    /// Wakes jobs of this process.
    pub jobs: JobBells,
    /// Wakes the relay.
    pub bell: Bell,
    /// The venues' side: device authority, listeners, fresh watermarks.
    pub fleet: Desk,
    /// Scans that wait for the transaction that they share.
    pub turnstile: Turnstile,
    /// (`iss`, `sub`) → internal id.
    pub known_users: KnownUsers,
    /// Token buckets.
    pub rate_limiter: RateLimiter,
    /// Around the synchronous calls.
    pub breakers: Breakers,
    /// The payment service provider.
    pub psp: Arc<dyn PaymentGateway>,
    /// What a test does to messages.
    pub interference: Interference,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Builds the shared parts; connects to nothing yet.
    ///
    /// # Errors
    /// A URL or schema that can't be used.
    pub fn build(
        config: Config,
        clock: Clock,
        interference: Interference,
        contexts: &[Context],
    ) -> anyhow::Result<Self> {
        let names = contexts.iter().map(|context| context.name);
        let schemas = Schemas::compile(contexts.iter().flat_map(|context| context.events.clone()))?;
        let bell = Bell::new(names.clone());
        let listening = contexts
            .iter()
            .filter(|context| !context.consumers.is_empty());
        Ok(Self(Arc::new(Parts {
            db: Db::open(&config.database, names, schemas, bell.clone())?,
            bus: Bus::new(
                config.bus.clone(),
                listening.map(|context| context.name).collect(),
            ),
            breakers: Breakers::new(&clock)?,
            auth: Auth::new(&config.auth)?,
            keys: Keys::at(config.keys.directory.clone()),
            jobs: JobBells::new(contexts.iter().map(|context| (context.name, &context.jobs))),
            fleet: Desk::open(&config)?,
            turnstile: Turnstile::default(),
            known_users: KnownUsers::default(),
            rate_limiter: RateLimiter::new(config.http.rate_limits),
            psp: Arc::new(Stripe::new(config.payment.stripe.clone())?),
            bell,
            clock,
            interference,
            config,
        })))
    }
}

/// Which context hears which event types.
pub type Hears = Vec<(&'static str, Vec<&'static str>)>;

/// A running core. [`Running::stop`] ends it gracefully.
#[derive(Debug)]
pub struct Running {
    /// What its parts share.
    pub app: App,
    /// Where it answers HTTP, if this process does.
    pub address: Option<SocketAddr>,
    /// Who consumes what.
    pub hears: Hears,
    intake: CancellationToken,
    relays: CancellationToken,
    serving: Vec<JoinHandle<()>>,
    relaying: Vec<JoinHandle<()>>,
}

/// Brings the schemas of these contexts up to date.
///
/// # Errors
/// [`migrate::MigrateError`].
pub async fn migrate(config: &Config, contexts: &[Context]) -> anyhow::Result<()> {
    for context in contexts {
        let applied = migrate::migrate(&config.database, context.name, context.migrations).await?;
        tracing::info!(context = context.name, applied, "schema is up to date");
    }
    Ok(())
}

/// The routes of the HTTP API as text, with those of the enrolment listener.
#[must_use]
pub fn routes() -> String {
    let contexts = crate::context::all();
    let (health, enrolment) = (http::health::routes(), fleet::api::enrolment_routes());
    let tables = contexts.iter().map(|context| &context.routes);
    http::listing(tables.chain([&health, &enrolment]))
}

/// Starts the roles that the configuration names, with these contexts
/// ([`context::all`](crate::context::all)).
///
/// # Errors
/// A failed migration, a taken address, routes that clash, a database or broker that refuses the
/// connection. One that is out of reach is waited for.
pub async fn start(
    config: Config,
    clock: Clock,
    interference: Interference,
    mut contexts: Vec<Context>,
) -> anyhow::Result<Running> {
    let names: Vec<_> = contexts.iter().map(|context| context.name).collect();
    config.database.must_know(&names)?;
    db::wait(&config.database, &names).await?;
    // The kernel's own jobs need a schema for their locks; any will do.
    if let Some(first) = contexts.first_mut() {
        first.jobs = std::mem::take(&mut first.jobs).and(housekeeping::jobs());
    }
    if config.process.has(Role::Migrate) {
        migrate(&config, &contexts).await?;
    }
    let app = App::build(config, clock, interference, &contexts)?;
    if app.config.process.has(Role::Serve) || app.config.process.has(Role::Work) {
        app.keys.ring().context("keys.directory")?;
    }
    let (intake, relays) = (CancellationToken::new(), CancellationToken::new());
    let roles = &app.config.process;
    let mut running = Running {
        app: app.clone(),
        address: None,
        hears: contexts.iter().map(hears).collect(),
        intake: intake.clone(),
        relays: relays.clone(),
        serving: Vec::new(),
        relaying: Vec::new(),
    };
    if roles.has(Role::Work) || roles.has(Role::Relay) {
        // Queues exist before the first message does.
        app.bus.wait().await?;
    }
    if roles.has(Role::Relay) {
        for relay in relays_of(&app, &contexts, &relays) {
            running.relaying.push(tokio::spawn(relay));
        }
    }
    for context in &contexts {
        let (db, bell) = (app.db.clone(), app.bell.clone());
        let telling = notify::tell(db, context.name, bell, relays.clone());
        running.relaying.push(tokio::spawn(telling));
    }
    let mut tables = vec![("health", http::health::routes())];
    for context in contexts {
        if roles.has(Role::Work) {
            for work in workers(&app, &context, &intake) {
                running.serving.push(tokio::spawn(work));
            }
        }
        tables.push((context.name, context.routes));
    }
    if roles.has(Role::Serve) {
        for listener in fleet::api::listen(&app, &intake).await? {
            running.serving.push(tokio::spawn(listener));
        }
        let router = http::router(&app, tables)?;
        let server = http::bind(app.config.http.listen).await?;
        running.address = Some(server.address);
        tracing::info!(address = %server.address, "listening");
        let (stop, grace) = (intake.clone(), roles.stop_grace());
        let limits = (app.config.http.clone(), app.clock.clone());
        running.serving.push(tokio::spawn(async move {
            server.run(router, limits, stop, grace).await;
        }));
    }
    Ok(running)
}

/// A relay per context, and a listener per database for commits in other processes.
fn relays_of(
    app: &App,
    contexts: &[Context],
    stop: &CancellationToken,
) -> Vec<BoxFuture<'static, ()>> {
    let mut relays: Vec<BoxFuture<'static, ()>> = Vec::new();
    let mut databases = BTreeSet::new();
    for context in contexts {
        let name = context.name;
        relays.push(Box::pin(bus::relay::run(app.clone(), name, stop.clone())));
        if databases.insert(app.config.database.url_of(name)) {
            let (db, bell) = (app.db.clone(), app.bell.clone());
            relays.push(Box::pin(notify::listen(db, name, bell, stop.clone())));
        }
    }
    relays
}

fn hears(context: &Context) -> (&'static str, Vec<&'static str>) {
    (
        context.name,
        context.consumers.list().map(|(kind, _)| kind).collect(),
    )
}

/// A context's consumers, pipes, jobs and services.
fn workers(app: &App, context: &Context, stop: &CancellationToken) -> Vec<BoxFuture<'static, ()>> {
    let mut work = jobs::start(app, context.name, &context.jobs, stop);
    let consumers = context.consumers.clone();
    for pipe in consumers.pipes() {
        work.push(Box::pin(bus::consume_pipe(app.clone(), pipe, stop.clone())));
    }
    if !consumers.is_empty() {
        let consuming = bus::consumer::run(app.clone(), context.name, consumers, stop.clone());
        work.push(Box::pin(consuming));
    }
    work
}

impl Running {
    /// Takes nothing new, finishes what is in hand, publishes what was written, closes.
    pub async fn stop(self) {
        let grace = self.app.config.process.stop_grace();
        self.intake.cancel();
        if tokio::time::timeout(grace, join_all(self.serving))
            .await
            .is_err()
        {
            tracing::warn!("work was still in hand when the grace period ended");
        }
        self.relays.cancel();
        if tokio::time::timeout(grace, join_all(self.relaying))
            .await
            .is_err()
        {
            tracing::warn!("the outbox could not be emptied; the next start goes on with it");
        }
        self.app.bus.close().await;
        if tokio::time::timeout(grace, self.app.db.close())
            .await
            .is_err()
        {
            tracing::warn!("database connections were still in use");
        }
    }
}
