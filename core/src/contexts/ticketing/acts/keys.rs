//! Which key set is in force.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::KeysChanged;
use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_kernel::keys::{KeyRing, revived};
use eventify_protocol::keys::{KeyId, KeySet};
use serde_json::json;
use uuid::Uuid;

use super::Error;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{self, Reminder};
use crate::contexts::ticketing::{NAME, store};

/// The key set is one aggregate for the whole system.
const KEY_SET_ID: Uuid = Uuid::from_u128(0x0193_5c1e_0000_7000_8000_6b65_7973_6574);

/// The alarm that stands until the next ticket key is there.
const NEXT_KEY_DUE: &str = "ticketing.next_key_due";
const TICKET_KEY: &str = "ticket key";
/// Of the withdrawn key that a process would have had live again.
const KEY_SET_REFUSED: &str = "ticketing.key_set_refused";
const KEY_SET_REFUSED_ACT: &str = "a process has started with a key directory in which a withdrawn key is still good, \
    as after a restored copy: its key set was refused, and the one in force stays. Give it the key directory that \
    has the withdrawal, and restart it";

/// Puts this process's key set in force if it is newer than the one that is, and notifies the
/// venues. A set that would revive a withdrawn key is refused; the one in force stays.
pub(crate) async fn publish(app: &App, cause: &Cause) -> Result<(), Error> {
    let ring = app.keys.ring()?;
    let mut tx = app.db.begin(NAME, cause).await?;
    store::lock_key_sets(&mut tx).await?;
    let stored = find_verified(&mut tx, ring).await?;
    let version = ring.set.version();
    if let Some(stored) = &stored
        && let Some(kid) = revived(stored, &ring.set)
    {
        refuse(&mut tx, &kid, version, app.clock.now()).await?;
        tx.commit().await?;
        app.keys.put_in_force(stored.clone());
        return Ok(());
    }
    if let Some(stored) = stored.filter(|stored| !ring.set.supersedes(Some(stored))) {
        app.keys.put_in_force(stored);
        return Ok(());
    }
    store::insert_key_set(&mut tx, version, &ring.signed, app.clock.now()).await?;
    let event = KeysChanged {
        key_set_id: KEY_SET_ID,
        version,
        signed: URL_SAFE_NO_PAD.encode(ring.signed.as_bytes()),
    };
    let counter = i32::try_from(version).map_err(DbError::impossible_row)?;
    tx.publish(app.clock.new_id(), counter, &event);
    tx.commit().await?;
    app.keys.put_in_force(ring.set.clone());
    tracing::info!(
        code = "ticketing.key_set_in_force",
        version,
        "a new key set is in force"
    );
    Ok(())
}

/// This process goes on with the keys in force, and somebody has to look at its own.
async fn refuse(
    conn: &mut PgConnection,
    kid: &KeyId,
    version: u64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    tracing::error!(code = "ticketing.key_set_refused", %kid, version,
        "the key set was refused: it revives a withdrawn key");
    let alarm = Alarm {
        momentary: true,
        ..Alarm::new(KEY_SET_REFUSED, kid.to_string(), KEY_SET_REFUSED_ACT)
    };
    alarms::raise(conn, &alarm.with(json!({ "version": version })), now).await
}

/// The set in force as this process knows it; read again when the database has another version.
pub(crate) async fn in_force(app: &App, conn: &mut PgConnection) -> Result<Arc<KeySet>, Error> {
    if let Some(set) = find_verified(conn, app.keys.ring()?).await? {
        app.keys.put_in_force(set);
    }
    Ok(app.keys.in_force()?)
}

async fn find_verified(conn: &mut PgConnection, ring: &KeyRing) -> DbResult<Option<KeySet>> {
    let signed = store::find_key_set(conn).await?;
    let set = signed.map(|signed| signed.verify(&ring.root));
    set.transpose().map_err(DbError::impossible_row)
}

/// Raises an alarm while the next ticket key is due.
pub(crate) async fn watch(app: &App) -> DbResult<()> {
    let Ok(ring) = app.keys.ring() else {
        return Ok(());
    };
    let mut conn = app.db.read(NAME).await?;
    let programme_until = store::find_end_of_programme(&mut conn).await?;
    let key = ring.tickets.entry();
    let now = app.clock.now();
    if let Some(Reminder {
        ends_at,
        programme_until,
    }) = model::remind(&key, programme_until, now)
    {
        tracing::warn!(
            code = "ticketing.next_key_due",
            %ends_at,
            programme_until = ?programme_until,
            "the ticket key ends soon: nothing later can be scheduled or sold"
        );
        let alarm = Alarm::new(
            NEXT_KEY_DUE,
            TICKET_KEY,
            "make the next ticket key with `eventify-core keys renew`, and restart the core's \
                  processes with it",
        )
        .with(json!({ "endsAt": ends_at, "programmeUntil": programme_until }));
        alarms::raise(&mut conn, &alarm, now).await
    } else {
        alarms::clear(&mut conn, NEXT_KEY_DUE, TICKET_KEY, now).await
    }
}
