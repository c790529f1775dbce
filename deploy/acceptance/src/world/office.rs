//! Venue IT: gates, nodes, policy, reports.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::customer::text;
use crate::api::Api;

/// An enrolment code.
#[derive(Clone, Debug)]
pub struct Code {
    /// Its text.
    pub code: String,
    /// From then on nobody can join with it.
    pub expires_at: DateTime<Utc>,
}

/// A signed-in member of venue IT.
#[derive(Clone, Debug)]
pub struct Office {
    api: Api,
    venue: String,
}

impl Office {
    /// At work for a venue.
    #[must_use]
    pub fn of(api: Api, venue: &str) -> Self {
        Self {
            api,
            venue: venue.to_owned(),
        }
    }

    /// Lets the venue's nodes decide by themselves, within a limit.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn allow_degraded(&self, max_cache_age_ms: u64) -> Result<()> {
        let path = format!("/fleet/venues/{}/policy", self.venue);
        let _: Value = self
            .api
            .put(&path, json!({ "maxCacheAgeMs": max_cache_age_ms }))
            .await?;
        Ok(())
    }

    /// Lets somebody else run the venue's nodes too.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn appoint(&self, somebody: &Api) -> Result<()> {
        let me: Value = somebody.get("/me").await?;
        let user = text(&me, "userId")?;
        let path = format!("/fleet/venues/{}/operators/{user}", self.venue);
        let _: Value = self.api.put(&path, json!({})).await?;
        Ok(())
    }

    /// A new gate for some performances; gives its id.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn add_gate(&self, name: &str, performances: &[&str]) -> Result<String> {
        let gate = json!({ "venueId": self.venue, "name": name, "performances": performances });
        let gate: Value = self.api.post("/fleet/gates", gate).await?;
        text(&gate, "gateId")
    }

    /// Announces a node for a gate; gives its enrolment code.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn announce_node(&self, label: &str, gate: &str) -> Result<Code> {
        let node = json!({ "venueId": self.venue, "label": label, "gates": [gate] });
        let node: Value = self.api.post("/fleet/nodes", node).await?;
        Ok(Code {
            code: text(&node, "code")?,
            expires_at: text(&node, "codeExpiresAt")?.parse()?,
        })
    }

    /// What the outages of the venue came to.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn reconciliation(&self) -> Result<Value> {
        self.api
            .get(&format!("/fleet/venues/{}/reconciliation", self.venue))
            .await
    }

    /// What needs somebody's attention.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn alarms(&self) -> Result<Value> {
        self.api.get("/fleet/alarms").await
    }
}
