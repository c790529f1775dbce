//! Enrolment: a node exchanges its code and a key for a certificate (ADMISSION 10).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eventify_contracts::fleet::NodeEnrolled;
use eventify_kernel::cause::Cause;
use eventify_protocol::enrolment::{EnrolmentAnswer, EnrolmentRequest, EnrolmentSecret};

use super::FleetError;
use super::nodes::{node_facts, publish};
use crate::contexts::fleet::model::authority::{RequestedKey, common_name};
use crate::contexts::fleet::model::node::{Claim, Enrolment, Node, NodeState};
use crate::contexts::fleet::store::nodes;
use crate::contexts::fleet::{App, NAME};

/// Enrols the node of a code. The same key gets the same answer again.
pub(crate) async fn enrol(
    app: &App,
    cause: &Cause,
    request: &EnrolmentRequest,
) -> Result<EnrolmentAnswer, FleetError> {
    let authority = app.state.authority()?;
    let secret: EnrolmentSecret = request
        .secret
        .parse()
        .map_err(|_| FleetError::CodeNotFound)?;
    let key = RequestedKey::read(&request.csr)
        .map_err(|error| FleetError::Invalid("csr", error.to_string()))?;
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let mut node = nodes::lock_by_code(&mut tx, secret.hash())
        .await?
        .ok_or(FleetError::CodeNotFound)?;
    if node.claim(key.hash(), now)? == Claim::Enrol {
        let name = common_name(&app.config.bus.vhost(), &node.node_id.to_string());
        let until = now + app.state.settings.certificate_life();
        let serial = app.clock.new_id();
        let signed = authority.certify_node(&name, &key, serial, now, until)?;
        node.state = NodeState::Enrolled(Enrolment {
            key_hash: key.hash(),
            certificate_chain: signed.chain,
            certificate_expires_at: signed.ends_at,
            renewal_allowed_until: None,
            at: now,
        });
        node.version += 1;
        nodes::update(&mut tx, &node, None).await?;
        let event = NodeEnrolled {
            node_id: node.node_id,
            node: node_facts(&node),
        };
        publish(app, &mut tx, &node, &event).await?;
    }
    tx.commit().await?;
    answer(app, node)
}

fn answer(app: &App, node: Node) -> Result<EnrolmentAnswer, FleetError> {
    let NodeState::Enrolled(enrolment) = node.state else {
        return Err(FleetError::CodeNotFound);
    };
    let keys = app.keys.ring().map_err(|_| FleetError::NotConfigured)?;
    Ok(EnrolmentAnswer {
        node_id: node.node_id,
        venue_id: node.venue_id,
        label: node.label,
        certificate_chain: enrolment.certificate_chain,
        broker: app.state.broker(),
        root_key: URL_SAFE_NO_PAD.encode(keys.root.as_bytes()),
        key_set: URL_SAFE_NO_PAD.encode(keys.signed.as_bytes()),
    })
}
