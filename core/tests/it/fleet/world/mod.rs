//! A venue with its core: the other contexts are stand-ins whose events the test publishes, the nodes
//! are doubles that use real MQTT with the certificate that the core gave them.

mod node;
mod tickets;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use eventify_contracts::fleet::{JournalAccepted, PerformanceConfirmed, PerformanceDeclined};
use eventify_contracts::inventory::{VenueCreated, VenueFacts};
use eventify_contracts::{event_management, inventory, ticketing};
use eventify_core::config::Config;
use eventify_core::contexts::{fleet, identity};
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::db::Tx;
use eventify_kernel::event::{DomainEvent, Received};
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use eventify_stack::Stack;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{ContextsOf, TestApp, TestOptions, User};

pub(crate) use node::{Enrolled, Node, enrol_trusting, enrol_with, hello, renew_with};
pub(crate) use tickets::{issue, performance, ticket};

/// In the path of the broker's requests.
pub(crate) const SECRET: &str = "between-broker-and-core";

/// Fleet, and stand-ins for its neighbours.
pub(crate) fn contexts(config: &Config, clock: &Clock) -> Vec<Context> {
    let state = fleet::State::open(&config.contexts.fleet, clock.now());
    let state = state.expect("the settings are good");
    vec![
        identity::context(&Arc::default()),
        fleet::context(&Arc::new(state)),
        Context {
            events: event_management::events(),
            consumers: Consumers::new()
                .on::<PerformanceConfirmed, _>(on_performance_confirmed)
                .on::<PerformanceDeclined, _>(on_performance_declined),
            ..Context::new("event_management", &[])
        },
        Context {
            events: inventory::events(),
            ..Context::new("inventory", &[])
        },
        Context {
            events: ticketing::events(),
            consumers: Consumers::new().on::<JournalAccepted, _>(on_journal_accepted),
            ..Context::new("ticketing", &[])
        },
    ]
}

/// Ticketing accepts the rows; the test publishes their outcome.
async fn on_journal_accepted(
    _: &App,
    _: &mut Tx,
    event: Received<JournalAccepted>,
) -> Result<(), Failure> {
    event.data.decode().map(drop).map_err(Failure::park)
}

async fn on_performance_confirmed(
    _: &App,
    _: &mut Tx,
    _: Received<PerformanceConfirmed>,
) -> Result<(), Failure> {
    Ok(())
}

async fn on_performance_declined(
    _: &App,
    _: &mut Tx,
    _: Received<PerformanceDeclined>,
) -> Result<(), Failure> {
    Ok(())
}

/// One venue of one owner.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) core: TestApp,
    pub(crate) id: VenueId,
}

impl Venue {
    /// A venue that the core knows, with nodes that the broker lets in.
    pub(crate) async fn open() -> Self {
        Self::among(contexts).await
    }

    /// The same, with other limits.
    pub(crate) async fn limited(limits: &[(&'static str, &str)]) -> Self {
        Self::set_up(contexts, limits).await
    }

    /// The same, with other neighbours.
    pub(crate) async fn among(contexts: ContextsOf) -> Self {
        Self::set_up(contexts, &[]).await
    }

    async fn set_up(contexts: ContextsOf, more: &[(&'static str, &str)]) -> Self {
        let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let core = Box::pin(TestApp::with(TestOptions {
            config: settings().await.into_iter().chain(more).collect(),
            contexts: Some(contexts),
            ..TestOptions::default()
        }))
        .await;
        let address = core.listener("broker_auth");
        core.scope
            .register_broker_auth(&format!("http://{address}/{SECRET}"))
            .await
            .unwrap();
        let id = VenueId(core.clock.new_id());
        let venue = Self { core, id };
        let facts = VenueFacts {
            name: "Town hall".to_owned(),
            city: None,
            time_zone: "Europe/Paris".parse().unwrap(),
            owner_id: venue.owner().id().await,
            org_id: None,
            shared: false,
        };
        let created = VenueCreated {
            venue_id: id,
            facts,
        };
        venue.publish("inventory", 1, &created).await;
        venue.core.settle().await;
        venue.core.run_job("fleet", "publish_key_set").await;
        venue
    }

    /// Who owns the venue and runs it.
    pub(crate) fn owner(&self) -> User<'_> {
        self.core.user("olga").role("VENUE_IT")
    }

    /// Commits an event as its context would.
    pub(crate) async fn publish<E: DomainEvent>(
        &self,
        context: &'static str,
        version: i32,
        event: &E,
    ) {
        let app = self.core.app();
        let cause = Cause::fresh(&app.clock);
        let mut tx = app.db.begin(context, &cause).await.unwrap();
        tx.publish(app.clock.new_id(), version, event);
        tx.commit().await.unwrap();
    }

    /// Creates a gate.
    pub(crate) async fn gate(&self, name: &str) -> GateId {
        let plan = json!({ "venueId": self.id, "name": name });
        let gate = self.owner().post("/fleet/gates", plan).await.expect(201);
        serde_json::from_value(gate["gateId"].clone()).unwrap()
    }

    /// Announces a node.
    pub(crate) async fn announce(&self, label: &str) -> Announced {
        let plan = json!({ "venueId": self.id, "label": label, "gates": [] });
        let announced = self.owner().post("/fleet/nodes", plan).await.expect(201);
        serde_json::from_value(announced).unwrap()
    }

    /// A node that is enrolled and connected.
    pub(crate) async fn node(&self, label: &str) -> Node {
        let announced = self.announce(label).await;
        Node::enrol(self, &announced.code)
            .await
            .unwrap()
            .connect(self)
            .await
    }

    /// The codes of the venue's alarms, newest first.
    pub(crate) async fn alarms(&self) -> Vec<String> {
        let alarms = alarms_of(&self.owner()).await.into_iter();
        alarms.map(|alarm| alarm.code).collect()
    }

    /// One value from fleet's tables.
    pub(crate) async fn value<T>(&self, sql: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let mut conn = self.core.app().db.read("fleet").await.unwrap();
        sqlx::query_scalar(sql)
            .bind(self.id.as_uuid())
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    }

    /// How many rows of an outbox are to be projected into a feed and are not yet.
    pub(crate) async fn unprojected(&self, context: &'static str) -> i64 {
        let mut conn = self.core.app().db.read(context).await.unwrap();
        sqlx::query_scalar("select count(*) from outbox where feeds_venues and settled_at is null")
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    }

    /// The payloads of a type that fleet has published, in order.
    pub(crate) async fn published<E: DomainEvent>(&self) -> Vec<E> {
        self.core.published("fleet").await
    }

    pub(crate) fn new_id(&self) -> Uuid {
        self.core.clock.new_id()
    }
}

/// A node that waits for its code to be used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Announced {
    pub(crate) node_id: NodeId,
    pub(crate) code: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alarm {
    pub(crate) alarm_id: Uuid,
    pub(crate) code: String,
    /// `open`, `acknowledged` or `ended`.
    pub(crate) state: String,
    pub(crate) act: String,
    pub(crate) venue_id: Option<VenueId>,
    pub(crate) node_id: Option<NodeId>,
    pub(crate) occurrences: u32,
    pub(crate) details: Value,
    pub(crate) stops: Vec<String>,
    pub(crate) node_label: Option<String>,
    #[serde(default)]
    pub(crate) gates: Vec<String>,
    pub(crate) acknowledged_at: Option<DateTime<Utc>>,
    pub(crate) acknowledged_by: Option<Uuid>,
    pub(crate) acknowledged_name: Option<String>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

/// The alarms that a user may see, newest first.
pub(crate) async fn alarms_of(user: &User<'_>) -> Vec<Alarm> {
    alarms_where(user, "state=standing").await
}

/// Those that a query finds.
pub(crate) async fn alarms_where(user: &User<'_>, query: &str) -> Vec<Alarm> {
    let path = format!("/fleet/alarms?{query}");
    let mut alarms = user.get(&path).await.expect(200);
    serde_json::from_value(alarms["items"].take()).unwrap()
}

/// What a core needs that enrols nodes.
pub(crate) async fn settings() -> Vec<(&'static str, String)> {
    let stack = Stack::shared().await.unwrap();
    let path = |path: &std::path::Path| path.display().to_string();
    vec![
        (
            "fleet.device_authority_certificate",
            path(&stack.device_ca().certificate),
        ),
        ("fleet.device_authority_key", path(&stack.device_ca().key)),
        ("fleet.enrolment_listen", "127.0.0.1:0".to_owned()),
        ("fleet.mqtt_host", "localhost".to_owned()),
        ("fleet.mqtt_port", stack.rabbitmq().mqtt_port().to_string()),
        ("fleet.mqtt_authority", path(stack.rabbitmq().broker_ca())),
        ("fleet.broker_auth_listen", "127.0.0.1:0".to_owned()),
        ("fleet.broker_auth_secret", SECRET.to_owned()),
    ]
}
