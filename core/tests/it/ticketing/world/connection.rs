//! The nodes' end of the broker: scans go up as the MQTT plugin would publish them, verdicts come
//! down.

use std::collections::HashMap;

use eventify_kernel::app::App;
use eventify_protocol::ids::{GateId, MessageId, NodeId, ScanId, ScannerId};
use eventify_protocol::short_code::{CodeHash, ShortCode};
use eventify_protocol::sync::{Down, Envelope, Scan, ScanVerdict, Sender, Up, topic};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::Verdict;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};

use crate::ticketing::world::Venue;

/// Far beyond any answer.
const ANSWER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// The broker connection of both nodes.
pub(crate) struct NodeConnection<'venue> {
    venue: &'venue Venue,
    _connection: Connection,
    down: Consumer,
    early: HashMap<ScanId, ScanVerdict>,
}

/// One scan at a gate.
#[derive(Clone)]
pub(crate) struct TestScan {
    pub(crate) scan: ScanId,
    pub(crate) scanner: ScannerId,
    pub(crate) node: NodeId,
    pub(crate) gate: GateId,
    pub(crate) token: String,
    /// Typed in place of the token.
    pub(crate) code: Option<CodeHash>,
    pub(crate) deadline: CoreTime,
    pub(crate) replaces: Vec<ScanId>,
}

impl TestScan {
    pub(crate) fn replacing(mut self, earlier: &Self) -> Self {
        self.replaces.push(earlier.scan);
        self
    }
}

impl Venue {
    /// A guest presents a token at the gate of a node.
    pub(crate) fn scan(&self, index: usize, token: &str) -> TestScan {
        let clock = &self.core.clock;
        TestScan {
            scan: ScanId(clock.new_id()),
            scanner: ScannerId(clock.new_id()),
            node: self.nodes[index],
            gate: self.gates[index],
            token: token.to_owned(),
            code: None,
            deadline: CoreTime::from(clock.now() + chrono::Duration::minutes(1)),
            replaces: Vec::new(),
        }
    }

    /// Staff type a short code at the gate of a node.
    pub(crate) fn typed(&self, index: usize, code: &str) -> TestScan {
        let code: ShortCode = code.parse().unwrap();
        TestScan {
            code: Some(code.hash(self.id)),
            ..self.scan(index, "")
        }
    }
}

impl<'venue> NodeConnection<'venue> {
    pub(crate) async fn connect(venue: &'venue Venue) -> Self {
        let url = &venue.core.scope.amqp_url;
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
            venue,
            _connection: connection,
            down,
            early: HashMap::new(),
        }
    }

    pub(crate) async fn send(&self, scan: &TestScan) {
        self.send_on_topic_of(scan.node, scan).await;
    }

    /// With the topic rights of one node, in the name of the scan's.
    pub(crate) async fn send_on_topic_of(&self, node: NodeId, scan: &TestScan) {
        let message = Up::Scan(Scan {
            scan: scan.scan,
            scanner: scan.scanner,
            gate: scan.gate,
            token: scan.token.clone(),
            deadline: scan.deadline,
            replaces: scan.replaces.clone(),
            code: scan.code,
        });
        let key = topic::up(node, &message).replace('/', ".");
        let id = MessageId(self.venue.core.clock.new_id());
        let envelope = Envelope::new(id, Sender::Node(scan.node), message);
        self.send_bytes(&key, &envelope.to_bytes()).await;
    }

    /// Anything at all, as a node with these topic rights could send it.
    pub(crate) async fn send_bytes(&self, key: &str, bytes: &[u8]) {
        let app: &App = self.venue.core.app();
        // The exchange of the edges is one for both directions.
        app.bus.send_down(key, bytes).await.unwrap();
    }

    pub(crate) async fn verdict(&mut self, scan: &TestScan) -> Verdict {
        self.answer(scan).await.verdict
    }

    /// The verdict with what the node is told beside it.
    pub(crate) async fn answer(&mut self, scan: &TestScan) -> ScanVerdict {
        let waiting = async {
            loop {
                if let Some(answer) = self.early.remove(&scan.scan) {
                    return answer;
                }
                let delivery = self.down.next().await.unwrap().unwrap();
                let envelope = Envelope::<Down>::from_bytes(&delivery.data).unwrap();
                if let Down::Verdict(answer) = &envelope.body {
                    assert_eq!(envelope.sender, Sender::Core);
                    self.early.insert(answer.scan, answer.clone());
                }
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, waiting)
            .await
            .expect("an answer")
    }

    /// Scans and waits for the verdict.
    pub(crate) async fn scan(&mut self, scan: &TestScan) -> Verdict {
        self.send(scan).await;
        self.verdict(scan).await
    }
}
