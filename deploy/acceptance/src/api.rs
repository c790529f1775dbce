//! A client of the core's HTTP API, as any integrator would write one.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use eventify_protocol::error::ErrorBody;
use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::clock;

/// A core that says `Retry-After` is asked so often.
const ATTEMPTS: u32 = 10;
/// No call of the story takes longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One caller: an address and a bearer token, or none.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// The body, `null` if it was empty or no JSON.
    pub body: Value,
    /// When to ask again, if that helps (RFC 9110 section 10.2.3, in seconds).
    pub retry_after: Option<Duration>,
}

/// A status that was not expected, with the error body's words.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: StatusCode,
    /// The error body's code, empty if there was none.
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
    /// A caller without a token.
    ///
    /// # Errors
    /// The TLS library refuses to start.
    pub fn new(base: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token: None,
        })
    }

    /// The same address, with a token.
    #[must_use]
    pub fn signed_in(&self, token: String) -> Self {
        Self {
            token: Some(token),
            ..self.clone()
        }
    }

    /// Sends a request and gives whatever comes back; again, under the same idempotency key, as
    /// long as the core asks for that by `Retry-After`.
    ///
    /// # Errors
    /// No answer came.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply> {
        let key = clock::new_id().to_string();
        let mut attempt = 1;
        loop {
            let reply = self.send_once(&method, path, body, &key).await?;
            let Some(pause) = reply.retry_after.filter(|_| attempt < ATTEMPTS) else {
                return Ok(reply);
            };
            tokio::time::sleep(pause).await;
            attempt += 1;
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
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("{method} {path}"))?;
        Reply::of(answer)
            .await
            .with_context(|| format!("{method} {path}"))
    }

    /// Sends any bytes with any headers, once: for bad input.
    ///
    /// # Errors
    /// No answer came.
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
            // Who is refused before the body was read loses the connection.
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

    /// `GET`, read as `T`.
    ///
    /// # Errors
    /// No answer, a [`Refused`], or another shape.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(Method::GET, path, None).await?.read(path)
    }

    /// `GET`, as bytes.
    ///
    /// # Errors
    /// No answer, or another status than 200.
    pub async fn get_bytes(&self, path: &str) -> Result<Vec<u8>> {
        self.get_bytes_as(path, "*/*").await
    }

    /// `GET` in one media type, as bytes.
    ///
    /// # Errors
    /// No answer, or another status than 200.
    pub async fn get_bytes_as(&self, path: &str, media_type: &str) -> Result<Vec<u8>> {
        let mut request = self
            .http
            .get(format!("{}{path}", self.base))
            .header("accept", media_type);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }

    /// `POST`, read as `T`.
    ///
    /// # Errors
    /// No answer, a [`Refused`], or another shape.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: impl Serialize) -> Result<T> {
        let body = serde_json::to_value(body)?;
        self.send(Method::POST, path, Some(&body)).await?.read(path)
    }

    /// `PUT`, read as `T`.
    ///
    /// # Errors
    /// No answer, a [`Refused`], or another shape.
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
    /// Reads an answer to its end.
    ///
    /// # Errors
    /// It breaks off.
    pub async fn of(answer: reqwest::Response) -> Result<Self> {
        let status = answer.status();
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|seconds| seconds.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let bytes = answer.bytes().await?;
        Ok(Self {
            status,
            retry_after,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    /// Status and code, if the body is the one error body; else what it is instead.
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

    /// The correlation id of the error body, empty if there is none.
    #[must_use]
    pub fn correlation(&self) -> String {
        let id = &self.body["error"]["correlationId"];
        id.as_str().unwrap_or_default().to_owned()
    }

    /// The code of the error body, empty if there is none.
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

/// The refusal inside an error, if it is one.
#[must_use]
pub fn refusal(error: &anyhow::Error) -> Option<&Refused> {
    error.downcast_ref::<Refused>()
}
