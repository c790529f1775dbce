//! What a `Location` header has to name, whoever gets one: a path that some `GET` of the product answers.

use std::sync::LazyLock;

use reqwest::Method;

use super::{Answer, made, product};

/// Creates what no `GET` shows to its caller: an order's tickets, each of which has a path of its own.
const UNNAMED: [&str; 1] = ["/tickets/issue"];

/// Methods and paths of the product's routes.
static ROUTES: LazyLock<Vec<(Method, &str)>> = LazyLock::new(|| {
    let contexts = made(product);
    let routes = contexts.iter().flat_map(|it| it.routes.table());
    routes.map(|it| (it.method.clone(), it.path)).collect()
});

/// The test fails when something was created and nobody is told where, or where nothing answers.
#[track_caller]
pub fn assert_answered(path: &str, answer: &Answer) {
    let location = answer.header("location");
    let is_ours = is_routed(&Method::POST, path) && !UNNAMED.contains(&path);
    if answer.status == 201 && is_ours {
        assert!(!location.is_empty(), "POST {path} has no Location");
    }
    if !location.is_empty() {
        let is_read = is_routed(&Method::GET, location);
        assert!(is_read, "POST {path}: no GET answers {location}");
    }
}

fn is_routed(method: &Method, path: &str) -> bool {
    let mut routes = ROUTES.iter();
    routes.any(|(of, pattern)| of == method && is_of(pattern, path))
}

/// Whether a path is one of a route: `/orders/0198…` of `/orders/{order_id}`.
fn is_of(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    let same = |(part, given): (&&str, &&str)| part.starts_with('{') || part == given;
    pattern.len() == path.len() && pattern.iter().zip(&path).all(same)
}
