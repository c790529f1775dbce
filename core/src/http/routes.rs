//! The table of routes. A context returns its part; the server assembles all parts into one.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::policy::{KeyRule, Policy};
use crate::app::App;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    /// Method.
    pub method: Method,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub policy: Policy,
}

/// A context's part of the table.
#[derive(Clone, Debug, Default)]
pub struct Routes(pub(super) Vec<(RouteInfo, MethodRouter<App>)>);

impl Routes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A read.
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(
            (Method::GET, MethodFilter::GET),
            path,
            policy.key_ignored(),
            handler,
        )
    }

    /// An act. `Idempotency-Key` is accepted unless the policy says more or less.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add((Method::POST, MethodFilter::POST), path, policy, handler)
    }

    /// An edit.
    #[must_use]
    pub fn put<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(
            (Method::PUT, MethodFilter::PUT),
            path,
            policy.key_ignored(),
            handler,
        )
    }

    /// A removal.
    #[must_use]
    pub fn delete<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(
            (Method::DELETE, MethodFilter::DELETE),
            path,
            policy.key_ignored(),
            handler,
        )
    }

    /// The rows.
    pub fn table(&self) -> impl Iterator<Item = &RouteInfo> {
        self.0.iter().map(|(info, _)| info)
    }

    fn add<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        policy: Policy,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        debug_assert!(
            policy.key != KeyRule::Required || policy.wants_token(),
            "{path}: an idempotency key belongs to a caller"
        );
        self.0.push((
            RouteInfo {
                method,
                path,
                policy,
            },
            on(filter, handler),
        ));
        self
    }
}
