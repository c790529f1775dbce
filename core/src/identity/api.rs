//! What the rest of the core asks of identity.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use uuid::Uuid;

use super::model::User;
use super::{NAME, store};
use crate::app::App;
use crate::auth::{Principal, VerifiedClaims};
use crate::db::DbResult;

/// Mappings kept in memory; they never change, so the cache is never wrong.
const MAX_CACHED_USERS: usize = 100_000;

/// (`iss`, `sub`) → internal id, as far as this process has seen them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct KnownUsers(Arc<RwLock<HashMap<(String, String), Uuid>>>);

impl KnownUsers {
    fn get(&self, key: &(String, String)) -> Option<Uuid> {
        self.0.read().ok()?.get(key).copied()
    }

    fn put(&self, key: (String, String), user_id: Uuid) {
        if let Ok(mut known) = self.0.write() {
            if known.len() >= MAX_CACHED_USERS {
                known.clear();
            }
            known.insert(key, user_id);
        }
    }
}

/// The caller that a verified token stands for; a new one is entered.
///
/// # Errors
/// The database doesn't answer.
pub async fn principal(app: &App, claims: VerifiedClaims) -> DbResult<Principal> {
    let key = (claims.iss, claims.sub);
    let user_id = match app.known_users.get(&key) {
        Some(user_id) => user_id,
        None => {
            let user_id = find_or_add(app, &key.0, &key.1).await?;
            app.known_users.put(key.clone(), user_id);
            user_id
        }
    };
    Ok(Principal {
        user_id,
        iss: key.0,
        sub: key.1,
        roles: claims.roles,
        scopes: claims.scopes,
        org_id: claims.org_id,
        client_id: claims.client_id,
        jti: claims.jti,
    })
}

async fn find_or_add(app: &App, iss: &str, sub: &str) -> DbResult<Uuid> {
    let mut conn = app.db.read(NAME).await?;
    if let Some(user) = store::find(&mut conn, iss, sub).await? {
        return Ok(user.user_id);
    }
    let user = User {
        user_id: app.clock.new_id(),
        first_seen_at: app.clock.now(),
    };
    store::add(&mut conn, &user, iss, sub).await
}
