//! Sign-ins of staff at a scanner with the identity provider (RFC 8628). The process that a node's message
//! reaches asks the provider until the sign-in ends; what it has come to is a row, so that every process can
//! answer the node. If that process is gone, the sign-in is over soon: whoever stands there begins again.

use std::sync::Arc;

use chrono::TimeDelta;
use eventify_kernel::auth::{DeviceFlow, DeviceFlowError, DeviceSignIn, DeviceToken};
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{ScannerId, SignInId};
use eventify_protocol::sync::{Down, SignInProgress, StaffAnswer, StaffAsk};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use super::messages;
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::model::sign_ins::{
    ASKED_WITHIN, MAX_BEGUN_A_MINUTE, MAX_OPEN_OF_NODE, State,
};
use crate::contexts::fleet::store::{sign_ins, staff};
use crate::contexts::fleet::{App, NAME};

/// Answers a node about a sign-in.
pub(crate) async fn answer(app: &App, node: &Node, ask: &StaffAsk) -> DbResult<()> {
    match ask {
        StaffAsk::Begin { sign_in, scanner } => begin(app, node, *sign_in, *scanner).await,
        StaffAsk::State { sign_in } => {
            let progress = stored(app, node, *sign_in).await?;
            // One that was never begun here is of another database, or long over.
            let progress = progress.unwrap_or(Some(SignInProgress::Expired));
            send(app, node, *sign_in, progress).await;
            Ok(())
        }
    }
}

async fn begin(app: &App, node: &Node, id: SignInId, scanner: ScannerId) -> DbResult<()> {
    if let Some(progress) = stored(app, node, id).await? {
        send(app, node, id, progress).await;
        return Ok(());
    }
    let Some(flow) = app.auth.device_flow() else {
        tracing::warn!(
            code = "fleet.sign_in_not_configured",
            "no issuer of auth.issuers has a device_client: staff can't sign in at scanners"
        );
        send(app, node, id, Some(SignInProgress::Unavailable)).await;
        return Ok(());
    };
    let permit = Arc::clone(app.state.sign_ins()).try_acquire_owned();
    let (Ok(permit), true) = (permit, reserve(app, node, id, scanner).await?) else {
        send(app, node, id, Some(SignInProgress::TooMany)).await;
        return Ok(());
    };
    // The provider may take its time, and other messages of nodes wait behind this one.
    let (app, flow) = (app.clone(), flow.clone());
    let (node, whose) = (node.clone(), id);
    tokio::spawn(async move {
        if let Err(error) = run(&app, &node, whose, &flow, permit).await {
            tracing::warn!(
                code = "fleet.sign_in_broken",
                node_id = %node.node_id,
                sign_in_id = %whose,
                %error,
                "a sign-in of staff could not be followed to its end; they begin again"
            );
        }
    });
    Ok(())
}

/// What is known of one of the node's; inside, nothing yet.
async fn stored(app: &App, node: &Node, id: SignInId) -> DbResult<Option<Option<SignInProgress>>> {
    let mut conn = app.db.read(NAME).await?;
    let found = sign_ins::find(&mut conn, id, node.node_id).await?;
    Ok(found.map(|sign_in| sign_in.progress(app.clock.now())))
}

/// Whether the node may have one more.
async fn reserve(app: &App, node: &Node, id: SignInId, scanner: ScannerId) -> DbResult<bool> {
    let now = app.clock.now();
    let mut conn = app.db.read(NAME).await?;
    let since = (now - ASKED_WITHIN, now - TimeDelta::minutes(1));
    let (open, begun) = sign_ins::count(&mut conn, node.node_id, since).await?;
    if open >= MAX_OPEN_OF_NODE || begun >= MAX_BEGUN_A_MINUTE {
        return Ok(false);
    }
    sign_ins::insert(&mut conn, id, (node.node_id, scanner), now).await
}

/// From the provider's first answer to its last.
async fn run(
    app: &App,
    node: &Node,
    id: SignInId,
    flow: &DeviceFlow,
    _permit: OwnedSemaphorePermit,
) -> DbResult<()> {
    let mut sign_in = match flow.begin().await {
        Ok(sign_in) => sign_in,
        Err(error) => {
            warn(node, id, &error);
            return end(app, node, id, &State::Unavailable).await;
        }
    };
    let life = sign_in.life;
    let open = State::Open {
        user_code: sign_in.user_code.clone(),
        verification_uri: sign_in.verification_uri.clone(),
        verification_uri_complete: sign_in.verification_uri_complete.clone(),
        expires_at: app.clock.now() + life,
    };
    end(app, node, id, &open).await?;
    let asked = timeout(life, ask(app, node, id, flow, &mut sign_in)).await;
    let state = asked.unwrap_or(Ok(State::Expired))?;
    end(app, node, id, &state).await
}

/// Asks the provider until it has an answer that ends the sign-in.
async fn ask(
    app: &App,
    node: &Node,
    id: SignInId,
    flow: &DeviceFlow,
    sign_in: &mut DeviceSignIn,
) -> DbResult<State> {
    loop {
        sleep(sign_in.interval()).await;
        let answer = flow.ask(sign_in).await;
        let mut conn = app.db.read(NAME).await?;
        sign_ins::mark_asked(&mut conn, id, app.clock.now()).await?;
        drop(conn);
        match answer {
            Ok(DeviceToken::Pending) => {}
            Ok(DeviceToken::Granted(token)) => return who(app, node, id, flow, &token).await,
            Ok(DeviceToken::Denied) => return Ok(State::Denied),
            Ok(DeviceToken::Expired) => return Ok(State::Expired),
            // The pause has grown.
            Err(error @ DeviceFlowError::NoAnswer(_)) => warn(node, id, &error),
            Err(error @ (DeviceFlowError::Refused(_) | DeviceFlowError::Malformed(_))) => {
                warn(node, id, &error);
                return Ok(State::Unavailable);
            }
        }
    }
}

/// Who has signed in: somebody of the venue, or nobody for it. The token is checked as any other, and is
/// good for nothing more.
async fn who(
    app: &App,
    node: &Node,
    id: SignInId,
    flow: &DeviceFlow,
    token: &str,
) -> DbResult<State> {
    let claims = match app.auth.verify(token, app.clock.now()).await {
        Ok(claims) if claims.iss == flow.issuer() => claims,
        Ok(_) => {
            let why = "its token is of another issuer".to_owned();
            warn(node, id, &DeviceFlowError::Malformed(why));
            return Ok(State::Unavailable);
        }
        Err(error) => {
            warn(node, id, &DeviceFlowError::Malformed(error.to_string()));
            return Ok(State::Unavailable);
        }
    };
    let user = app.users.user_id(app, &claims.iss, &claims.sub).await?;
    let mut conn = app.db.read(NAME).await?;
    let member = staff::find_by_account(&mut conn, node.venue_id, user).await?;
    Ok(member.map_or(State::NotStaff, |member| State::Granted(member.person_id)))
}

/// Writes how one stands now, and tells the node.
async fn end(app: &App, node: &Node, id: SignInId, state: &State) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    sign_ins::update(&mut conn, id, state, app.clock.now()).await?;
    drop(conn);
    if let State::Granted(person_id) = state {
        tracing::info!(
            code = "fleet.staff_signed_in",
            node_id = %node.node_id,
            %person_id,
            "somebody of the venue's staff has signed in at a scanner"
        );
    }
    if let Some(progress) = stored(app, node, id).await? {
        send(app, node, id, progress).await;
    }
    Ok(())
}

async fn send(app: &App, node: &Node, sign_in: SignInId, progress: Option<SignInProgress>) {
    // Of one that begins there is nothing to say: the node asks again.
    if let Some(progress) = progress {
        let answer = StaffAnswer { sign_in, progress };
        messages::send(app, node.node_id, Down::Staff(answer)).await;
    }
}

fn warn(node: &Node, id: SignInId, error: &DeviceFlowError) {
    tracing::warn!(
        code = "fleet.sign_in_unavailable",
        node_id = %node.node_id,
        sign_in_id = %id,
        %error,
        "the identity provider could not be asked for a sign-in of staff"
    );
}
