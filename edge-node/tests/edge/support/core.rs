//! The core's end of the line, scripted: one venue's feed in memory, real RabbitMQ between it and the
//! node, the product's own pure decisions behind it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Path as UrlPath, routing::post};
use eventify_edge::clock::{Clock, new_id};
use eventify_protocol::{
    enrolment::BrokerAddress,
    ids::{MessageId, ScanId, TicketId},
    keys::KeySet,
    sync::{
        Chunk, Config, Decision, Delta, Digest, Down, Envelope, FeedEntry, Hello, JournalAck,
        JournalBatch, JournalEntry, JournalHead, Position, Scan, ScanVerdict, SealedRow, Sender,
        Subject, SyncPoint, TicketState, Up, UsedBy, Value, topic,
    },
    time::CoreTime,
    verdict::{FirstEntry, Verdict},
};
use eventify_stack::{FaultProxy, Scope, Stack};
use eventify_sync::{
    core::{
        feed::{self, FeedHead, HeldRow},
        journal,
        welcome::{self, Known, StoredSnapshot},
    },
    digest,
    token::TokenCheck,
};
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::task::JoinHandle;

use super::venue::{DIGEST_KEY, EPOCH, Ticket, Venue, entries, snapshot};

/// How much of a snapshot is made of: everything, each time one is asked for.
pub(crate) struct Core {
    pub(crate) venue: Arc<Venue>,
    pub(crate) line: FaultProxy,
    scope: Scope,
    channel: Channel,
    state: Arc<Mutex<State>>,
    listening: JoinHandle<()>,
    _connection: Connection,
}

/// The venue as the core knows it.
struct State {
    keys: KeySet,
    rows: BTreeMap<Subject, FeedEntry>,
    head: FeedHead,
    history: Vec<(FeedHead, FeedEntry)>,
    digests: BTreeMap<Position, Digest>,
    snapshot: Option<(StoredSnapshot, Vec<Chunk>)>,
    journal: Vec<SealedRow>,
    revoked: bool,
    /// Scans are not answered while this is set.
    mute: bool,
    clock: Clock,
}

impl Core {
    /// A core with some tickets, and a node's line to it that can be cut.
    pub(crate) async fn start(tickets: &[Ticket], venue: Venue) -> Self {
        let scope = Stack::shared().await.unwrap().scope().await.unwrap();
        scope
            .register_broker_auth(&allow_everything().await)
            .await
            .unwrap();
        let broker = std::net::SocketAddr::from(([127, 0, 0, 1], scope.mqtt_port));
        let line = FaultProxy::start(broker).await.unwrap();
        let connection = Connection::connect(&scope.amqp_url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let venue = Arc::new(venue);
        let state = Arc::new(Mutex::new(State::new(&venue, tickets)));
        let listening = listen(&channel, Arc::clone(&venue), Arc::clone(&state)).await;
        Self {
            venue,
            line,
            scope,
            channel,
            state,
            listening,
            _connection: connection,
        }
    }

    /// An identity for the venue's node, its certificate from the stack's device authority.
    pub(crate) fn identity(&self) -> eventify_edge::identity::Identity {
        let common_name = self.scope.common_name(&self.venue.node.to_string());
        let client = self.scope.device_ca.issue(&common_name).unwrap();
        let broker = BrokerAddress {
            host: "localhost".to_owned(),
            port: self.line.address().port(),
            authority: std::fs::read_to_string(&self.scope.broker_ca).unwrap(),
        };
        self.venue
            .identity_with(broker, client.certificate, client.key)
    }

    /// Adds entries to the feed and sends them to the node.
    pub(crate) async fn publish(&self, entries: Vec<FeedEntry>) {
        let delta = self.state.lock().unwrap().append(entries);
        self.say(Down::Delta(delta)).await;
    }

    pub(crate) async fn revoke(&self, revoked: bool) {
        self.state.lock().unwrap().revoked = revoked;
        self.say(Down::Config(Config { revoked })).await;
    }

    /// Sends something to the node that is no message.
    pub(crate) async fn say_garbage(&self, kind: &str) {
        let key = format!("ev1.down.{}.{kind}", self.venue.node);
        publish(&self.channel, &key, b"this is no CBOR").await;
    }

    async fn say(&self, message: Down) {
        let key = topic::down_key(self.venue.node, &message);
        publish(&self.channel, &key, &envelope(message)).await;
    }

    /// From now on scans get no answer.
    pub(crate) fn mute_scans(&self, mute: bool) {
        self.state.lock().unwrap().mute = mute;
    }

    pub(crate) fn journal(&self) -> Vec<SealedRow> {
        self.state.lock().unwrap().journal.clone()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.state.lock().unwrap().head.digest
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl State {
    fn new(venue: &Venue, tickets: &[Ticket]) -> Self {
        let mut state = Self {
            keys: venue.keys(),
            rows: BTreeMap::new(),
            head: FeedHead {
                position: Position(0),
                digest: digest::EMPTY,
            },
            history: Vec::new(),
            digests: BTreeMap::from([(Position(0), digest::EMPTY)]),
            snapshot: None,
            journal: Vec::new(),
            revoked: false,
            mute: false,
            clock: Clock::of_this_boot().unwrap(),
        };
        state.append(entries(venue, tickets));
        state
    }

    fn now(&self) -> CoreTime {
        CoreTime(self.clock.wall().0)
    }

    fn append(&mut self, entries: Vec<FeedEntry>) -> Delta {
        let from = self.head.position;
        let held = self.rows.iter().map(|(subject, entry)| {
            (
                *subject,
                HeldRow {
                    version: entry.version,
                    row: Some(entry.to_bytes()),
                },
            )
        });
        let written = feed::append(self.head, &DIGEST_KEY, held.collect(), entries);
        self.head = written.head;
        for (head, entry) in &written.entries {
            self.digests.insert(head.position, head.digest);
            match entry.value {
                Some(_) => self.rows.insert(entry.subject, entry.clone()),
                None => self.rows.remove(&entry.subject),
            };
        }
        self.history.extend(written.entries.clone());
        let entries = written
            .entries
            .into_iter()
            .map(|(_, entry)| entry)
            .collect();
        Delta {
            epoch: EPOCH,
            from,
            to: self.head.position,
            entries,
        }
    }

    fn hear(&mut self, venue: &Venue, id: MessageId, message: Up) -> Vec<Down> {
        match message {
            Up::Hello(hello) => self.greet(id, &hello),
            Up::Ask(ask) => {
                let now = self.now();
                let point = SyncPoint {
                    nonce: ask.nonce,
                    node: venue.node,
                    venue: venue.id,
                    epoch: EPOCH,
                    position: self.head.position,
                    digest: self.head.digest,
                    truth: now,
                    core: now,
                };
                vec![Down::Point(point.sign(&venue.sync))]
            }
            Up::Scan(_) if self.mute => vec![],
            Up::Scan(scan) => self.scan(&scan),
            Up::Journal(batch) => self.take_journal(venue, &batch),
            Up::Pull(pull) => {
                let Some((_, chunks)) = &self.snapshot else {
                    return vec![];
                };
                let wanted = pull.from..pull.from + pull.count;
                chunks
                    .iter()
                    .filter(|c| wanted.contains(&c.index))
                    .cloned()
                    .map(Down::Chunk)
                    .collect()
            }
            Up::Health(_) => vec![],
        }
    }

    fn greet(&mut self, id: MessageId, hello: &Hello) -> Vec<Down> {
        let rows: Vec<_> = self.rows.values().cloned().collect();
        let (plan, chunks) = snapshot(&rows);
        let stored = StoredSnapshot {
            id: plan.snapshot,
            position: self.head.position,
            chunks: plan.chunks,
            hash: plan.hash,
        };
        self.snapshot = Some((stored, chunks));
        let known = Known {
            epoch: EPOCH,
            head: self.head.position,
            digest_key: DIGEST_KEY,
            digest_at_node: self.digests.get(&hello.head).copied(),
            oldest: Position(1),
            snapshot: Some(stored),
            acknowledged: self.journal_head(),
        };
        let welcome = welcome::answer(id, hello, &known).unwrap();
        let missed: Vec<_> = self
            .history
            .iter()
            .filter(|(head, _)| head.position > hello.head)
            .map(|(_, entry)| entry.clone())
            .collect();
        let joins = matches!(welcome.plan, eventify_protocol::sync::Plan::Delta { .. });
        let mut answers = vec![
            Down::Welcome(welcome),
            Down::Config(Config {
                revoked: self.revoked,
            }),
        ];
        if joins && !missed.is_empty() {
            let (from, to) = (hello.head, self.head.position);
            answers.push(Down::Delta(Delta {
                epoch: EPOCH,
                from,
                to,
                entries: missed,
            }));
        }
        answers
    }

    fn scan(&mut self, scan: &Scan) -> Vec<Down> {
        let at = self.now();
        let (verdict, news) = match TokenCheck::of(&scan.token, &self.keys) {
            TokenCheck::Unreadable { .. } => (Verdict::Unreadable, None),
            TokenCheck::Forged { .. } | TokenCheck::UnknownKey { .. } => (Verdict::Forged, None),
            TokenCheck::Signed(signed) => {
                let by = UsedBy {
                    scan: scan.scan,
                    gate: scan.gate,
                    at,
                    confirmed: false,
                };
                self.enter(signed.ticket(), by)
            }
        };
        let verdict = Down::Verdict(ScanVerdict {
            scan: scan.scan,
            verdict,
            at,
        });
        std::iter::once(verdict)
            .chain(news.map(Down::Delta))
            .collect()
    }

    /// One entry a ticket: the first scan that asks.
    fn enter(&mut self, ticket: TicketId, by: UsedBy) -> (Verdict, Option<Delta>) {
        let subject = Subject::Ticket(ticket);
        let Some(entry) = self.rows.get(&subject).cloned() else {
            return (Verdict::Forged, None);
        };
        let Some(Value::Ticket(mut state)) = entry.value else {
            panic!("a ticket's row")
        };
        match state.state {
            TicketState::Revoked => (Verdict::Revoked, None),
            TicketState::Used(first) if first.scan != by.scan => {
                let first = FirstEntry {
                    gate: first.gate,
                    at: first.at,
                    confirmed: first.confirmed,
                };
                (Verdict::AlreadyUsed { first }, None)
            }
            TicketState::Used(first) if first.confirmed || !by.confirmed => (Verdict::Admit, None),
            TicketState::Used(_) | TicketState::Valid => {
                state.state = TicketState::Used(by);
                let version = entry.version + 1;
                let value = Some(Value::Ticket(state));
                (
                    Verdict::Admit,
                    Some(self.append(vec![FeedEntry {
                        subject,
                        version,
                        value,
                    }])),
                )
            }
        }
    }

    fn journal_head(&self) -> Option<JournalHead> {
        self.journal.last().map(SealedRow::head)
    }

    fn take_journal(&mut self, venue: &Venue, batch: &JournalBatch) -> Vec<Down> {
        let held = self.journal_head();
        let stored = journal::overlap(held.as_ref(), batch)
            .and_then(|seq| self.journal.get(usize::try_from(seq).unwrap() - 1))
            .map(SealedRow::hash);
        let mut answers = Vec::new();
        if let Ok(accepted) = journal::accept(venue.node, held.as_ref(), stored, batch) {
            for row in accepted.rows {
                answers.extend(self.confirm(&row).map(Down::Delta));
                self.journal.push(row);
            }
        }
        let head = self.journal_head();
        answers.extend(head.map(|head| {
            Down::JournalAck(JournalAck {
                incarnation: head.incarnation,
                seq: head.seq,
                hash: head.hash,
                position: self.head.position,
                epoch: EPOCH,
            })
        }));
        answers
    }

    fn confirm(&mut self, row: &SealedRow) -> Option<Delta> {
        let JournalEntry::Decision(Decision {
            verdict: Verdict::Admit,
            scan,
            gate,
            ticket,
            ..
        }) = &row.row().entry
        else {
            return None;
        };
        let at = self.now();
        self.enter(
            (*ticket)?,
            UsedBy {
                scan: *scan,
                gate: *gate,
                at,
                confirmed: true,
            },
        )
        .1
    }
}

async fn listen(channel: &Channel, venue: Arc<Venue>, state: Arc<Mutex<State>>) -> JoinHandle<()> {
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..Default::default()
    };
    let queue = channel
        .queue_declare("uplink".into(), exclusive, FieldTable::default())
        .await
        .unwrap();
    let bind = QueueBindOptions::default();
    let name = queue.name().clone();
    channel
        .queue_bind(
            name.clone(),
            "amq.topic".into(),
            "ev1.up.#".into(),
            bind,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let consume = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    };
    let mut consumer = channel
        .basic_consume(name, "core".into(), consume, FieldTable::default())
        .await
        .unwrap();
    let channel = channel.clone();
    tokio::spawn(async move {
        while let Some(Ok(delivery)) = consumer.next().await {
            assert_eq!(
                topic::node_of_key(delivery.routing_key.as_str()),
                Some(venue.node)
            );
            let envelope = Envelope::<Up>::from_bytes(&delivery.data).unwrap();
            assert_eq!(envelope.sender, Sender::Node(venue.node));
            let answers = state
                .lock()
                .unwrap()
                .hear(&venue, envelope.id, envelope.body);
            for answer in answers {
                let key = topic::down_key(venue.node, &answer);
                publish(&channel, &key, &self::envelope(answer)).await;
            }
        }
    })
}

fn envelope(message: Down) -> Vec<u8> {
    Envelope::new(new_id(), Sender::Core, message).to_bytes()
}

async fn publish(channel: &Channel, key: &str, bytes: &[u8]) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel
        .basic_publish("amq.topic".into(), key.into(), options, bytes, properties)
        .await
        .unwrap();
}

/// The broker's questions about clients; the certificate is the check here.
async fn allow_everything() -> String {
    let router = Router::new().route(
        "/broker/{question}",
        post(|_: UrlPath<String>| async { "allow" }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// Longest wait for something that has to happen.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The scan ids that a journal admits.
pub(crate) fn admitted(rows: &[SealedRow]) -> Vec<ScanId> {
    rows.iter()
        .filter_map(|row| match &row.row().entry {
            JournalEntry::Decision(decision) if decision.verdict == Verdict::Admit => {
                Some(decision.scan)
            }
            JournalEntry::Decision(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Voided { .. } => None,
        })
        .collect()
}
