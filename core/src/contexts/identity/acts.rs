//! From a verified token to the internal user id.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use eventify_kernel::auth::ResolveUser;
use eventify_kernel::db::DbResult;
use uuid::Uuid;

use super::model::User;
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

/// What the kernel calls for each verified token; a new user is inserted.
pub(super) fn resolve_user(state: &Arc<State>) -> ResolveUser {
    let state = Arc::clone(state);
    ResolveUser::new(move |app, iss, sub| {
        let app = app.with(&state);
        Box::pin(async move {
            let key = (iss.to_owned(), sub.to_owned());
            if let Some(user_id) = app.state.known_users.get(&key) {
                return Ok(user_id);
            }
            let user_id = find_or_insert(&app, iss, sub).await?;
            app.state.known_users.insert(key, user_id);
            Ok(user_id)
        })
    })
}

async fn find_or_insert(app: &App, iss: &str, sub: &str) -> DbResult<Uuid> {
    let mut conn = app.db.read(NAME).await?;
    if let Some(user) = store::find(&mut conn, iss, sub).await? {
        return Ok(user.user_id);
    }
    let user = User {
        user_id: app.clock.new_id(),
        first_seen_at: app.clock.now(),
    };
    store::insert(&mut conn, &user, iss, sub).await
}
