//! Renewal of certificates: asked for by nodes, allowed by those who run the venue.

use chrono::{DateTime, Utc};
use eventify_kernel::alarms as standing;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::enrolment::{RenewalAnswer, RenewalRequest};
use eventify_protocol::ids::NodeId;
use serde_json::json;

use super::nodes::own;
use super::{FleetError, alarms};
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::authority::{
    EndStage, NodeCertificate, RequestedKey, common_name,
};
use crate::contexts::fleet::model::node::{Node, NodeState};
use crate::contexts::fleet::model::renewal::{Renewal, RenewalRefused, WARN_BEFORE};
use crate::contexts::fleet::store::nodes;
use crate::contexts::fleet::{App, NAME};

/// Gives a node a new certificate for the key that it enrolled with.
pub(crate) async fn renew(
    app: &App,
    cause: &Cause,
    request: &RenewalRequest,
) -> Result<RenewalAnswer, FleetError> {
    let authority = app.state.authority()?;
    let key = RequestedKey::read(&request.csr)
        .map_err(|error| FleetError::Invalid("csr", error.to_string()))?;
    let now = app.clock.now();
    let life = app.state.settings.certificate_life();
    let mut tx = app.db.begin(NAME, cause).await?;
    let mut node = nodes::lock(&mut tx, request.node_id)
        .await?
        .ok_or(RenewalRefused::UnknownKey)?;
    let lives = (life, authority.ends_at());
    let renewal = match node.renewal(key.hash(), lives, now) {
        Err(RenewalRefused::NotAllowed) => {
            drop(tx);
            let alarm = alarm(Code::NodeWaitsForRenewal, &node);
            alarms::raise(app, &alarm).await?;
            return Err(RenewalRefused::NotAllowed.into());
        }
        renewal => renewal?,
    };
    let certificate_chain = match renewal {
        Renewal::Current { certificate_chain } => certificate_chain.to_owned(),
        Renewal::Sign => {
            let name = common_name(&app.config.bus.vhost(), &node.node_id.to_string());
            let (serial, until) = (app.clock.new_id(), now + life);
            let NodeCertificate { chain, ends_at } =
                authority.certify_node(&name, &key, serial, now, until)?;
            if let NodeState::Enrolled(enrolment) = node.state {
                node.state = NodeState::Enrolled(enrolment.renewed(chain.clone(), ends_at));
            }
            nodes::update(&mut tx, &node, None).await?;
            for code in [Code::NodeWaitsForRenewal, Code::CertificateEnds] {
                alarms::end_in(app, &mut tx, code, &node.node_id).await?;
            }
            tracing::info!(
                code = "fleet.certificate_renewed",
                node_id = %node.node_id,
                until = %ends_at,
                "a node's certificate was renewed"
            );
            chain
        }
    };
    tx.commit().await?;
    Ok(RenewalAnswer {
        certificate_chain,
        broker: app.state.broker(),
    })
}

/// Lets a node whose certificate has expired renew it.
pub(crate) async fn allow(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
) -> Result<Node, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = own(&mut tx, principal, node).await?;
    let node = node.allow_renewal(app.clock.now())?;
    nodes::update(&mut tx, &node, None).await?;
    tx.commit().await?;
    tracing::info!(
        code = "fleet.renewal_allowed",
        node_id = %node.node_id,
        user_id = %principal.user_id,
        "a node may renew its expired certificate"
    );
    Ok(node)
}

/// Raises an alarm for each node whose certificate ends soon or has ended. One that ends with its
/// authority can't be renewed before that is: of this there is one alarm.
pub(crate) async fn warn_of_ends(app: &App) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let mut ending = nodes::list_ending(&mut conn, app.clock.now() + WARN_BEFORE).await?;
    if let Ok(authority) = app.state.authority() {
        ending.retain(|node| expires_at(node).is_some_and(|end| end < authority.ends_at()));
    }
    let alarms_of: Vec<_> = ending
        .iter()
        .map(|node| alarm(Code::CertificateEnds, node))
        .collect();
    alarms::set_in(app, &mut conn, Code::CertificateEnds, &alarms_of).await?;
    let waiting = nodes::list_expired(&mut conn, app.clock.now()).await?;
    let waiting: Vec<_> = waiting.iter().map(ToString::to_string).collect();
    let code = Code::NodeWaitsForRenewal.name();
    standing::clear_others(&mut conn, code, &waiting, app.clock.now()).await
}

/// Raises an alarm while an authority's end is near, and clears it when the authority has a successor.
pub(crate) async fn warn_of_authorities(app: &App) -> DbResult<()> {
    let now = app.clock.now();
    let mut conn = app.db.read(NAME).await?;
    for (authority, ends_at) in app.state.authority_ends() {
        let stage = ends_at.and_then(|at| EndStage::of(at, now));
        for each in EndStage::ALL {
            let (kind, subject) = (each.kind(), authority.setting());
            if stage == Some(each) {
                let alarm = standing::Alarm::new(kind, subject, authority.act(each))
                    .with(json!({ "endsAt": ends_at }))
                    .stops(each.stops());
                standing::raise(&mut conn, &alarm, now).await?;
            } else {
                standing::clear(&mut conn, kind, subject, now).await?;
            }
        }
    }
    Ok(())
}

fn expires_at(node: &Node) -> Option<DateTime<Utc>> {
    match &node.state {
        NodeState::Announced => None,
        NodeState::Enrolled(enrolment) => Some(enrolment.certificate_expires_at),
        NodeState::Revoked { enrolment, .. } => {
            enrolment.as_ref().map(|it| it.certificate_expires_at)
        }
    }
}

fn alarm(code: Code, node: &Node) -> Alarm {
    Alarm::new(code)
        .of_node(node.venue_id, node.node_id)
        .with(json!({ "label": node.label, "certificateExpiresAt": expires_at(node) }))
}
