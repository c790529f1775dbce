//! The nodes' end of the broker: scans go up as the MQTT plugin would put them, verdicts come down.

use std::collections::HashMap;

use eventify_kernel::app::App;
use eventify_protocol::ids::{GateId, MessageId, NodeId, ScanId, ScannerId};
use eventify_protocol::sync::{Down, Envelope, Scan, Sender, Up, topic};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::Verdict;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};

use crate::ticketing::stage::Stage;

/// Far beyond any answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Both nodes' lines.
pub(crate) struct Line<'stage> {
    stage: &'stage Stage,
    _connection: Connection,
    down: Consumer,
    early: HashMap<ScanId, Verdict>,
}

/// One pull of a trigger.
#[derive(Clone)]
pub(crate) struct Pull {
    pub(crate) scan: ScanId,
    pub(crate) scanner: ScannerId,
    pub(crate) node: NodeId,
    pub(crate) gate: GateId,
    pub(crate) token: String,
    pub(crate) deadline: CoreTime,
    pub(crate) replaces: Vec<ScanId>,
}

impl Pull {
    pub(crate) fn replacing(mut self, earlier: &Self) -> Self {
        self.replaces.push(earlier.scan);
        self
    }
}

impl Stage {
    /// A guest shows a token at the gate of a node.
    pub(crate) fn pull(&self, index: usize, token: &str) -> Pull {
        let clock = &self.core.clock;
        Pull {
            scan: ScanId(clock.new_id()),
            scanner: ScannerId(clock.new_id()),
            node: self.nodes[index],
            gate: self.gates[index],
            token: token.to_owned(),
            deadline: CoreTime::from(clock.now() + chrono::Duration::minutes(1)),
            replaces: Vec::new(),
        }
    }
}

impl<'stage> Line<'stage> {
    pub(crate) async fn connect(stage: &'stage Stage) -> Self {
        let url = &stage.core.scope.amqp_url;
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = channel
            .queue_declare("".into(), options, FieldTable::default())
            .await
            .unwrap();
        let (bind, consume) = (QueueBindOptions::default(), BasicConsumeOptions::default());
        channel
            .queue_bind(
                queue.name().clone(),
                "amq.topic".into(),
                "ev1.down.#".into(),
                bind,
                FieldTable::default(),
            )
            .await
            .unwrap();
        let down = channel
            .basic_consume(
                queue.name().clone(),
                "".into(),
                consume,
                FieldTable::default(),
            )
            .await
            .unwrap();
        Self {
            stage,
            _connection: connection,
            down,
            early: HashMap::new(),
        }
    }

    pub(crate) async fn send(&self, pull: &Pull) {
        self.send_on_topic_of(pull.node, pull).await;
    }

    /// With the topic rights of one node, in the name of the pull's.
    pub(crate) async fn send_on_topic_of(&self, node: NodeId, pull: &Pull) {
        let scan = Up::Scan(Scan {
            scan: pull.scan,
            scanner: pull.scanner,
            gate: pull.gate,
            token: pull.token.clone(),
            deadline: pull.deadline,
            replaces: pull.replaces.clone(),
        });
        let key = topic::up(node, &scan).replace('/', ".");
        let id = MessageId(self.stage.core.clock.new_id());
        let envelope = Envelope::new(id, Sender::Node(pull.node), scan);
        self.send_bytes(&key, &envelope.to_bytes()).await;
    }

    /// Anything at all, as a node with these topic rights could send it.
    pub(crate) async fn send_bytes(&self, key: &str, bytes: &[u8]) {
        let app: &App = self.stage.core.app();
        // The exchange of the edges is one for both directions.
        app.bus.send_down(key, bytes).await.unwrap();
    }

    pub(crate) async fn verdict(&mut self, pull: &Pull) -> Verdict {
        let waiting = async {
            loop {
                if let Some(verdict) = self.early.remove(&pull.scan) {
                    return verdict;
                }
                let delivery = self.down.next().await.unwrap().unwrap();
                let envelope = Envelope::<Down>::from_bytes(&delivery.data).unwrap();
                if let Down::Verdict(answer) = &envelope.body {
                    assert_eq!(envelope.sender, Sender::Core);
                    self.early.insert(answer.scan, answer.verdict.clone());
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("an answer")
    }

    /// Scans and waits for the verdict.
    pub(crate) async fn scan(&mut self, pull: &Pull) -> Verdict {
        self.send(pull).await;
        self.verdict(pull).await
    }
}
