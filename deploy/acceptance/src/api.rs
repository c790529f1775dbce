//! A client of the core's HTTP API.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use eventify_protocol::error::ErrorBody;
use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::clock;

/// How long a request is repeated that the core answers with `Retry-After`: longer than a breaker is open.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest time that a request takes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A core closes a connection that was idle for 30 s (`http.header_timeout_ms`).
const KEPT_IDLE: Duration = Duration::from_secs(10);

/// A client with a bearer token, or without.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// The body; `null` if it was empty or not JSON.
    pub body: Value,
    /// When to try again (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
}

/// An error response.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: StatusCode,
    /// The error body's code, or an empty text.
    pub code: String,
    /// The error body's message.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {}",
            self.status.as_u16(),
            self.code,
            self.message
        )
    }
}

impl std::error::Error for Refused {}

impl Api {
    /// A client without a token.
    ///
    /// # Errors
    /// The TLS library refuses to start.
    pub fn new(base: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .pool_idle_timeout(KEPT_IDLE)
            .build()?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token: None,
        })
    }

    /// Where the core is, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same client with a token.
    #[must_use]
    pub fn signed_in(&self, token: String) -> Self {
        Self {
            token: Some(token),
            ..self.clone()
        }
    }

    /// Sends a request and returns any response. Repeats it with the same idempotency key while the
    /// core answers `Retry-After`, whatever the status: what was asked for is on its way, or the machine
    /// is busy.
    ///
    /// # Errors
    /// No response came.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply> {
        let key = clock::new_id().to_string();
        let begin = clock::instant();
        loop {
            let reply = self.send_once(&method, path, body, &key).await?;
            let in_time = |pause: &Duration| begin.elapsed() + *pause < PATIENCE;
            let Some(pause) = reply.retry_after.filter(in_time) else {
                return Ok(reply);
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn send_once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        key: &str,
    ) -> Result<Reply> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .header("x-correlation-id", clock::new_id().to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if *method == Method::POST {
            request = request.header("idempotency-key", key);
        }
        if *method == Method::PUT {
            // Nobody else edits what the demo sets up.
            request = request.header("if-match", "*");
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("{method} {path}"))?;
        Reply::of(response)
            .await
            .with_context(|| format!("{method} {path}"))
    }

    /// Sends any bytes with any headers once: for bad input.
    ///
    /// # Errors
    /// No response came.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Result<Reply> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            // A refusal before the body was read closes the connection.
            .header("connection", "close")
            .body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(request.send().await?).await
    }

    /// `GET`, decoded as `T`.
    ///
    /// # Errors
    /// No response, a [`Refused`], or a body that is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(Method::GET, path, None).await?.read(path)
    }

    /// `GET`, as bytes.
    ///
    /// # Errors
    /// No response, or an error status.
    pub async fn get_bytes(&self, path: &str) -> Result<Vec<u8>> {
        self.get_bytes_as(path, "*/*").await
    }

    /// `GET` in one media type, as bytes.
    ///
    /// # Errors
    /// No response, or an error status.
    pub async fn get_bytes_as(&self, path: &str, media_type: &str) -> Result<Vec<u8>> {
        let mut request = self
            .http
            .get(format!("{}{path}", self.base))
            .header("accept", media_type);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?.error_for_status()?;
        Ok(response.bytes().await?.to_vec())
    }

    /// `POST`, decoded as `T`.
    ///
    /// # Errors
    /// No response, a [`Refused`], or a body that is not a `T`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: impl Serialize) -> Result<T> {
        let body = serde_json::to_value(body)?;
        self.send(Method::POST, path, Some(&body)).await?.read(path)
    }

    /// `PUT`, decoded as `T`.
    ///
    /// # Errors
    /// No response, a [`Refused`], or a body that is not a `T`.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: impl Serialize) -> Result<T> {
        let body = serde_json::to_value(body)?;
        self.send(Method::PUT, path, Some(&body)).await?.read(path)
    }
}

/// Of a node.
impl From<eventify_lan_client::Reply> for Reply {
    fn from(reply: eventify_lan_client::Reply) -> Self {
        Self {
            status: StatusCode::from_u16(reply.status).expect("it came as a status"),
            retry_after: reply.retry_after,
            body: serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
        }
    }
}

impl Reply {
    /// Reads a whole response.
    ///
    /// # Errors
    /// It ends too early.
    pub async fn of(response: reqwest::Response) -> Result<Self> {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|seconds| seconds.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let bytes = response.bytes().await?;
        Ok(Self {
            status,
            retry_after,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    /// Status and error code, or what is wrong with the error body.
    #[must_use]
    pub fn refusal(&self) -> String {
        let status = self.status.as_u16();
        match serde_json::from_value::<ErrorBody>(self.body.clone()) {
            Ok(ErrorBody { error }) if error.message.is_empty() => {
                format!("{status} {} without a message", error.code)
            }
            Ok(ErrorBody { error }) => format!("{status} {}", error.code),
            Err(_) => format!("{status} without the error body"),
        }
    }

    /// The error body's correlation id, or an empty text.
    #[must_use]
    pub fn correlation(&self) -> String {
        let id = &self.body["error"]["correlationId"];
        id.as_str().unwrap_or_default().to_owned()
    }

    /// The error body's code, or an empty text.
    #[must_use]
    pub fn code(&self) -> String {
        self.body["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn read<T: DeserializeOwned>(self, path: &str) -> Result<T> {
        if self.status.is_success() {
            let text = self.body.to_string();
            return serde_json::from_value(self.body)
                .with_context(|| format!("{path} answered {text}"));
        }
        let refused = match serde_json::from_value::<ErrorBody>(self.body) {
            Ok(ErrorBody { error }) => Refused {
                status: self.status,
                code: error.code,
                message: error.message,
            },
            Err(_) => Refused {
                status: self.status,
                code: String::new(),
                message: String::new(),
            },
        };
        Err(anyhow!(refused).context(path.to_owned()))
    }
}

/// The [`Refused`] in an error, if there is one.
#[must_use]
pub fn refusal(error: &anyhow::Error) -> Option<&Refused> {
    error.downcast_ref::<Refused>()
}
