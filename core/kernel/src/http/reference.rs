//! The reference of the API: what each route takes, for readers (`eventify-core routes --fields`) and for programs
//! (`--openapi`, `GET /openapi.json`). From the types that read the requests; what is answered is not described.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::response::Response;
use eventify_protocol::error::ErrorBody;
use serde_json::{Map, Value, json};

use super::listing::who;
use super::policy::{Access, KeyRule};
use super::reads::Part;
use super::shape::{Field, Shape, schema_of};
use super::{Answer, ApiError, Conditional, Policy, Representation, RouteInfo, Routes};
use crate::app::AppWith;

/// The document, written and compressed at its first reading.
#[derive(Debug, Default)]
pub struct Reference {
    document: Value,
    written: OnceLock<Representation>,
}

impl Reference {
    /// Of this document.
    #[must_use]
    pub fn of(document: Value) -> Arc<Self> {
        let written = OnceLock::new();
        Arc::new(Self { document, written })
    }

    fn written(&self) -> Result<&Representation, ApiError> {
        if let Some(written) = self.written.get() {
            return Ok(written);
        }
        let written = Representation::json(&self.document).map_err(ApiError::internal)?;
        Ok(self.written.get_or_init(|| written))
    }
}

/// `GET /openapi.json`: anybody may read it.
#[must_use]
pub fn reference_route(reference: &Arc<Reference>) -> Routes {
    Routes::new()
        .get("/openapi.json", Policy::public(), show)
        .capture(reference)
}

async fn show(State(app): State<AppWith<Reference>>, to: Conditional) -> Answer<Response> {
    Ok(app.state.written()?.answer(&to))
}

/// Each route with the fields of its query and body, one a line.
#[must_use]
pub fn fields<'a>(routes: impl IntoIterator<Item = &'a RouteInfo>) -> String {
    let mut text = String::new();
    for route in sorted(routes) {
        let _never_fails = writeln!(text, "{} {}", route.method, route.path);
        let parts = [("query", route.reads.query), ("body", route.reads.body)];
        for (place, part) in parts {
            for field in part.map(fields_of).unwrap_or_default() {
                let _never_fails = writeln!(text, "    {place}  {}", line(&field));
            }
        }
        if route.reads.if_match {
            text += "    header  If-Match: the ETag of what was read, required\n";
        }
    }
    text
}

fn line(field: &Field) -> String {
    let Field {
        name,
        required,
        allowed,
        meaning,
    } = field;
    let required = if *required { ", required" } else { "" };
    let meaning = meaning
        .as_ref()
        .map_or_else(String::new, |it| format!(" ({it})"));
    format!("{name}: {allowed}{required}{meaning}")
}

fn fields_of(part: Part) -> Vec<Field> {
    Shape::of(&(part.schema)()).fields()
}

fn sorted<'a>(routes: impl IntoIterator<Item = &'a RouteInfo>) -> Vec<&'a RouteInfo> {
    let mut routes: Vec<_> = routes.into_iter().collect();
    routes.sort_by_key(|route| (route.path, route.method.to_string()));
    routes
}

/// An OpenAPI 3.1 document.
#[must_use]
pub fn open_api<'a>(routes: impl IntoIterator<Item = &'a RouteInfo>, version: &str) -> Value {
    let mut paths = Map::new();
    for route in sorted(routes) {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Eventify", "version": version },
        "paths": paths,
        "components": {
            "schemas": { "Error": *schema_of::<ErrorBody>() },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &RouteInfo) -> Value {
    let policy = &route.policy;
    let error = json!({ "$ref": "#/components/schemas/Error" });
    let mut operation = json!({
        "operationId": operation_id(route),
        "description": format!("Who: {}.", who(policy)),
        "parameters": parameters(route),
        "responses": {
            "2XX": { "description": "Done." },
            "default": {
                "description": "Refused, or not possible now.",
                "content": { "application/json": { "schema": error } },
            },
        },
    });
    if matches!(policy.access, Access::SignedIn | Access::Roles(_)) {
        operation["security"] = json!([{ "token": policy.scopes }]);
    }
    if let Some(body) = route.reads.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": *(body.schema)() } },
        });
    }
    operation
}

fn operation_id(route: &RouteInfo) -> String {
    let words = route
        .path
        .split(|it: char| !it.is_ascii_alphanumeric())
        .filter(|it| !it.is_empty());
    let mut id = route.method.as_str().to_ascii_lowercase();
    for word in words {
        let mut letters = word.chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.extend(letters);
    }
    id
}

fn parameters(route: &RouteInfo) -> Vec<Value> {
    let text = json!({ "type": "string" });
    let of_path = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<_> = of_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }))
        .collect();
    if let Some(query) = route.reads.query {
        let schema = (query.schema)();
        let fields = Shape::of(&schema).fields().into_iter();
        parameters.extend(fields.map(|field| {
            json!({ "name": field.name, "in": "query", "required": field.required,
                    "schema": schema["properties"][&field.name] })
        }));
    }
    let mut header = |name: &str, required: bool| {
        parameters
            .push(json!({ "name": name, "in": "header", "required": required, "schema": text }));
    };
    if route.policy.key != KeyRule::Ignored {
        header("Idempotency-Key", route.policy.key == KeyRule::Required);
    }
    if route.reads.if_match {
        header("If-Match", true);
    }
    parameters
}
