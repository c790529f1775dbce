//! Venue IT: sets up gates and nodes, reads reports.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::customer::text;
use crate::api::Api;

/// An enrolment code.
#[derive(Clone, Debug)]
pub struct Code {
    pub code: String,
    /// It is refused after this.
    pub expires_at: DateTime<Utc>,
}

/// A signed-in member of venue IT.
#[derive(Clone, Debug)]
pub struct VenueIt {
    api: Api,
    venue: String,
}

impl VenueIt {
    /// Venue IT of one venue.
    #[must_use]
    pub fn new(api: Api, venue: &str) -> Self {
        Self {
            api,
            venue: venue.to_owned(),
        }
    }

    /// Lets the venue's nodes decide without the core while their cache is younger than this.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn allow_degraded(&self, max_cache_age_ms: u64) -> Result<()> {
        self.set_policy(json!({ "maxCacheAgeMs": max_cache_age_ms }))
            .await
    }

    /// Sets how the venue's nodes behave; what is left out stays as it is.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn set_policy(&self, policy: Value) -> Result<()> {
        let path = format!("/fleet/venues/{}/policy", self.venue);
        let _: Value = self.api.put(&path, policy).await?;
        Ok(())
    }

    /// Lets another user manage the venue's nodes.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn add_operator(&self, user: &Api) -> Result<()> {
        let me: Value = user.get("/me").await?;
        let user_id = text(&me, "userId")?;
        let path = format!("/fleet/venues/{}/operators/{user_id}", self.venue);
        let _: Value = self.api.put(&path, json!({})).await?;
        Ok(())
    }

    /// Adds somebody who works at the venue, by their name at the identity provider; returns their id there.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn add_staff(
        &self,
        (issuer, subject): (&str, &str),
        name: &str,
        roles: &[&str],
    ) -> Result<String> {
        let path = format!("/fleet/venues/{}/staff", self.venue);
        let new = json!({ "issuer": issuer, "subject": subject, "name": name, "roles": roles });
        let member: Value = self.api.post(&path, new).await?;
        text(&member, "personId")
    }

    /// Adds a gate for some performances; returns its id.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn add_gate(&self, name: &str, performances: &[&str]) -> Result<String> {
        let gate = json!({ "venueId": self.venue, "name": name, "performances": performances });
        let gate: Value = self.api.post("/fleet/gates", gate).await?;
        text(&gate, "gateId")
    }

    /// Announces a node for a gate; returns its enrolment code.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn announce_node(&self, label: &str, gate: &str) -> Result<Code> {
        self.announce_node_for(label, &[gate]).await
    }

    /// The same for several gates.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn announce_node_for(&self, label: &str, gates: &[&str]) -> Result<Code> {
        let node = json!({ "venueId": self.venue, "label": label, "gates": gates });
        let node: Value = self.api.post("/fleet/nodes", node).await?;
        Ok(Code {
            code: text(&node, "code")?,
            expires_at: text(&node, "codeExpiresAt")?.parse()?,
        })
    }

    /// What is played in the venue, as its gates are told.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn performances(&self) -> Result<Vec<Value>> {
        let path = format!("/fleet/venues/{}/performances?size=100", self.venue);
        let mut list: Value = self.api.get(&path).await?;
        Ok(serde_json::from_value(list["items"].take())?)
    }

    /// The venue's reconciliation report.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn reconciliation(&self) -> Result<Value> {
        self.api
            .get(&format!("/fleet/venues/{}/reconciliation", self.venue))
            .await
    }

    /// Open alarms.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn alarms(&self) -> Result<Value> {
        self.api.get("/fleet/alarms?size=100").await
    }
}
