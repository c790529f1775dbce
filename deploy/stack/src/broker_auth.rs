//! Sends RabbitMQ's questions about an MQTT client to the core that owns the client's virtual host.
//!
//! RabbitMQ's HTTP auth backend has one URL, but a run has one RabbitMQ node and a core for each test.
//! In production the questions go to the core directly; here they pass unchanged through this
//! dispatcher, which answers `deny` if no core is registered for the vhost or that core fails. A
//! question without a vhost goes to every core, and one `allow` is enough: node ids are unique, and the
//! vhost's own core decides the question that follows.
//!
//! The questions are `POST <core>/broker/<about>` with a form; the answer is 200 with `allow` or
//! `deny`. For a client whose certificate has the common name `t1:n7` (`tests/it/broker.rs` checks it):
//!
//! | about | form | when |
//! |---|---|---|
//! | `user` | `username=n7`, nothing else: no vhost, no client id | CONNECT with the certificate alone |
//! | `user` | `username`, `password`, `vhost`, `client_id`: all as the client *claims* | CONNECT with a name and a password, whatever the certificate says |
//! | `vhost` | `username=n7` `vhost=t1` `client_id=…` `ip=…` `tags=` | then |
//! | `resource` | …, `resource=queue` `name=mqtt-subscription-<client id>qos0` (`qos1`) `permission=configure`, `read`, `write` | SUBSCRIBE |
//! | `resource` | …, `resource=exchange` `name=amq.topic` `permission=read` (`write`) | SUBSCRIBE (PUBLISH) |
//! | `topic` | …, `resource=topic` `name=amq.topic` `permission=read` (`write`) `routing_key=ev1.down.n7.#` `variable_map.client_id=…` | SUBSCRIBE (PUBLISH) |
//!
//! A core must refuse, because RabbitMQ does not:
//! - a `user` question with a `password`: any valid certificate could then claim any name;
//! - a `vhost` question whose `client_id` is not the node's own: it would disconnect the other node;
//! - a queue that is not named after the node's own client id;
//! - a `routing_key` outside the node's own topics; wildcards arrive as `*` and `#`.
//!
//! A refused PUBLISH or SUBSCRIBE closes the connection. A name without a password is refused by
//! RabbitMQ itself.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::routing::{post, put};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::background;
use crate::error::{During, Result, StackError};
use crate::http;

/// RabbitMQ's answers; `allow` to a `user` question may be followed by a space and tags.
const ALLOW: &str = "allow";
const DENY: &str = "deny";

/// How to reach the run's dispatcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dispatcher {
    base_url: String,
}

impl Dispatcher {
    /// Starts a dispatcher that lives as long as this process.
    pub(crate) async fn start() -> Result<Self> {
        let bind = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = background::spawn(bind)
            .await
            .map_err(std::io::Error::other)
            .and_then(|bound| bound)
            .during(|| "binding the auth dispatcher".to_owned())?;
        let address = listener
            .local_addr()
            .during(|| "reading the auth dispatcher's address".to_owned())?;
        let state = Arc::new(Cores {
            by_vhost: RwLock::default(),
            client: http::pooled(),
        });
        let router = Router::new()
            .route("/broker/{question}", post(ask))
            .route("/cores/{vhost}", put(register).delete(unregister))
            .with_state(state);
        background::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(
                    code = "stack.broker_auth_stopped",
                    %error,
                    "The broker auth dispatcher stopped."
                );
            }
        });
        Ok(Self {
            base_url: format!("http://{address}"),
        })
    }

    pub(crate) fn auth_url(&self) -> String {
        format!("{}/broker", self.base_url)
    }

    pub(crate) async fn register(&self, vhost: &str, core_url: &str) -> Result<()> {
        let request = http::client()
            .put(self.core(vhost))
            .body(core_url.to_owned());
        expect_success("registering a core", request).await
    }

    pub(crate) async fn unregister(&self, vhost: &str) -> Result<()> {
        expect_success(
            "unregistering a core",
            http::client().delete(self.core(vhost)),
        )
        .await
    }

    fn core(&self, vhost: &str) -> String {
        format!("{}/cores/{vhost}", self.base_url)
    }
}

async fn expect_success(action: &str, request: reqwest::RequestBuilder) -> Result<()> {
    let answer = request.send().await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let (action, status) = (action.to_owned(), status.as_u16());
    Err(StackError::Refused {
        action,
        status,
        body: answer.text().await?,
    })
}

#[derive(Debug)]
struct Cores {
    by_vhost: RwLock<HashMap<String, String>>,
    client: Client,
}

impl Cores {
    /// The vhost's core; for a question that names no vhost, all of them.
    fn for_vhost(&self, vhost: Option<&str>) -> Vec<String> {
        let cores = self.by_vhost.read().unwrap_or_else(PoisonError::into_inner);
        match vhost {
            Some(vhost) => cores.get(vhost).cloned().into_iter().collect(),
            None => cores.values().cloned().collect(),
        }
    }

    fn set(&self, vhost: String, core: Option<String>) {
        let mut cores = self
            .by_vhost
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match core {
            Some(core) => cores.insert(vhost, core),
            None => cores.remove(&vhost),
        };
    }
}

async fn ask(
    State(cores): State<Arc<Cores>>,
    Path(question): Path<String>,
    body: Bytes,
) -> &'static str {
    let vhost = vhost_of(&body);
    let mut asked = JoinSet::new();
    for core in cores.for_vhost(vhost.as_deref()) {
        asked.spawn(forward(
            cores.client.clone(),
            core,
            question.clone(),
            body.clone(),
        ));
    }
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(answer)) if answer.starts_with(ALLOW) => {
                // The other cores get the question too.
                asked.detach_all();
                return ALLOW;
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(question, %error, "A core did not answer."),
            Err(error) => {
                tracing::warn!(
                    code = "stack.broker_auth_failed",
                    question,
                    %error,
                    "Asking a core failed."
                );
            }
        }
    }
    DENY
}

async fn forward(client: Client, core: String, question: String, body: Bytes) -> Result<String> {
    let request = client
        .post(format!("{core}/broker/{question}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    Ok(request.send().await?.error_for_status()?.text().await?)
}

/// The question's `vhost`; its body is a form.
fn vhost_of(form: &[u8]) -> Option<String> {
    let mut question = reqwest::Url::parse("http://question/").ok()?;
    question.set_query(Some(std::str::from_utf8(form).ok()?));
    question
        .query_pairs()
        .find_map(|(name, value)| (name == "vhost").then(|| value.into_owned()))
}

async fn register(
    State(cores): State<Arc<Cores>>,
    Path(vhost): Path<String>,
    core_url: String,
) -> StatusCode {
    cores.set(vhost, Some(core_url.trim_end_matches('/').to_owned()));
    StatusCode::NO_CONTENT
}

async fn unregister(State(cores): State<Arc<Cores>>, Path(vhost): Path<String>) -> StatusCode {
    cores.set(vhost, None);
    StatusCode::NO_CONTENT
}
