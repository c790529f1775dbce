//! The world of the story: real processes, and the people who use them.

pub mod claim;
pub mod core;
pub mod customer;
pub mod edge;
pub mod office;
pub mod process;
pub mod stage;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Result;
use chrono::TimeDelta;
use eventify_stack::{ClientIdentity, MessageLine, Scope, Stack, User};

use self::{
    claim::Claim, core::Core, customer::Customer, edge::Edge, office::Office, stage::Stage,
};
use crate::{api::Api, clock, scanner::Scanner, wait};

/// One gate with its node and its scanner.
#[derive(Debug)]
pub struct Gate {
    /// Its id.
    pub id: String,
    /// The name on the door.
    pub name: &'static str,
    /// The node that decides for it.
    pub edge: Edge,
    /// The scanner in front of it.
    pub scanner: Scanner,
}

/// Servers and core, before anything is set up.
#[derive(Debug)]
pub struct World {
    /// The core.
    pub core: Core,
    /// Where everything is left.
    pub folder: PathBuf,
    /// The servers behind it.
    pub scope: Scope,
    _claim: Claim,
}

impl World {
    /// Starts a core on a scope of the run's stack. Who runs it has claimed its folder before: a
    /// run that is refused starts no servers.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(claim: Claim) -> Result<Self> {
        Self::start_with(claim, &[]).await
    }

    /// The same with a core whose settings differ: `("FLEET__CODE_SECONDS", "60")`.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start_with(claim: Claim, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_on(Stack::shared().await?, claim, settings).await
    }

    /// The same on a stack of the caller's.
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

    /// An access token for somebody with these roles.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn token(&self, name: &str, roles: &[&str], scopes: &[&str]) -> Result<String> {
        let user = roles
            .iter()
            .fold(User::new(name), |user, role| user.role(*role));
        let user = scopes.iter().fold(user, |user, scope| user.scope(*scope));
        Ok(self.scope.oidc.token(&user).await?)
    }

    /// Somebody with these roles, signed in.
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

    /// Somebody who looks tickets up and checks guests in over the core's API.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn desk(&self) -> Result<Api> {
        self.signed_in("desk-1", &["ADMIN"], &["ticket:checkin"])
            .await
    }

    /// Where the broker takes nodes' connections.
    #[must_use]
    pub fn broker(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.scope.mqtt_port))
    }

    /// A line to the broker for one node, on which single messages can be held.
    ///
    /// # Errors
    /// It does not start.
    pub async fn message_line(&self, node: &ClientIdentity) -> Result<MessageLine> {
        Ok(self.scope.message_line(node).await?)
    }

    /// A customer.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn customer(&self, number: usize) -> Result<Customer> {
        self.customer_named(&format!("customer-{number}")).await
    }

    /// A customer of this name.
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
    pub async fn office(&self, stage: &Stage) -> Result<Office> {
        let admin = self.signed_in("admin-1", &["ADMIN"], &[]).await?;
        Ok(Office::of(admin, &stage.venue))
    }

    /// A venue with a performance that starts in half an hour.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn stage(&self) -> Result<Stage> {
        Stage::set_up(
            &self.organiser().await?,
            clock::now() + TimeDelta::minutes(30),
        )
        .await
    }

    /// A gate with an enrolled node and a paired scanner.
    ///
    /// # Errors
    /// Something refuses or does not start.
    pub async fn gate(
        &self,
        stage: &Stage,
        number: u8,
        name: &'static str,
        max_cache_age: Duration,
    ) -> Result<Gate> {
        let office = self.office(stage).await?;
        let id = office.add_gate(name, &[&stage.performance]).await?;
        let label = format!("edge-{number}");
        let code = office.announce_node(&label, &id).await?.code;
        let mut edge =
            Edge::enrol(&label, &code, &self.folder, self.broker(), max_cache_age).await?;
        edge.becomes("its first snapshot, with its gate", wait::START, |status| {
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
