//! The table of routes. A context returns its part; the server assembles all parts into one.

use std::fmt;
use std::sync::Arc;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::policy::{KeyRule, Policy};
use super::reads::{Arguments, Reads};
use crate::app::{App, AppWith};

/// One row of the table.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    pub method: Method,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub policy: Policy,
    /// Its query and body.
    pub reads: Reads,
}

type Bind<A> = Box<dyn FnOnce(A) -> MethodRouter + Send + Sync>;

/// A context's part of the table. `A` is what its handlers take as `State`: [`App`], or an
/// [`AppWith`] until [`Routes::capture`].
pub struct Routes<A = App>(pub(super) Vec<(RouteInfo, Bind<A>)>);

impl<A> Default for Routes<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A> fmt::Debug for Routes<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.table()).finish()
    }
}

impl<A> Routes<A> {
    /// The rows.
    pub fn table(&self) -> impl Iterator<Item = &RouteInfo> {
        self.0.iter().map(|(info, _)| info)
    }
}

impl<A: Clone + Send + Sync + 'static> Routes<A> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These, and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// A read.
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, A> + Sync,
        T: Arguments + 'static,
    {
        let method = (Method::GET, MethodFilter::GET);
        self.insert(method, path, policy.key_ignored(), handler)
    }

    /// An act. `Idempotency-Key` is accepted unless the policy requires or ignores it.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, A> + Sync,
        T: Arguments + 'static,
    {
        self.insert((Method::POST, MethodFilter::POST), path, policy, handler)
    }

    /// An edit.
    #[must_use]
    pub fn put<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, A> + Sync,
        T: Arguments + 'static,
    {
        let method = (Method::PUT, MethodFilter::PUT);
        self.insert(method, path, policy.key_ignored(), handler)
    }

    /// An edit of the fields that are given.
    #[must_use]
    pub fn patch<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, A> + Sync,
        T: Arguments + 'static,
    {
        let method = (Method::PATCH, MethodFilter::PATCH);
        self.insert(method, path, policy.key_ignored(), handler)
    }

    /// A removal.
    #[must_use]
    pub fn delete<H, T>(self, path: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, A> + Sync,
        T: Arguments + 'static,
    {
        let method = (Method::DELETE, MethodFilter::DELETE);
        self.insert(method, path, policy.key_ignored(), handler)
    }

    fn insert<H, T>(
        mut self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        policy: Policy,
        handler: H,
    ) -> Self
    where
        H: Handler<T, A> + Sync,
        T: Arguments + 'static,
    {
        let reads = T::reads();
        debug_assert_eq!(
            policy.query,
            reads.query.is_some(),
            "{path}: `Policy::query` goes with a handler that takes a query"
        );
        debug_assert!(
            policy.key != KeyRule::Required || policy.wants_token(),
            "{path}: an idempotency key belongs to a caller"
        );
        let info = RouteInfo {
            method,
            path,
            policy,
            reads,
        };
        let bind = move |app: A| on(filter, handler).with_state(app);
        self.0.push((info, Box::new(bind)));
        self
    }
}

impl<S: Send + Sync + 'static> Routes<AppWith<S>> {
    /// The handlers are called with this state.
    #[must_use]
    pub fn capture(self, state: &Arc<S>) -> Routes {
        let rows = self.0.into_iter().map(|(info, bind)| {
            let state = Arc::clone(state);
            let bind: Bind<App> = Box::new(move |app: App| bind(app.with(&state)));
            (info, bind)
        });
        Routes(rows.collect())
    }
}
