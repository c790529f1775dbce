//! A node's first contact: a code and a key become a certificate (ADMISSION 10).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eventify_protocol::enrolment::{BrokerAddress, EnrolmentAnswer, EnrolmentRequest};

use super::{FleetError, nodes as node_acts};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::authority::{RequestedKey, common_name};
use crate::contexts::fleet::model::node::{Claim, Enrolment, Node, Standing};
use crate::contexts::fleet::store::nodes;
use eventify_contracts::fleet::NodeEnrolled;
use eventify_kernel::cause::Cause;

/// Enrols the node whose code this is, or answers the same key the same again.
pub(crate) async fn enrol(
    app: &App,
    cause: &Cause,
    request: &EnrolmentRequest,
) -> Result<EnrolmentAnswer, FleetError> {
    let authority = app
        .state
        .authority
        .as_ref()
        .ok_or(FleetError::NotConfigured)?;
    let code = node_acts::code_hash(&request.secret).ok_or(FleetError::CodeNotFound)?;
    let key = RequestedKey::read(&request.csr)
        .map_err(|error| FleetError::Invalid("csr", error.to_string()))?;
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = nodes::lock_by_code(&mut tx, code)
        .await?
        .ok_or(FleetError::CodeNotFound)?;
    let node = match node.claim(key.hash(), now)? {
        Claim::Repeat { .. } => node,
        Claim::Enrol => {
            let name = common_name(&app.config.bus.vhost(), &node.node_id.to_string());
            let until = now + app.state.settings.certificate_life();
            let serial = app.clock.new_id();
            let chain = authority.certify_node(&name, &key, serial, now, until)?;
            let standing = Standing::Enrolled(Enrolment {
                key_hash: key.hash(),
                certificate_chain: chain,
                certificate_expires_at: until,
                at: now,
            });
            let node = Node {
                standing,
                version: node.version + 1,
                ..node
            };
            nodes::save(&mut tx, &node, None).await?;
            let node_id = node.node_id;
            let event = NodeEnrolled {
                node_id,
                node: node_acts::facts_of(&node),
            };
            node_acts::tell(app, &mut tx, &node, &event).await?;
            node
        }
    };
    tx.commit().await?;
    answer(app, node)
}

fn answer(app: &App, node: Node) -> Result<EnrolmentAnswer, FleetError> {
    let Standing::Enrolled(enrolment) = node.standing else {
        return Err(FleetError::CodeNotFound);
    };
    let keys = app.keys.ring().map_err(|_| FleetError::NotConfigured)?;
    let settings = &app.state.settings;
    Ok(EnrolmentAnswer {
        node_id: node.node_id,
        venue_id: node.venue_id,
        label: node.label,
        certificate_chain: enrolment.certificate_chain,
        broker: BrokerAddress {
            host: settings.mqtt_host.clone(),
            port: settings.mqtt_port,
            authority: app.state.mqtt_authority.clone(),
        },
        root_key: URL_SAFE_NO_PAD.encode(keys.root.as_bytes()),
        key_set: URL_SAFE_NO_PAD.encode(keys.signed.as_bytes()),
    })
}
