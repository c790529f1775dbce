//! The processes of the story and the people who use them.

pub mod claim;
pub mod core;
pub mod customer;
pub mod edge;
pub mod fixture;
pub mod process;
pub mod venue_it;
pub mod window;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use eventify_stack::{ClientIdentity, MessageProxy, Scope, Stack, TokenOptions, User};

use self::{
    claim::Claim, core::Core, customer::Customer, edge::Edge, fixture::Fixture, venue_it::VenueIt,
};
use crate::{api::Api, clock, scanner::Scanner, wait};

/// Tokens of the people outlast a working day at the prompt of `make up`.
pub const TOKEN_SECONDS: i64 = 25 * 3_600;
/// How long a performance can be bought that is on sale all day.
const ALL_DAY: TimeDelta = TimeDelta::hours(25);

/// One gate with its node and its scanner.
#[derive(Debug)]
pub struct Gate {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: &'static str,
    /// Its node.
    pub edge: Edge,
    /// Its scanner.
    pub scanner: Scanner,
}

/// The servers and a core.
#[derive(Debug)]
pub struct World {
    /// The core.
    pub core: Core,
    /// The run's output folder.
    pub folder: PathBuf,
    /// The core's servers.
    pub scope: Scope,
    _claim: Claim,
}

impl World {
    /// Starts a core on the run's stack. The claim comes first, so that a refused run starts no
    /// servers.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(claim: Claim) -> Result<Self> {
        Self::start_with(claim, &[]).await
    }

    /// Starts a core with other settings, such as `("FLEET__CODE_SECONDS", "60")`.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start_with(claim: Claim, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_on(Stack::shared().await?, claim, settings).await
    }

    /// Starts a core on the caller's stack.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start_on(stack: &Stack, claim: Claim, settings: &[(&str, &str)]) -> Result<Self> {
        let folder = claim.folder().to_owned();
        let scope = stack.scope().await?;
        let core = Core::start(&scope, &folder, settings).await?;
        Ok(Self {
            core,
            folder,
            scope,
            _claim: claim,
        })
    }

    /// The core's own database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.scope.database.url()
    }

    /// An access token for a user with these roles.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn token(&self, name: &str, roles: &[&str], scopes: &[&str]) -> Result<String> {
        let user = roles
            .iter()
            .fold(User::new(name), |user, role| user.role(*role));
        let user = scopes.iter().fold(user, |user, scope| user.scope(*scope));
        let options = TokenOptions {
            lifetime_seconds: Some(TOKEN_SECONDS),
            ..TokenOptions::default()
        };
        Ok(self.scope.oidc.token_with(&user, &options).await?)
    }

    /// A signed-in user with these roles.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn signed_in(&self, name: &str, roles: &[&str], scopes: &[&str]) -> Result<Api> {
        Ok(self
            .core
            .api
            .signed_in(self.token(name, roles, scopes).await?))
    }

    /// An organiser.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn organiser(&self) -> Result<Api> {
        self.signed_in("organiser-1", &["ORGANIZER"], &["payment:refund"])
            .await
    }

    /// Staff who look up tickets and check guests in with the core's API.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn check_in_staff(&self) -> Result<Api> {
        self.signed_in("check-in-staff-1", &["ADMIN"], &["ticket:checkin"])
            .await
    }

    /// The broker's address for nodes.
    #[must_use]
    pub fn broker(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.scope.mqtt_port))
    }

    /// A proxy between one node and the broker that can hold single messages.
    ///
    /// # Errors
    /// It does not start.
    pub async fn message_proxy(&self, node: &ClientIdentity) -> Result<MessageProxy> {
        Ok(self.scope.message_proxy(node).await?)
    }

    /// A customer.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn customer(&self, number: usize) -> Result<Customer> {
        self.customer_named(&format!("customer-{number}")).await
    }

    /// A customer with this name.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn customer_named(&self, name: &str) -> Result<Customer> {
        Customer::sign_in(name, &self.core.api, &self.scope.oidc, &self.scope.stripe).await
    }

    /// Venue IT.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn venue_it(&self, fixture: &Fixture) -> Result<VenueIt> {
        let admin = self.signed_in("admin-1", &["ADMIN"], &[]).await?;
        Ok(VenueIt::new(admin, &fixture.venue))
    }

    /// A venue with a performance that starts in half an hour.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn fixture(&self) -> Result<Fixture> {
        Fixture::create(
            &self.organiser().await?,
            clock::now() + TimeDelta::minutes(30),
        )
        .await
    }

    /// A venue whose doors are open and whose performance is sold for a whole day.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn fixture_for_a_day(&self) -> Result<Fixture> {
        let now = clock::now();
        let times = (now + ALL_DAY, now - TimeDelta::minutes(30));
        Fixture::create_with_doors(&self.organiser().await?, times).await
    }

    /// A gate with an enrolled node and a paired scanner.
    ///
    /// # Errors
    /// Something refuses or does not start.
    pub async fn gate(
        &self,
        fixture: &Fixture,
        number: u8,
        name: &'static str,
        max_cache_age: Duration,
    ) -> Result<Gate> {
        let shows = [fixture];
        self.gate_for(&shows, number, name, max_cache_age).await
    }

    /// The same for several performances of one venue.
    ///
    /// # Errors
    /// Something refuses or does not start.
    pub async fn gate_for(
        &self,
        shows: &[&Fixture],
        number: u8,
        name: &'static str,
        max_cache_age: Duration,
    ) -> Result<Gate> {
        self.gates_for(shows, number, (name, &[]), max_cache_age)
            .await
    }

    /// The same with further gates at the node.
    ///
    /// # Errors
    /// Something refuses or does not start.
    pub async fn gates_for(
        &self,
        shows: &[&Fixture],
        number: u8,
        (name, others): (&'static str, &[&str]),
        max_cache_age: Duration,
    ) -> Result<Gate> {
        let first = shows.first().context("a gate without a performance")?;
        let venue_it = self.venue_it(first).await?;
        let performances: Vec<_> = shows.iter().map(|show| show.performance.as_str()).collect();
        let id = venue_it.add_gate(name, &performances).await?;
        let mut gates = vec![id.clone()];
        for other in others {
            gates.push(venue_it.add_gate(other, &performances).await?);
        }
        let gates: Vec<_> = gates.iter().map(String::as_str).collect();
        let label = format!("edge-{number}");
        let code = venue_it.announce_node_for(&label, &gates).await?.code;
        let mut edge =
            Edge::enrol(&label, &code, &self.folder, self.broker(), max_cache_age).await?;
        edge.wait_until("its first snapshot, with its gate", wait::START, |status| {
            !status.gates.is_empty()
        })
        .await?;
        let scanner = edge
            .pair(&format!("scanner-{number}"), [number; 32])
            .await?;
        Ok(Gate {
            id,
            name,
            edge,
            scanner,
        })
    }
}
