//! From a verified token to the internal ids.

pub(crate) mod issuers;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use eventify_kernel::auth::{KnowsUsers, ResolveUser};
use eventify_kernel::db::{DbError, DbResult};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::model::{Issuers, User};
use super::{App, NAME, State, store};

/// Ids kept in memory. An id never changes, so the cache is never wrong.
const MAX_CACHED_USERS: usize = 100_000;

/// (`iss`, `sub`) → internal id, of the users that this process has met.
#[derive(Debug, Default)]
pub(crate) struct KnownUsers(RwLock<HashMap<(String, String), Uuid>>);

impl KnownUsers {
    fn get(&self, key: &(String, String)) -> Option<Uuid> {
        self.0.read().ok()?.get(key).copied()
    }

    fn insert(&self, key: (String, String), user_id: Uuid) {
        if let Ok(mut known) = self.0.write() {
            if known.len() >= MAX_CACHED_USERS {
                known.clear();
            }
            known.insert(key, user_id);
        }
    }
}

/// What the kernel calls for each verified token.
pub(super) fn resolve_user(state: &Arc<State>) -> ResolveUser {
    ResolveUser::new(Resolver(Arc::clone(state)))
}

struct Resolver(Arc<State>);

impl KnowsUsers for Resolver {
    fn user_id<'a>(
        &'a self,
        app: &'a eventify_kernel::app::App,
        iss: &'a str,
        sub: &'a str,
    ) -> BoxFuture<'a, DbResult<Uuid>> {
        let app = app.with(&self.0);
        async move {
            let key = (iss.to_owned(), sub.to_owned());
            if let Some(user_id) = app.state.known_users.get(&key) {
                return Ok(user_id);
            }
            let user_id = find_or_insert(&app, iss, sub).await?;
            app.state.known_users.insert(key, user_id);
            Ok(user_id)
        }
        .boxed()
    }

    fn org_id<'a>(
        &'a self,
        app: &'a eventify_kernel::app::App,
        iss: &'a str,
        org: &'a str,
    ) -> BoxFuture<'a, DbResult<String>> {
        let app = app.with(&self.0);
        async move {
            let id = issuers::trusted(&app).await?.org_id(iss, org);
            id.ok_or_else(|| unknown(iss))
        }
        .boxed()
    }
}

async fn find_or_insert(app: &App, iss: &str, sub: &str) -> DbResult<Uuid> {
    let issuers: &Issuers = issuers::trusted(app).await?;
    let line = issuers.line_of(iss);
    let line: Vec<_> = line.into_iter().map(|it| it.iss.as_str()).collect();
    let origin = line.first().ok_or_else(|| unknown(iss))?;
    let mut conn = app.db.read(NAME).await?;
    if let Some(user_id) = store::find(&mut conn, &line, sub).await? {
        return Ok(user_id);
    }
    let user = User {
        user_id: app.clock.new_id(),
        first_seen_at: app.clock.now(),
    };
    store::insert(&mut conn, &user, origin, sub).await
}

/// All that are trusted are written down before the first of their tokens is looked at.
fn unknown(iss: &str) -> DbError {
    DbError::impossible_row(format!("the issuer {iss} is not written down"))
}
