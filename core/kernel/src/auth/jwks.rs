//! An issuer's keys: cached, fetched again on an unknown key id (one fetch at a time, at most every
//! so often). Nobody waits for a fetch who shows a key that is known: old ones serve meanwhile, and while
//! the issuer is down.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Deserialize;
use tokio::sync::{Mutex, RwLock};

use crate::config;
use crate::connectivity::Connectivity;

#[derive(Debug)]
pub(super) struct KeyCache {
    issuer: config::Issuer,
    http: reqwest::Client,
    limits: Limits,
    keys: RwLock<Keys>,
    connectivity: Connectivity,
    /// Held while fetching, so that a burst of tokens makes one fetch.
    fetching: Mutex<()>,
}

#[derive(Debug)]
struct Limits {
    max_age: chrono::Duration,
    pause: chrono::Duration,
}

#[derive(Debug, Default)]
struct Keys {
    set: Option<JwkSet>,
    fetched_at: Option<DateTime<Utc>>,
    tried_at: Option<DateTime<Utc>>,
}

/// Of the keys in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Young,
    /// To be fetched again, while they serve.
    Due,
    /// Nobody has asked for so long that the issuer may well have others by now.
    Forgotten,
}

/// The issuer's keys could not be had, and there are no old ones.
#[derive(Clone, Debug, thiserror::Error)]
#[error("keys of {issuer}: {reason}")]
pub(super) struct NoKeys {
    issuer: String,
    reason: String,
}

impl KeyCache {
    pub(super) fn new(issuer: config::Issuer, http: reqwest::Client, auth: &config::Auth) -> Self {
        let limits = Limits {
            max_age: auth.jwks_cache(),
            pause: auth.jwks_refresh(),
        };
        let place = issuer.jwks_url.as_ref().unwrap_or(&issuer.issuer);
        Self {
            connectivity: Connectivity::of("identity provider", place.clone(), "auth.issuers"),
            issuer,
            http,
            limits,
            keys: RwLock::default(),
            fetching: Mutex::default(),
        }
    }

    /// The key with this id; `None` when the issuer doesn't have it.
    pub(super) async fn find(
        self: &Arc<Self>,
        kid: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<Jwk>, NoKeys> {
        let (found, age) = self.look(kid, now).await;
        match (found, age) {
            (Some(key), Age::Young) => return Ok(Some(key)),
            (Some(key), Age::Due) => {
                self.refresh_beside(kid, now);
                return Ok(Some(key));
            }
            (_, Age::Forgotten) | (None, Age::Young | Age::Due) => {}
        }
        let refreshed = self.refresh(kid, now).await;
        let (found, _) = self.look(kid, now).await;
        match refreshed {
            Ok(()) => Ok(found),
            Err(_) if found.is_some() => Ok(found),
            Err(error) => Err(error),
        }
    }

    /// Fetches while the old key serves, unless somebody does already.
    fn refresh_beside(self: &Arc<Self>, kid: Option<&str>, now: DateTime<Utc>) {
        if self.fetching.try_lock().is_err() {
            return;
        }
        let (keys, kid) = (Arc::clone(self), kid.map(str::to_owned));
        tokio::spawn(async move {
            if let Err(error) = keys.refresh(kid.as_deref(), now).await {
                tracing::debug!(%error, "an issuer's keys could not be fetched again");
            }
        });
    }

    /// What the cache holds, and how old it is.
    async fn look(&self, kid: Option<&str>, now: DateTime<Utc>) -> (Option<Jwk>, Age) {
        let keys = self.keys.read().await;
        let is_within = |at: Option<DateTime<Utc>>, life| at.is_some_and(|at| now - at < life);
        let age = if is_within(keys.fetched_at, self.limits.max_age) {
            Age::Young
        } else if is_within(keys.tried_at, self.limits.max_age * 2) {
            Age::Due
        } else {
            Age::Forgotten
        };
        let found = keys.set.as_ref().and_then(|set| match kid {
            Some(kid) => set.find(kid).cloned(),
            // A token without a key id is fine as long as there is no choice.
            None => (set.keys.len() == 1).then(|| set.keys[0].clone()),
        });
        (found, age)
    }

    async fn refresh(&self, kid: Option<&str>, now: DateTime<Utc>) -> Result<(), NoKeys> {
        let _one_at_a_time = self.fetching.lock().await;
        let (found, age) = self.look(kid, now).await;
        if found.is_some() && age == Age::Young {
            return Ok(());
        }
        {
            let mut keys = self.keys.write().await;
            let too_soon = keys.tried_at.is_some_and(|at| now - at < self.limits.pause);
            if too_soon {
                return match keys.set {
                    Some(_) => Ok(()),
                    None => Err(self.no_keys("the last attempt failed a moment ago")),
                };
            }
            keys.tried_at = Some(now);
        }
        let set = match self.fetch().await {
            Ok(set) => set,
            Err(error) => {
                let why = with_causes(&error);
                self.connectivity.lost(&why);
                return Err(self.no_keys(&why));
            }
        };
        self.store(set, now).await;
        Ok(())
    }

    async fn store(&self, set: JwkSet, now: DateTime<Utc>) {
        self.connectivity.found();
        let mut keys = self.keys.write().await;
        keys.set = Some(set);
        keys.fetched_at = Some(now);
    }

    /// Whether the issuer gives its keys: asked when they are due, and while it last did not.
    pub(super) async fn is_reachable(&self, now: DateTime<Utc>) -> bool {
        let (_, age) = self.look(None, now).await;
        if age == Age::Young && !self.connectivity.is_lost() {
            return true;
        }
        let _one_at_a_time = self.fetching.lock().await;
        match self.fetch().await {
            Ok(set) => {
                self.store(set, now).await;
                true
            }
            Err(error) => {
                self.connectivity.lost(with_causes(&error));
                false
            }
        }
    }

    async fn fetch(&self) -> Result<JwkSet, reqwest::Error> {
        #[derive(Deserialize)]
        struct Discovery {
            jwks_uri: String,
        }
        let url = match &self.issuer.jwks_url {
            Some(url) => url.clone(),
            None => {
                let base = self.issuer.issuer.trim_end_matches('/');
                let discovery = format!("{base}/.well-known/openid-configuration");
                self.get::<Discovery>(&discovery).await?.jwks_uri
            }
        };
        self.get(&url).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, reqwest::Error> {
        self.http
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await
    }

    fn no_keys(&self, reason: &str) -> NoKeys {
        NoKeys {
            issuer: self.issuer.issuer.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// The library's message names only the address; the reason is in its sources.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
