//! The core as a process of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use eventify_stack::Scope;

use super::process::{self, Process};
use crate::{api::Api, wait};

/// The secret in the path of RabbitMQ's questions to the core.
const BROKER_AUTH_SECRET: &str = "development-only-broker-auth";

/// A running core.
#[derive(Debug)]
pub struct Core {
    process: Process,
    /// Where it answers HTTP.
    pub url: String,
    /// Without a token.
    pub api: Api,
    /// Its log.
    pub log: PathBuf,
}

impl Core {
    /// Makes keys, starts a core on a scope of the stack, and waits until it is ready. `settings` go
    /// over those that the stack asks for: `("FLEET__CODE_SECONDS", "60")`.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(scope: &Scope, folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let executable = process::program("eventify-core")?;
        let keys = folder.join("keys");
        let keys = keys.to_str().context("the path is not text")?;
        process::run(&executable, &["keys", "init", keys], &[]).await?;
        let mut environment = environment(scope, keys);
        environment.extend(settings.iter().map(|(key, value)| variable(key, *value)));
        let log = folder.join("core.log");
        let mut core = Process::start("eventify-core", &executable, &[], &environment, &log)?;
        let url = core
            .wait_for_log("the core's address", |line| bound(line, "http.listening"))
            .await?;
        let broker = core
            .wait_for_log("its broker listener", |line| {
                bound(line, "fleet.broker_auth_listening")
            })
            .await?;
        let (url, broker) = (format!("http://{url}"), format!("http://{broker}"));
        scope
            .register_broker_auth(&format!("{broker}/{BROKER_AUTH_SECRET}"))
            .await?;
        scope
            .stripe
            .register_webhook(&format!("{url}/webhooks/psp"))
            .await?;
        let api = Api::new(&url)?;
        wait::until("the core to be ready", wait::START, || async {
            let reply = api
                .send(reqwest::Method::GET, "/health/ready", None)
                .await?;
            Ok(reply.status.is_success().then_some(()))
        })
        .await?;
        Ok(Self {
            process: core,
            url,
            api,
            log,
        })
    }

    /// Stops it with `SIGTERM`.
    ///
    /// # Errors
    /// It does not end in time, or with an error.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await
    }

    /// Number of lines of its log with this text.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn count_in_log(&self, what: &str) -> Result<usize> {
        process::count_in_log(&self.log, what)
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }
}

/// The address in the log line of this code.
fn bound(line: &serde_json::Value, code: &str) -> Option<String> {
    (line["code"] == code).then(|| line["address"].as_str().map(ToOwned::to_owned))?
}

fn environment(scope: &Scope, keys: &str) -> Vec<(String, String)> {
    let path = |path: &Path| path.display().to_string();
    let issuer = format!(
        "[{{ issuer = \"{}\", audiences = [\"{}\"], clients = [\"{}\"], device_client = \"{}\" }}]",
        scope.oidc.issuer, scope.oidc.audience, scope.oidc.client_id, scope.oidc.device_client_id
    );
    [
        ("HTTP__LISTEN", "127.0.0.1:0".to_owned()),
        // 60 customers buy at the same time from one address.
        ("HTTP__RATE_LIMITS__NORMAL_PER_SECOND", "2000".to_owned()),
        ("HTTP__RATE_LIMITS__NORMAL_BURST", "4000".to_owned()),
        ("HTTP__RATE_LIMITS__STRICT_PER_SECOND", "2000".to_owned()),
        ("HTTP__RATE_LIMITS__STRICT_BURST", "4000".to_owned()),
        ("AUTH__ISSUERS", issuer),
        ("KEYS__DIRECTORY", keys.to_owned()),
        ("DATABASE__URL", scope.database.url().to_owned()),
        ("BUS__URL", scope.amqp_url.clone()),
        ("PAYMENT__STRIPE__API_URL", scope.stripe.base_url.clone()),
        (
            "PAYMENT__STRIPE__SECRET_KEY",
            scope.stripe.secret_key.clone(),
        ),
        (
            "PAYMENT__STRIPE__WEBHOOK_SECRETS",
            format!("[\"{}\"]", scope.stripe.webhook_secret),
        ),
        (
            "FLEET__DEVICE_AUTHORITY_CERTIFICATE",
            path(&scope.device_ca.certificate),
        ),
        ("FLEET__DEVICE_AUTHORITY_KEY", path(&scope.device_ca.key)),
        ("FLEET__ENROLMENT_LISTEN", "127.0.0.1:0".to_owned()),
        ("FLEET__MQTT_HOST", scope.mqtt_host.to_owned()),
        ("FLEET__MQTT_PORT", scope.mqtt_port.to_string()),
        ("FLEET__MQTT_AUTHORITY", path(&scope.broker_ca)),
        ("FLEET__BROKER_AUTH_LISTEN", "127.0.0.1:0".to_owned()),
        ("FLEET__BROKER_AUTH_SECRET", BROKER_AUTH_SECRET.to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| variable(key, value))
    .collect()
}

fn variable(key: &str, value: impl Into<String>) -> (String, String) {
    (format!("EVENTIFY_CORE__{key}"), value.into())
}
