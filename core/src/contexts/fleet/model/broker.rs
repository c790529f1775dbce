//! What RabbitMQ may let a node do (ADMISSION 6.3): its identity is its client certificate.
//!
//! RabbitMQ takes the user name from the certificate's common name and sends four kinds of
//! authorization requests. The names of their fields are RabbitMQ's (`rabbitmq_auth_backend_http`).

use eventify_protocol::ids::NodeId;
use serde::Deserialize;

/// The exchange that MQTT topics are routed by.
const TOPIC_EXCHANGE: &str = "amq.topic";

/// What a node may publish: the last level of `ev1.up.<node>.<kind>`.
const UP_KINDS: [&str; 8] = [
    "hello", "ask", "scan", "journal", "health", "pull", "scanners", "staff",
];

/// What a node may subscribe to below `ev1.down.<node>.`: its own messages, one kind or all.
const DOWN_LEVELS: [&str; 11] = [
    "*", "#", "welcome", "point", "verdict", "delta", "chunk", "ack", "config", "gone", "staff",
];

/// The kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Check {
    /// May it log in?
    User,
    /// May it enter this virtual host?
    Vhost,
    /// May it use this queue or exchange?
    Resource,
    /// May it use this routing key?
    Topic,
}

/// A request's form. Fields that a kind of request doesn't have stay empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuthRequest {
    pub(crate) username: String,
    /// Nodes authenticate by certificate: a client with a password is no node.
    pub(crate) password: Option<String>,
    pub(crate) vhost: Option<String>,
    pub(crate) client_id: Option<String>,
    /// `exchange`, `queue` or `topic`.
    pub(crate) resource: String,
    pub(crate) name: String,
    /// `configure`, `write` or `read`.
    pub(crate) permission: String,
    pub(crate) routing_key: String,
}

/// Why a request is denied. For the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("not_a_node")]
    NotANode,
    #[error("password_login")]
    Password,
    #[error("other_vhost")]
    OtherVhost,
    #[error("foreign_client_id")]
    ForeignClientId,
    #[error("foreign_resource")]
    ForeignResource,
    #[error("foreign_topic")]
    ForeignTopic,
}

/// The node that the request is about, if a node may do this at all. The caller checks whether it
/// is enrolled.
pub(crate) fn authorise(
    check: Check,
    request: &AuthRequest,
    own_vhost: &str,
) -> Result<NodeId, Denied> {
    let node: NodeId = request.username.parse().map_err(|_| Denied::NotANode)?;
    // Only the canonical text: topics and queues are compared as text.
    if node.to_string() != request.username {
        return Err(Denied::NotANode);
    }
    if request.password.is_some() {
        return Err(Denied::Password);
    }
    if request
        .vhost
        .as_ref()
        .is_some_and(|vhost| vhost != own_vhost)
    {
        return Err(Denied::OtherVhost);
    }
    let client_id = request.client_id.as_deref();
    if client_id.is_some_and(|client_id| client_id != request.username) {
        return Err(Denied::ForeignClientId);
    }
    match check {
        Check::User => Ok(node),
        // Only this request always has the client id. Without it a node could disconnect another.
        Check::Vhost if client_id.is_none() => Err(Denied::ForeignClientId),
        Check::Vhost if request.vhost.is_none() => Err(Denied::OtherVhost),
        Check::Vhost => Ok(node),
        Check::Resource => owns_resource(request)
            .then_some(node)
            .ok_or(Denied::ForeignResource),
        Check::Topic => owns_topic(request)
            .then_some(node)
            .ok_or(Denied::ForeignTopic),
    }
}

/// The topic exchange, and the queues that the MQTT plugin makes for a client's subscriptions.
fn owns_resource(request: &AuthRequest) -> bool {
    let AuthRequest {
        username,
        resource,
        name,
        permission,
        ..
    } = request;
    match (resource.as_str(), permission.as_str()) {
        ("exchange", "read" | "write") => name == TOPIC_EXCHANGE,
        ("queue", "configure" | "read" | "write") => ["qos0", "qos1"]
            .iter()
            .any(|qos| *name == format!("mqtt-subscription-{username}{qos}")),
        _ => false,
    }
}

fn owns_topic(request: &AuthRequest) -> bool {
    let AuthRequest {
        username,
        name,
        permission,
        routing_key,
        ..
    } = request;
    let below = |direction: &str| {
        let prefix = format!("ev1.{direction}.{username}.");
        routing_key.strip_prefix(&prefix).map(str::to_owned)
    };
    name == TOPIC_EXCHANGE
        && match permission.as_str() {
            "write" => below("up").is_some_and(|kind| UP_KINDS.contains(&kind.as_str())),
            "read" => below("down").is_some_and(|level| DOWN_LEVELS.contains(&level.as_str())),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "0192f0c0-0000-7000-8000-000000000001";
    const OTHER: &str = "0192f0c0-0000-7000-8000-000000000002";

    fn request(fields: &[(&str, &str)]) -> AuthRequest {
        let mut all = serde_json::Map::from_iter([("username".to_owned(), NODE.into())]);
        all.extend(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into())),
        );
        serde_json::from_value(all.into()).unwrap()
    }

    fn allowed(check: Check, fields: &[(&str, &str)]) -> Result<(), Denied> {
        authorise(check, &request(fields), "main").map(drop)
    }

    #[test]
    fn a_node_logs_in_by_certificate_under_its_own_client_id_on_our_vhost() {
        assert_eq!(allowed(Check::User, &[]), Ok(()));
        assert_eq!(
            allowed(Check::User, &[("password", "guess")]),
            Err(Denied::Password)
        );
        assert_eq!(
            allowed(Check::User, &[("username", "guest")]),
            Err(Denied::NotANode)
        );
        let upper = NODE.to_uppercase();
        assert_eq!(
            allowed(Check::User, &[("username", &upper)]),
            Err(Denied::NotANode)
        );
        let vhost =
            |client_id, vhost| allowed(Check::Vhost, &[("client_id", client_id), ("vhost", vhost)]);
        assert_eq!(vhost(NODE, "main"), Ok(()));
        assert_eq!(vhost(OTHER, "main"), Err(Denied::ForeignClientId));
        assert_eq!(vhost(NODE, "/"), Err(Denied::OtherVhost));
        assert_eq!(
            allowed(Check::Vhost, &[("vhost", "main")]),
            Err(Denied::ForeignClientId)
        );
    }

    #[test]
    fn its_own_queues_and_topics_are_open_and_no_others() {
        let resource = |resource, name: &str, permission| {
            let fields = [
                ("resource", resource),
                ("name", name),
                ("permission", permission),
            ];
            allowed(Check::Resource, &fields).is_ok()
        };
        assert!(resource(
            "queue",
            &format!("mqtt-subscription-{NODE}qos0"),
            "configure"
        ));
        assert!(resource(
            "queue",
            &format!("mqtt-subscription-{NODE}qos1"),
            "read"
        ));
        assert!(!resource(
            "queue",
            &format!("mqtt-subscription-{OTHER}qos0"),
            "read"
        ));
        assert!(!resource("queue", "edge.journal", "read"));
        assert!(resource("exchange", "amq.topic", "write"));
        assert!(!resource("exchange", "amq.topic", "configure"));
        assert!(!resource("exchange", "domain.events", "write"));

        let topic = |key: &str, permission| {
            let fields = [
                ("name", "amq.topic"),
                ("routing_key", key),
                ("permission", permission),
            ];
            allowed(Check::Topic, &fields).is_ok()
        };
        assert!(topic(&format!("ev1.up.{NODE}.scan"), "write"));
        assert!(
            !topic(&format!("ev1.up.{NODE}.scan"), "read"),
            "nobody reads an uplink"
        );
        assert!(!topic(&format!("ev1.up.{OTHER}.scan"), "write"));
        assert!(!topic(&format!("ev1.up.{NODE}.else"), "write"));
        assert!(
            !topic(&format!("ev1.down.{NODE}.config"), "write"),
            "nobody plays the core"
        );
        assert!(topic(&format!("ev1.down.{NODE}.*"), "read"));
        assert!(!topic("ev1.down.*.*", "read"));
        assert!(!topic("#", "read"));
    }
}
