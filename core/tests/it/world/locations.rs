//! What a `Location` header has to name, whoever gets one: a path that some `GET` of the product answers.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use reqwest::Method;

use super::{Answer, made, product};

/// Creates what no `GET` shows to its caller: an order's tickets, each of which has a path of its own.
const UNNAMED: [&str; 1] = ["/tickets/issue"];

/// What changes something that is there, or nothing, and is answered with 200 or 204.
const ACTS: [&str; 25] = [
    "/events/{eventId}/archive",
    "/events/{eventId}/cancel",
    "/events/{eventId}/performances/{performanceId}/cancel",
    "/events/{eventId}/publish",
    "/fleet/alarms/{alarmId}/acknowledge",
    "/fleet/nodes/{nodeId}/journal/accept",
    "/fleet/nodes/{nodeId}/journal/import",
    "/fleet/nodes/{nodeId}/renewal",
    "/fleet/nodes/{nodeId}/revoke",
    "/fleet/venues/{venueId}/performances/decline",
    "/fleet/venues/{venueId}/performances/{performanceId}/confirm",
    "/fleet/venues/{venueId}/performances/{performanceId}/decline",
    "/inventory/holds/{holdId}/release",
    "/inventory/performances/{performanceId}/capacity",
    "/inventory/performances/{performanceId}/kept-back/{ticketId}/release",
    "/payments/open-items/{item_id}/accept",
    "/payments/open-items/{item_id}/pay-otherwise",
    "/payments/open-items/{item_id}/retry",
    "/payments/open-items/{item_id}/revoke",
    "/payments/{payment_id}/capture",
    "/reservations/{reservation_id}/confirm",
    "/tickets/{ticket_id}/check-in",
    "/tickets/{ticket_id}/reissue",
    "/tickets/{ticket_id}/revoke",
    "/webhooks/psp",
];

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
    let route = pattern_of(path).filter(|it| !UNNAMED.contains(it));
    if let (201 | 202, Some(route)) = (answer.status, route) {
        assert!(!location.is_empty(), "POST {path} has no Location");
        assert!(
            !ACTS.contains(&route),
            "{route} creates something: see where it is followed"
        );
    }
    if !location.is_empty() {
        let is_read = is_routed(&Method::GET, location);
        assert!(is_read, "POST {path}: no GET answers {location}");
    }
}

/// The route of a `POST`.
pub fn pattern_of(path: &str) -> Option<&'static str> {
    let mut posts = ROUTES.iter().filter(|(of, _)| *of == Method::POST);
    let exact = ROUTES
        .iter()
        .find(|(of, pattern)| *of == Method::POST && *pattern == path);
    let found = exact.or_else(|| posts.find(|(_, pattern)| is_of(pattern, path)));
    found.map(|(_, pattern)| *pattern)
}

/// All of them that are said to create something.
pub fn creating() -> BTreeSet<&'static str> {
    let posts = ROUTES.iter().filter(|(of, _)| *of == Method::POST);
    let posts = posts.map(|(_, pattern)| *pattern);
    posts
        .filter(|it| !ACTS.contains(it) && !UNNAMED.contains(it))
        .collect()
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
