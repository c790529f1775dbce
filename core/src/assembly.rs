//! The top floor: the list of contexts, what each is given, and how the core starts and stops.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use eventify_contracts::flows;
use eventify_kernel::app::App;
use eventify_kernel::bus::Lane;
use eventify_kernel::clock::Clock;
use eventify_kernel::config::Role;
use eventify_kernel::context::Context;
use eventify_kernel::db::{self, migrate, notify};
use eventify_kernel::fault_injection::FaultInjection;
use eventify_kernel::http::RouteInfo;
use eventify_kernel::supervision::supervised;
use eventify_kernel::{bus, housekeeping, http, jobs};
use futures_util::future::{BoxFuture, join, join_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::contexts::{
    catalogue, event_management, fleet, identity, inventory, order, payment, reservation, ticketing,
};

/// Every context of the core, each with its own state.
///
/// # Errors
/// Settings that can't be used: a file that can't be read, an address that doesn't parse.
pub fn contexts(config: &Config, clock: &Clock) -> anyhow::Result<Vec<Context>> {
    let settings = &config.contexts;
    let payment = Arc::new(payment::State::new(&settings.payment, clock)?);
    let deadlines = order::Deadlines {
        wait: settings.order.wait(),
        pay: settings.reservation.pay_within(),
    };
    let order = order::State::new(&payment, deadlines, clock)?;
    let least_amounts = settings.payment.least_amounts.clone();
    let reservation = reservation::State::new(settings.reservation, least_amounts.clone(), clock)?;
    let codes_outlive_show = settings.ticketing.token_outlives_show();
    let event_management =
        event_management::State::new(settings.event_management, codes_outlive_show, least_amounts);
    Ok(vec![
        catalogue::context(),
        event_management::context(&Arc::new(event_management)),
        fleet::context(&Arc::new(fleet::State::open(&settings.fleet, clock.now())?)),
        identity::context(&Arc::default()),
        inventory::context(),
        order::context(&Arc::new(order)),
        payment::context(&payment),
        reservation::context(&Arc::new(reservation)),
        ticketing::context(&Arc::new(ticketing::State::new(settings.ticketing))),
    ])
}

/// Which context consumes which event types.
pub type Consumed = Vec<(&'static str, Vec<&'static str>)>;

/// A running core. [`Running::stop`] ends it gracefully.
#[derive(Debug)]
pub struct Running {
    /// What its parts share.
    pub app: App,
    /// Where it answers HTTP, if this process does.
    pub address: Option<SocketAddr>,
    /// Where its contexts' own listeners are, by name.
    pub listeners: BTreeMap<&'static str, SocketAddr>,
    /// Who consumes what.
    pub consumed: Consumed,
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
    let database = &config.kernel.database;
    for context in contexts {
        let applied = migrate::migrate(database, context.name, context.migrations).await?;
        tracing::info!(
            code = "db.migrated",
            context = context.name,
            applied,
            "the schema is up to date"
        );
    }
    Ok(())
}

/// The routes of the HTTP API as text, with those of the enrolment listener.
#[must_use]
pub fn routes(contexts: &[Context]) -> String {
    http::listing(&all_routes(contexts))
}

/// What each of them takes, as text.
#[must_use]
pub fn fields(contexts: &[Context]) -> String {
    http::fields(&all_routes(contexts))
}

/// The same for programs.
#[must_use]
pub fn open_api(contexts: &[Context]) -> serde_json::Value {
    http::open_api(&all_routes(contexts), env!("CARGO_PKG_VERSION"))
}

/// All routes, with those of the enrolment listener.
#[must_use]
pub fn all_routes(contexts: &[Context]) -> Vec<RouteInfo> {
    let health = http::health::routes(&Arc::default());
    let reference = http::reference_route(&Arc::default());
    let enrolment = fleet::api::enrolment_routes();
    let of_contexts = contexts.iter().flat_map(|context| context.routes.table());
    let probes_and_reference = health.table().chain(reference.table());
    let further = probes_and_reference.chain(enrolment.table());
    of_contexts.chain(further).cloned().collect()
}

/// Starts the roles that the configuration names, with these contexts ([`contexts`]).
///
/// # Errors
/// A failed migration, a taken address, routes that clash, a database or broker that refuses the
/// connection. One that is out of reach is waited for.
pub async fn start(
    config: Config,
    clock: Clock,
    faults: FaultInjection,
    mut contexts: Vec<Context>,
) -> anyhow::Result<Running> {
    let names: Vec<_> = contexts.iter().map(|context| context.name).collect();
    let database = &config.kernel.database;
    database.must_know(&names)?;
    db::wait(database, &names).await?;
    if let Some(first) = contexts.first_mut() {
        first.jobs = std::mem::take(&mut first.jobs).and(housekeeping::jobs(first.name));
    }
    if config.kernel.process.has(Role::Migrate) {
        migrate(&config, &contexts).await?;
    }
    let app = App::build(config.kernel, clock, faults, &contexts, flows::routing())?;
    let roles = &app.config.process;
    app.db.check_grants(roles).await?;
    if roles.has(Role::Serve) || roles.has(Role::Work) {
        app.keys.ring().context("keys.directory")?;
    }
    let mut running = Running::new(app.clone(), &contexts);
    if roles.has(Role::Work) || roles.has(Role::Relay) {
        // Queues exist before the first message does.
        app.bus.wait().await?;
        if app.config.bus.check_limits {
            app.bus.check_limits(app.clock.new_id()).await?;
        }
    }
    running.relay(&contexts);
    if roles.has(Role::Work) {
        running.work(&contexts);
    }
    if roles.has(Role::Serve) {
        running.serve(contexts).await?;
    }
    Ok(running)
}

impl Running {
    fn new(app: App, contexts: &[Context]) -> Self {
        let consumed = |context: &Context| {
            let kinds = context.consumers.list().map(|(kind, _)| kind);
            (context.name, kinds.collect())
        };
        Self {
            app,
            address: None,
            listeners: BTreeMap::new(),
            consumed: contexts.iter().map(consumed).collect(),
            intake: CancellationToken::new(),
            relays: CancellationToken::new(),
            serving: Vec::new(),
            relaying: Vec::new(),
        }
    }

    /// In a process that relays: a relay per context, and a listener per database for commits in
    /// other processes. In every process: notifications of its own commits.
    fn relay(&mut self, contexts: &[Context]) {
        let relays = self.app.config.process.has(Role::Relay);
        let mut databases = BTreeSet::new();
        let mut work: Vec<BoxFuture<'static, ()>> = Vec::new();
        for context in contexts {
            let (app, name, stop) = (self.app.clone(), context.name, &self.relays);
            if relays {
                let relay = app.clone();
                work.push(supervised(name, "relay", stop, move |stop| {
                    bus::relay::run(relay.clone(), name, stop)
                }));
                if databases.insert(app.config.database.url_of(name).to_owned()) {
                    let listener = app.clone();
                    work.push(supervised(name, "notify::listen", stop, move |stop| {
                        notify::listen(listener.clone(), name, stop)
                    }));
                }
            }
            work.push(supervised(name, "notify::send", stop, move |stop| {
                notify::send(app.clone(), name, stop)
            }));
        }
        self.relaying.extend(work.into_iter().map(tokio::spawn));
    }

    /// The contexts' consumers, jobs and services.
    fn work(&mut self, contexts: &[Context]) {
        let (app, stop) = (&self.app, &self.intake);
        for context in contexts {
            let mut work = jobs::start(app, context.name, &context.jobs, stop);
            for uplink in context.consumers.uplinks() {
                let (app, uplink) = (app.clone(), uplink.clone());
                let queue = uplink.uplink.name;
                work.push(supervised(context.name, queue, stop, move |stop| {
                    bus::consume_uplink(app.clone(), uplink.clone(), stop)
                }));
            }
            let consumers = Arc::new(context.consumers.clone());
            let queues = app.bus.queues().into_iter();
            for queue in queues.filter(|queue| queue.context == context.name) {
                let (app, consumers) = (app.clone(), Arc::clone(&consumers));
                let name = match queue.lane {
                    Lane::Ordinary => "consumer",
                    Lane::Gates => "consumer for gates",
                };
                work.push(supervised(context.name, name, stop, move |stop| {
                    bus::consumer::run(app.clone(), queue, Arc::clone(&consumers), stop)
                }));
            }
            self.serving.extend(work.into_iter().map(tokio::spawn));
        }
    }

    /// The contexts' own listeners, and the HTTP server.
    async fn serve(&mut self, contexts: Vec<Context>) -> anyhow::Result<()> {
        let readiness = Arc::default();
        let reference = http::reference_route(&http::Reference::of(open_api(&contexts)));
        let mut tables = vec![
            ("health", http::health::routes(&readiness)),
            ("reference", reference),
        ];
        let probes = http::health::listen(&self.app, &readiness, self.intake.clone()).await?;
        if let Some(listening) = probes {
            self.listeners.insert(listening.name, listening.address);
            self.serving.push(tokio::spawn(listening.serving));
        }
        for context in contexts {
            if let Some(open) = context.listeners {
                for listening in open(self.app.clone(), self.intake.clone()).await? {
                    self.listeners.insert(listening.name, listening.address);
                    self.serving.push(tokio::spawn(listening.serving));
                }
            }
            tables.push((context.name, context.routes));
        }
        let router = http::router(&self.app, tables)?;
        let server = http::bind(self.app.config.http.listen).await?;
        self.address = Some(server.address);
        tracing::info!(code = "http.listening", address = %server.address, "the API is served");
        let (stop, grace) = (self.intake.clone(), self.app.config.process.stop_grace());
        let limits = (self.app.config.http.clone(), self.app.clock.clone());
        self.serving.push(tokio::spawn(async move {
            server.run(router, limits, stop, grace).await;
        }));
        Ok(())
    }

    /// Takes nothing new, finishes what is in hand, publishes what was written, closes.
    pub async fn stop(self) {
        let grace = self.app.config.process.stop_grace();
        self.intake.cancel();
        if tokio::time::timeout(grace, join_all(self.serving))
            .await
            .is_err()
        {
            tracing::warn!(
                code = "stop.work_left",
                "work was still running when the grace period ended"
            );
        }
        self.relays.cancel();
        if tokio::time::timeout(grace, join_all(self.relaying))
            .await
            .is_err()
        {
            tracing::warn!(
                code = "stop.outbox_left",
                "the outbox could not be emptied; the next start continues with it"
            );
        }
        // A broker may never answer the request to close.
        let closing = join(self.app.bus.close(), self.app.db.close());
        if tokio::time::timeout(grace, closing).await.is_err() {
            tracing::warn!(
                code = "stop.connections_left",
                "connections to the broker or the database were still open when the grace period ended"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_listed_with_who_may_call_it() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let config = Config::load(None, []).unwrap();
        let contexts = contexts(&config, &Clock::system()).unwrap();
        let text = routes(&contexts);
        let (table, legend) = text.split_once("\n\n").unwrap();
        let rows: Vec<Vec<_>> = table
            .lines()
            .skip(1)
            .map(|line| {
                line.split("  ")
                    .filter(|cell| !cell.is_empty())
                    .map(str::trim)
                    .collect()
            })
            .collect();
        let of_contexts: usize = contexts
            .iter()
            .map(|context| context.routes.table().count())
            .sum();
        // Three probes, the reference, and the two routes of the enrolment listener.
        assert_eq!(rows.len(), of_contexts + 6);
        assert!(rows.is_sorted_by_key(|row| row[1]));
        let buyers = "CUSTOMER, BOX_OFFICE, ADMIN; order.customer_id or seller_id";
        for row in [
            [
                "POST",
                "/orders",
                "required",
                "normal",
                "order:write",
                buyers,
            ],
            ["GET", "/catalog/events", "-", "normal", "-", "anybody"],
            [
                "POST",
                "/webhooks/psp",
                "-",
                "-",
                "-",
                "proof: Stripe-Signature",
            ],
        ] {
            assert!(rows.iter().any(|listed| *listed == row), "{row:?}\n{table}");
        }
        assert!(legend.contains("http.rate_limits"));
    }
}
