//! Nodes: announced with a code, edited, revoked.

use eventify_contracts::fleet::{NodeFacts, NodeRevoked, NodeUpdated};
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, PgConnection, Tx};
use eventify_kernel::event::DomainEvent;
use eventify_protocol::enrolment::{EnrolmentCode, EnrolmentSecret};
use eventify_protocol::ids::{GateId, NodeId, VenueId};
use eventify_protocol::sync::{Config, Down};
use eventify_protocol::text;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{FleetError, feed, messages, venues};
use crate::contexts::fleet::model::entries;
use crate::contexts::fleet::model::node::{MAX_GATES_PER_NODE, Node, NodeState, clean_name};
use crate::contexts::fleet::store::{gates, nodes, venues as venue_rows};
use crate::contexts::fleet::{App, NAME};

/// A new node with its enrolment code, which is shown once and not stored.
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
    plan: NodePlan,
) -> Result<Announced, FleetError> {
    let label = check_label(&plan.label)?;
    let now = app.clock.now();
    let mut secret = [0; 20];
    secret.copy_from_slice(&app.clock.random_bytes()[..20]);
    let code = EnrolmentCode {
        core: app.state.enrolment_url().ok_or(FleetError::NotConfigured)?,
        authority: app.state.authority()?.fingerprint(),
        secret: EnrolmentSecret(secret),
    };
    let mut tx = app.db.begin(NAME, cause).await?;
    venues::own(&mut tx, principal, venue_id).await?;
    must_be_free(&mut tx, venue_id, &label, None).await?;
    let node = Node {
        node_id: NodeId(app.clock.new_id()),
        venue_id,
        label,
        gates: check_gates(&mut tx, venue_id, plan.gates).await?,
        version: 1,
        code_expires_at: now + app.state.settings.code_life(),
        state: NodeState::Announced,
    };
    nodes::insert(&mut tx, &node, code.secret.hash(), principal.user_id, now)
        .await
        .map_err(|error| label_taken(error, &node.label))?;
    tx.commit().await?;
    Ok(Announced {
        node,
        code: code.to_string(),
    })
}

/// The wanted properties of a node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NodePlan {
    pub(crate) label: String,
    pub(crate) gates: Vec<GateId>,
}

/// Edits a node of which the caller has read this version.
pub(crate) async fn edit(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    (node, version): (NodeId, i32),
    plan: NodePlan,
) -> Result<Node, FleetError> {
    let label = check_label(&plan.label)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = own(&mut tx, principal, node).await?;
    if node.version != version {
        return Err(FleetError::Stale);
    }
    must_be_free(&mut tx, node.venue_id, &label, Some(node.node_id)).await?;
    let gates = check_gates(&mut tx, node.venue_id, plan.gates).await?;
    let node = Node {
        label,
        gates,
        version: version + 1,
        ..node
    };
    nodes::update(&mut tx, &node, None)
        .await
        .map_err(|error| label_taken(error, &node.label))?;
    if node.is_enrolled() {
        let event = NodeUpdated {
            node_id: node.node_id,
            node: node_facts(&node),
        };
        publish(app, &mut tx, &node, &event).await?;
    }
    tx.commit().await?;
    Ok(node)
}

/// Takes a node out of service for good. It gets a message at once if it can be reached; otherwise
/// it learns of it from the feed, or because the broker refuses it.
pub(crate) async fn revoke(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
) -> Result<Node, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = own(&mut tx, principal, node).await?;
    let enrolment = match node.state {
        NodeState::Revoked { .. } => return Ok(node),
        NodeState::Announced => None,
        NodeState::Enrolled(enrolment) => Some(enrolment),
    };
    let at = app.clock.now();
    let node = Node {
        state: NodeState::Revoked { at, enrolment },
        version: node.version + 1,
        ..node
    };
    nodes::update(&mut tx, &node, Some(principal.user_id)).await?;
    let event = NodeRevoked {
        node_id: node.node_id,
        node: node_facts(&node),
    };
    publish(app, &mut tx, &node, &event).await?;
    tx.commit().await?;
    messages::send(
        app,
        node.node_id,
        Down::Config(Config {
            revoked: true,
            duplicate: None,
            scanners: None,
            time_zone: None,
        }),
    )
    .await;
    Ok(node)
}

/// A node of a venue that the caller may run, its row locked.
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

/// Publishes a node to the feed and to the other contexts.
pub(super) async fn publish<E: DomainEvent>(
    app: &App,
    tx: &mut Tx,
    node: &Node,
    event: &E,
) -> Result<(), FleetError> {
    if let Some(entry) = entries::node(node) {
        feed::enqueue_own(app, tx, vec![(node.venue_id, entry)]).await?;
    }
    tx.publish(app.clock.new_id(), node.version, event);
    Ok(())
}

pub(super) fn node_facts(node: &Node) -> NodeFacts {
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
    clean_name(label).map_err(|unfit| FleetError::Invalid("label", unfit.to_string()))
}

/// Gates of the venue, each once.
async fn check_gates(
    conn: &mut PgConnection,
    venue: VenueId,
    mut wanted: Vec<GateId>,
) -> Result<Vec<GateId>, FleetError> {
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.len() > MAX_GATES_PER_NODE {
        let given = wanted.len();
        let issue = format!("must be at most {MAX_GATES_PER_NODE}; given: {given}");
        return Err(FleetError::Invalid("gates", issue));
    }
    let gates = gates::list(conn, venue).await?;
    let is_known = |id: &GateId| gates.iter().any(|gate| gate.gate_id == *id);
    if wanted.iter().all(is_known) {
        Ok(wanted)
    } else {
        Err(FleetError::GateNotFound)
    }
}

/// As with gates: until the transaction ends, nobody names another node of the venue.
async fn must_be_free(
    tx: &mut Tx,
    venue: VenueId,
    label: &str,
    of: Option<NodeId>,
) -> Result<(), FleetError> {
    venue_rows::lock(tx, venue).await?;
    let others = nodes::list(tx, venue).await?.into_iter();
    let mut others = others.filter(|node| Some(node.node_id) != of);
    match others.find(|node| text::key(&node.label) == text::key(label)) {
        Some(node) => Err(FleetError::NameTaken(node.label)),
        None => Ok(()),
    }
}

fn label_taken(error: DbError, label: &str) -> FleetError {
    if error.violates("nodes_venue_id_label_key") {
        FleetError::NameTaken(label.to_owned())
    } else {
        error.into()
    }
}
