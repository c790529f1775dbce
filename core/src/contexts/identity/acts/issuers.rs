//! Issuers as they are written down, and those that are gone.

use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use serde_json::json;

use crate::contexts::identity::model::{Declared, Issuer, Issuers};
use crate::contexts::identity::{App, NAME, store};

const VANISHED: &str = "auth.issuer_vanished";
const VANISHED_ACT: &str = "auth.issuers has this issuer no more, and nobody whom it signed in can sign in: what \
    they own is out of reach. If the identity provider has a new address, name the old one there as `succeeds` \
    of the new one, best before people sign in with it; if only its spelling differs (a slash at its end, \
    http), restore that. If it is gone for good, acknowledge this";

/// Those that this process trusts, with all that came before them. Written down once a process.
pub(crate) async fn trusted(app: &App) -> DbResult<&Issuers> {
    let write = async || {
        let mut tx = app.db.begin(NAME, &Cause::fresh(&app.clock)).await?;
        let issuers = declare(app, &mut tx).await?;
        tx.commit().await?;
        Ok(issuers)
    };
    app.state.issuers.get_or_try_init(write).await
}

async fn declare(app: &App, tx: &mut Tx) -> DbResult<Issuers> {
    let mut issuers = store::lock_issuers(tx).await?;
    for trusted in &app.config.auth.issuers {
        if issuers.find(&trusted.issuer).is_none() {
            let new = issuers.make(&trusted.issuer, app.clock.new_id(), app.clock.now());
            store::save_issuer(tx, &new).await?;
            issuers.insert(new);
        }
    }
    for trusted in &app.config.auth.issuers {
        let (issuer, Some(succeeds)) = (&trusted.issuer, &trusted.succeeds) else {
            continue;
        };
        match issuers.declare(issuer, succeeds) {
            Declared::Known => {}
            Declared::New(row) => {
                store::save_issuer(tx, &row).await?;
                issuers.insert(row);
                tracing::info!(
                    code = "auth.issuer_succeeds",
                    issuer,
                    succeeds,
                    "from now on an issuer's users and organisations are those of another"
                );
            }
            Declared::OfNobody => tracing::warn!(
                code = "auth.successor_of_nobody",
                issuer,
                succeeds,
                "an issuer is said to succeed one that was never trusted here; nothing is joined"
            ),
            Declared::Otherwise(written) => tracing::warn!(
                code = "auth.successor_of_another",
                issuer,
                succeeds,
                written,
                "an issuer is said to succeed another one than is written down, which stays"
            ),
        }
    }
    Ok(issuers)
}

/// Raises an alarm for each issuer that is gone, and ends it for one that is there again.
pub(crate) async fn watch(app: &App, cause: &Cause) -> DbResult<()> {
    trusted(app).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let issuers = store::lock_issuers(&mut tx).await?;
    let is_trusted = |iss: &str| app.auth.issuers().any(|it| it == iss);
    let vanished = issuers.list_vanished(is_trusted);
    for issuer in &vanished {
        let line = issuers.line_of(&issuer.iss);
        let line: Vec<_> = line.into_iter().map(|it| it.iss.as_str()).collect();
        if issuer.vanished_at.is_none() && store::has_users(&mut tx, &line).await? {
            // What is gone for good is acknowledged, so this is said once.
            let alarm = Alarm::new(VANISHED, issuer.iss.as_str(), VANISHED_ACT);
            let alarm = Alarm {
                momentary: true,
                ..alarm.with(json!({ "issuer": issuer.iss }))
            };
            alarms::raise(&mut tx, &alarm, now).await?;
            let noted = Issuer {
                vanished_at: Some(now),
                ..(*issuer).clone()
            };
            store::save_issuer(&mut tx, &noted).await?;
        }
    }
    for issuer in issuers.list_noted().filter(|it| !vanished.contains(it)) {
        alarms::clear(&mut tx, VANISHED, &issuer.iss, now).await?;
        let back = Issuer {
            vanished_at: None,
            ..issuer.clone()
        };
        store::save_issuer(&mut tx, &back).await?;
    }
    tx.commit().await
}
