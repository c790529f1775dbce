//! What a user does: requests with their token.

use eventify_protocol::error::{ErrorBody, ErrorDetail};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::TestApp;

/// A user and what their token says.
#[derive(Clone, Debug)]
pub struct User<'core> {
    core: &'core TestApp,
    name: Option<String>,
    claims: Value,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// JSON body; null when there is none.
    pub body: Value,
}

impl Answer {
    /// The error body's code, empty for a success.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The test fails with the body unless it is this refusal.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        let refusal = (self.status, self.code());
        assert_eq!(refusal, (status, code), "{}", self.body);
    }

    /// The typed body of an answer with this status.
    #[track_caller]
    pub fn read<T: DeserializeOwned>(self, status: u16) -> T {
        let mut body = self.expect(status);
        let text = body.to_string();
        drop_local_times(&mut body);
        serde_json::from_value(body).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// The error that it is.
    #[track_caller]
    pub fn error(self) -> ErrorDetail {
        let status = self.status;
        self.read::<ErrorBody>(status).error
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body of an answer with this status; the test fails with the body otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

/// The same instants as beside them: `time_zones` reads those.
fn drop_local_times(of: &mut Value) {
    match of {
        Value::Array(items) => items.iter_mut().for_each(drop_local_times),
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("Local"));
            fields.values_mut().for_each(drop_local_times);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl<'core> User<'core> {
    pub(super) fn new(core: &'core TestApp, name: &str) -> Self {
        Self {
            core,
            name: Some(name.to_owned()),
            claims: json!({}),
        }
    }

    pub(super) fn anonymous(core: &'core TestApp) -> Self {
        Self {
            core,
            name: None,
            claims: json!({}),
        }
    }

    /// Adds a role.
    pub fn role(mut self, role: &str) -> Self {
        let mut roles = self.claims["realm_access"]["roles"].take();
        match roles.as_array_mut() {
            Some(list) => list.push(json!(role)),
            None => roles = json!([role]),
        }
        self.claims["realm_access"] = json!({ "roles": roles });
        self
    }

    /// Adds a scope.
    pub fn scope(mut self, scope: &str) -> Self {
        let scopes = self.claims["scope"].as_str().unwrap_or_default();
        self.claims["scope"] = json!(format!("{scopes} {scope}").trim());
        self
    }

    /// Sets any claim.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// Their token, as of now.
    pub fn token(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        Some(self.core.issuer.token(name, &self.claims_object()))
    }

    /// Our internal id for them.
    pub async fn id(&self) -> uuid::Uuid {
        let me = self.get("/me").await.expect(200);
        serde_json::from_value(me["userId"].clone()).expect("an id")
    }

    /// Any request, with their token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .core
            .http
            .request(method, format!("{}{path}", self.core.url()));
        match self.token() {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// `POST` with a fresh idempotency key.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let key = self.core.clock.new_id().to_string();
        self.post_with_key(path, &key, body).await
    }

    /// `POST` with this idempotency key.
    pub async fn post_with_key(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path);
        let answer = send(request.header("Idempotency-Key", key).json(&body)).await;
        super::locations::assert_answered(path, &answer);
        answer
    }

    /// `PUT`
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// Indexing for a missing claim leaves nulls behind; a token has none.
    fn claims_object(&self) -> Value {
        let claims = self.claims.as_object().expect("claims are an object");
        claims
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }
}

/// Sends a request that was built by hand.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the core answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer {
        status,
        headers,
        body,
    }
}
