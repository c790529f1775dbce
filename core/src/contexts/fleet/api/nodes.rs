//! Nodes: announced with a code, edited, revoked.

use eventify_protocol::enrolment::{EnrolmentCode, EnrolmentSecret};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use eventify_protocol::sync::{Config, Down};

use super::{FleetError, uplink, venues};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::facts;
use crate::contexts::fleet::model::node::{
    MAX_GATES_PER_NODE, MAX_NAME_CHARS, Node, Standing, clean_name,
};
use crate::contexts::fleet::store::{gates, nodes};
use eventify_contracts::fleet::{NodeFacts, NodeRevoked, NodeUpdated};
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, PgConnection, Tx};
use eventify_kernel::event::DomainEvent;

/// A new node with the one text that enrols it. The text is shown once and kept nowhere.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) node: Node,
    pub(crate) code: String,
}

/// Announces a node.
pub(crate) async fn announce(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    venue_id: VenueId,
    label: &str,
    wanted: Vec<GateId>,
) -> Result<Announced, FleetError> {
    let label = check_label(label)?;
    let authority = app
        .state
        .authority
        .as_ref()
        .ok_or(FleetError::NotConfigured)?;
    let now = app.clock.now();
    let mut secret = [0; 20];
    secret.copy_from_slice(&app.clock.random_bytes()[..20]);
    let secret = EnrolmentSecret(secret);
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::own(&mut tx, principal, venue_id).await?;
    let gates = check_gates(&mut tx, venue_id, wanted).await?;
    let node = Node {
        node_id: NodeId(app.clock.new_id()),
        venue_id,
        label,
        gates,
        version: 1,
        code_expires_at: now + app.state.settings.code_life(),
        standing: Standing::Announced,
    };
    nodes::announce(&mut tx, &node, secret.hash(), principal.user_id, now)
        .await
        .map_err(label_taken)?;
    tx.commit().await?;
    let code = EnrolmentCode {
        core: enrolment_url(app)?,
        authority: authority.fingerprint(),
        secret,
    };
    Ok(Announced {
        node,
        code: code.to_string(),
    })
}

/// The configured address, or the listener's own.
fn enrolment_url(app: &App) -> Result<String, FleetError> {
    let bound = || {
        app.state
            .enrolment_address
            .get()
            .map(|at| format!("https://{at}"))
    };
    app.state
        .settings
        .enrolment_url()
        .map(str::to_owned)
        .or_else(bound)
        .ok_or(FleetError::NotConfigured)
}

/// What somebody wants a node to be, who has seen this version of it.
#[derive(Debug)]
pub(crate) struct NodePlan {
    pub(crate) label: String,
    pub(crate) gates: Vec<GateId>,
    pub(crate) seen: i32,
}

/// Changes a node's label and gates.
pub(crate) async fn edit(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
    plan: NodePlan,
) -> Result<Node, FleetError> {
    let label = check_label(&plan.label)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = own(&mut tx, principal, node).await?;
    if node.version != plan.seen {
        return Err(FleetError::Stale);
    }
    let gates = check_gates(&mut tx, node.venue_id, plan.gates).await?;
    let node = Node {
        label,
        gates,
        version: node.version + 1,
        ..node
    };
    nodes::save(&mut tx, &node, None)
        .await
        .map_err(label_taken)?;
    if node.is_enrolled() {
        let event = NodeUpdated {
            node_id: node.node_id,
            node: facts_of(&node),
        };
        tell(app, &mut tx, &node, &event).await?;
    }
    tx.commit().await?;
    Ok(node)
}

/// Takes a node out of service for good. It learns of it at once if it can be reached, and by the
/// feed and the broker's refusal else.
pub(crate) async fn revoke(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
) -> Result<Node, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = own(&mut tx, principal, node).await?;
    let enrolment = match node.standing {
        Standing::Revoked { .. } => return Ok(node),
        Standing::Announced => None,
        Standing::Enrolled(enrolment) => Some(enrolment),
    };
    let standing = Standing::Revoked {
        at: app.clock.now(),
        enrolment,
    };
    let node = Node {
        standing,
        version: node.version + 1,
        ..node
    };
    nodes::save(&mut tx, &node, Some(principal.user_id)).await?;
    let event = NodeRevoked {
        node_id: node.node_id,
        node: facts_of(&node),
    };
    tell(app, &mut tx, &node, &event).await?;
    tx.commit().await?;
    uplink::send(app, node.node_id, Down::Config(Config { revoked: true })).await;
    Ok(node)
}

/// The caller's node, its row locked.
pub(crate) async fn own(
    conn: &mut PgConnection,
    principal: &Principal,
    node: NodeId,
) -> Result<Node, FleetError> {
    let node = nodes::lock(conn, node)
        .await?
        .ok_or(FleetError::NodeNotFound)?;
    venues::own(conn, principal, node.venue_id).await?;
    Ok(node)
}

/// Tells the feed and the other contexts what a node is now.
pub(super) async fn tell<E: DomainEvent>(
    app: &App,
    tx: &mut Tx,
    node: &Node,
    event: &E,
) -> Result<(), FleetError> {
    if let Some(entry) = facts::of_node(node) {
        venues::state(app, tx, &[(node.venue_id, entry)]).await?;
    }
    tx.publish(app.clock.new_id(), node.version, event);
    Ok(())
}

pub(super) fn facts_of(node: &Node) -> NodeFacts {
    NodeFacts {
        node_id: node.node_id,
        venue_id: node.venue_id,
        label: node.label.clone(),
        gates: node.gates.clone(),
        revoked: node.is_revoked(),
        version: node.version,
    }
}

fn check_label(label: &str) -> Result<String, FleetError> {
    let wanted = format!("1 to {MAX_NAME_CHARS} characters");
    clean_name(label).ok_or(FleetError::Invalid("label", wanted))
}

/// The venue's own gates, each once.
async fn check_gates(
    conn: &mut PgConnection,
    venue: VenueId,
    mut wanted: Vec<GateId>,
) -> Result<Vec<GateId>, FleetError> {
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.len() > MAX_GATES_PER_NODE {
        let most = format!("at most {MAX_GATES_PER_NODE}");
        return Err(FleetError::Invalid("gates", most));
    }
    let known = gates::of_venue(conn, venue).await?;
    let all = wanted
        .iter()
        .all(|wanted| known.iter().any(|gate| gate.gate_id == *wanted));
    if all {
        Ok(wanted)
    } else {
        Err(FleetError::GateNotFound)
    }
}

fn label_taken(error: DbError) -> FleetError {
    if error.violates("nodes_venue_id_label_key") {
        FleetError::NameTaken
    } else {
        error.into()
    }
}

/// What the core keeps of a code.
pub(super) fn code_hash(secret: &str) -> Option<Hash32> {
    secret
        .parse::<EnrolmentSecret>()
        .ok()
        .map(|secret| secret.hash())
}
