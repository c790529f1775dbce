//! The device flow of the test's identity provider (RFC 8628): a sign-in ends as the test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Form, Json, Router};
use serde_json::{Value, json};

/// What the provider says of a sign-in.
#[derive(Clone, Debug)]
pub enum DeviceAnswer {
    Pending,
    SlowDown,
    Denied,
    Expired,
    /// Any other error.
    Broken,
    /// Somebody has signed in: their token.
    Granted(String),
}

/// The sign-ins, by the code that people type.
#[derive(Clone, Debug, Default)]
pub struct DeviceSignIns {
    all: Arc<Mutex<BTreeMap<String, DeviceAnswer>>>,
    is_off: Arc<AtomicBool>,
}

/// Text that is no other field's, to look for in log lines and answers.
const DEVICE_CODE: &str = "only-the-core-knows-";

impl DeviceSignIns {
    /// What is said of it from now on.
    pub fn end(&self, user_code: &str, answer: DeviceAnswer) {
        let mut all = self.all.lock().expect("no test panics with it");
        all.insert(user_code.to_owned(), answer);
    }

    /// The client may not use it.
    pub fn switch_off(&self) {
        self.is_off.store(true, Ordering::Relaxed);
    }

    pub(super) fn router(&self) -> Router {
        let (begun, asked) = (self.clone(), self.clone());
        Router::new()
            .route(
                "/device",
                post(async move |Form(form): Form<BTreeMap<String, String>>| begun.begin(&form)),
            )
            .route(
                "/token",
                post(async move |Form(form): Form<BTreeMap<String, String>>| asked.token(&form)),
            )
    }

    fn begin(&self, form: &BTreeMap<String, String>) -> (StatusCode, Json<Value>) {
        let is_client = form.get("client_id").map(String::as_str) == Some("gates");
        if !is_client || self.is_off.load(Ordering::Relaxed) {
            let error = json!({"error": "unauthorized_client"});
            return (StatusCode::BAD_REQUEST, Json(error));
        }
        let mut all = self.all.lock().expect("no test panics with it");
        let user_code = format!("CODE-{}", all.len());
        all.insert(user_code.clone(), DeviceAnswer::Pending);
        let begun = json!({
            "device_code": format!("{DEVICE_CODE}{user_code}"),
            "user_code": user_code,
            "verification_uri": "https://id.example/device",
            "verification_uri_complete": format!("https://id.example/device?user_code={user_code}"),
            "expires_in": 600,
            "interval": 1,
        });
        (StatusCode::OK, Json(begun))
    }

    fn token(&self, form: &BTreeMap<String, String>) -> (StatusCode, Json<Value>) {
        let code = form
            .get("device_code")
            .and_then(|it| it.strip_prefix(DEVICE_CODE));
        let all = self.all.lock().expect("no test panics with it");
        let answer = code.and_then(|code| all.get(code)).cloned();
        let error = match answer.unwrap_or(DeviceAnswer::Broken) {
            DeviceAnswer::Pending => "authorization_pending",
            DeviceAnswer::SlowDown => "slow_down",
            DeviceAnswer::Denied => "access_denied",
            DeviceAnswer::Expired => "expired_token",
            DeviceAnswer::Broken => "invalid_grant",
            DeviceAnswer::Granted(token) => {
                let granted = json!({"access_token": token, "token_type": "Bearer"});
                return (StatusCode::OK, Json(granted));
            }
        };
        (StatusCode::BAD_REQUEST, Json(json!({ "error": error })))
    }
}
