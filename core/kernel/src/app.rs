//! What every handler, consumer and job is given: the infrastructure, and nothing of any context.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::auth::{Auth, ResolveUser};
use crate::bus::{Bus, Routing};
use crate::clock::Clock;
use crate::config::Config;
use crate::context::Context;
use crate::db::{Db, Work};
use crate::fault_injection::FaultInjection;
use crate::http::rate_limit::RateLimiter;
use crate::jobs::JobWakers;
use crate::keys::Keys;
use crate::mail::Mailer;
use crate::outbox_notifier::OutboxNotifier;
use crate::schemas::Schemas;

/// What all parts of the core share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    parts: Arc<Parts>,
    /// PostgreSQL, as far as this kind of work reaches.
    pub db: Db,
}

/// The fields of an [`App`].
#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    /// Time and ids.
    pub clock: Clock,
    /// RabbitMQ.
    pub bus: Bus,
    /// Trusted issuers of tokens.
    pub auth: Auth,
    /// Signing keys.
    pub keys: Keys,
    /// Wakes jobs of this process.
    pub jobs: JobWakers,
    /// Wakes the relays.
    pub outbox: OutboxNotifier,
    /// From a verified token to the internal user id.
    pub users: ResolveUser,
    pub rate_limiter: RateLimiter,
    /// Mails about alarms; none where that is off.
    pub mail: Option<Mailer>,
    /// What a test does to messages.
    pub faults: FaultInjection,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
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
        faults: FaultInjection,
        contexts: &[Context],
        routing: Routing,
    ) -> anyhow::Result<Self> {
        let names = contexts.iter().map(|context| context.name);
        let schemas = Schemas::compile(contexts.iter().flat_map(|context| context.events.clone()))?;
        let outbox = OutboxNotifier::new(names);
        let consuming = contexts
            .iter()
            .filter(|context| !context.consumers.is_empty());
        let users = contexts
            .iter()
            .find_map(|context| context.resolve_user.clone());
        let pools = contexts
            .iter()
            .map(|context| (context.name, context.elections(&config.process)));
        let db = Db::open(&config.database, pools, schemas, outbox.clone())?;
        let parts = Arc::new(Parts {
            bus: Bus::new(
                config.bus.clone(),
                consuming.map(|context| context.name).collect(),
                routing,
            ),
            auth: Auth::new(&config.auth)?,
            keys: Keys::at(config.keys.directory.clone()),
            jobs: JobWakers::new(contexts.iter().map(|context| &context.jobs)),
            users: users.unwrap_or_default(),
            rate_limiter: RateLimiter::new(config.http.rate_limits),
            mail: Mailer::new(&config.alarms)?,
            outbox,
            clock,
            faults,
            config,
        });
        Ok(Self { parts, db })
    }

    /// The same parts, with the database connections of this kind of work.
    #[must_use]
    pub fn for_work(&self, work: Work) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            db: self.db.for_work(work),
        }
    }

    /// These parts beside a context's own state.
    #[must_use]
    pub fn with<S>(&self, state: &Arc<S>) -> AppWith<S> {
        AppWith {
            app: self.clone(),
            state: Arc::clone(state),
        }
    }
}

impl AsRef<Self> for App {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<S> AsRef<App> for AppWith<S> {
    fn as_ref(&self) -> &App {
        &self.app
    }
}

/// The shared parts and one context's own state. Routes, consumers and jobs capture the state when
/// they are registered ([`Consumers::capture`](crate::bus::Consumers::capture)), and are called
/// with this. Derefs to [`App`]. Cheap to clone.
pub struct AppWith<S> {
    app: App,
    /// What the context keeps in memory, one in each process.
    pub state: Arc<S>,
}

impl<S> Clone for AppWith<S> {
    fn clone(&self) -> Self {
        self.app.with(&self.state)
    }
}

impl<S> Deref for AppWith<S> {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl<S> fmt::Debug for AppWith<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppWith").finish_non_exhaustive()
    }
}
