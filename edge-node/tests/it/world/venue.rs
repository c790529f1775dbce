//! A venue as the core would make it: keys, gates, a performance, tickets, and the node's identity.

use std::{collections::BTreeMap, path::Path, sync::mpsc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_edge::{
    clock::{Clock, new_id},
    identity::Identity,
    store::{Notice, Replica, SnapshotPlan},
};
use eventify_protocol::{
    enrolment::BrokerAddress,
    hash::Hash32,
    ids::{GateId, NodeId, PerformanceId, ScanId, SnapshotId, TicketId, VenueId},
    keys::{KeyEntry, KeySet, KeyStatus, KeyUse, PrivateKey, RootKey, Signer, Window},
    short_code::ShortCode,
    sync::{
        AdmissionWindow, CategoryName, Chunk, DigestKey, Epoch, FeedEntry, GateEntry, NodeEntry,
        PerformanceEntry, PerformanceState, PolicyEntry, Position, Reentry, Subject, TicketEntry,
        TicketState, Value,
    },
    time::CoreTime,
    token::{Claims, Parsed, TicketSigner},
};
use eventify_sync::edge::{Now, SavedProof};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use uuid::Uuid;

pub(crate) const EPOCH: Epoch = Epoch {
    system: 42,
    timeline: 1,
};
pub(crate) const DIGEST_KEY: DigestKey = DigestKey(Hash32([7; 32]));
/// Entries of one chunk, well below a message's size.
const CHUNK_ENTRIES: usize = 500;
const WINDOW: Window = Window {
    not_before: 0,
    not_after: 4_000_000_000,
};

pub(crate) struct Venue {
    pub(crate) id: VenueId,
    pub(crate) node: NodeId,
    pub(crate) north: GateId,
    pub(crate) south: GateId,
    pub(crate) performance: PerformanceId,
    pub(crate) root: RootKey,
    pub(crate) sync: Signer,
    tickets: TicketSigner,
    next_tickets: TicketSigner,
}

#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) id: TicketId,
    pub(crate) token: String,
    pub(crate) entry: TicketEntry,
}

impl Venue {
    pub(crate) fn new() -> Self {
        Self::with_seed(1)
    }

    /// A venue whose keys are its own.
    pub(crate) fn with_seed(first: u8) -> Self {
        let key = |number: u8| PrivateKey::from_seed(&[first + number; 32]);
        Self {
            id: new_id(),
            node: new_id(),
            north: new_id(),
            south: new_id(),
            performance: new_id(),
            root: RootKey::new(key(1)),
            sync: Signer::for_sync(key(2)),
            tickets: TicketSigner::new(key(3), WINDOW),
            next_tickets: TicketSigner::new(key(4), WINDOW),
        }
    }

    pub(crate) fn keys(&self) -> KeySet {
        self.keys_with(1, vec![self.tickets.entry()])
    }

    /// The next key set: a second ticket key beside the first.
    pub(crate) fn rotated_keys(&self) -> KeySet {
        self.keys_with(2, vec![self.tickets.entry(), self.next_tickets.entry()])
    }

    fn keys_with(&self, version: u64, mut keys: Vec<KeyEntry>) -> KeySet {
        keys.push(KeyEntry {
            key: self.sync.public(),
            key_use: KeyUse::Sync,
            window: WINDOW,
            status: KeyStatus::Active,
        });
        KeySet::new(version, keys).unwrap()
    }

    /// A ticket that is good all day.
    pub(crate) fn ticket(&self, number: u64) -> Ticket {
        self.ticket_by(&self.tickets, number)
    }

    /// A ticket of the second key.
    pub(crate) fn rotated_ticket(&self, number: u64) -> Ticket {
        self.ticket_by(&self.next_tickets, number)
    }

    fn ticket_by(&self, signer: &TicketSigner, number: u64) -> Ticket {
        let id = TicketId(Uuid::from_u128(u128::from(number) << 64 | 0x7000_8000));
        let claims = Claims {
            ticket: id,
            performance: self.performance,
            category: "A".parse().unwrap(),
            not_before: 1_000_000,
            expiry: 3_900_000_000,
            revision: 1,
        };
        let token = signer.sign(&claims).unwrap().to_string();
        let entry = TicketEntry {
            token: Parsed::read(&token).unwrap().hash(),
            performance: self.performance,
            category: claims.category,
            state: TicketState::Valid,
            place: Some(format!("A-{number}")),
            code: None,
        };
        Ticket { id, token, entry }
    }

    /// The feed's entry of a ticket with a short code.
    pub(crate) fn coded(&self, ticket: &Ticket, version: u64, code: &str) -> FeedEntry {
        let code: ShortCode = code.parse().unwrap();
        FeedEntry {
            subject: Subject::Ticket(ticket.id),
            version,
            value: Some(Value::Ticket(TicketEntry {
                code: Some(code.hash(self.id).tag()),
                ..ticket.entry.clone()
            })),
        }
    }

    pub(crate) fn many_tickets(&self, count: u64) -> Vec<Ticket> {
        (0..count).map(|number| self.ticket(number)).collect()
    }

    /// What a feed begins with.
    pub(crate) fn small(&self) -> Vec<FeedEntry> {
        let gate = |name: &str| {
            Value::Gate(GateEntry {
                name: name.to_owned(),
                performances: vec![],
                categories: vec![],
            })
        };
        let node = NodeEntry {
            label: "Foyer".to_owned(),
            gates: vec![self.north, self.south],
            revoked: false,
        };
        let key_set = self.root.sign(&self.keys()).as_bytes().to_vec();
        [
            (
                Subject::Policy,
                Value::Policy(PolicyEntry {
                    max_cache_age_ms: 300_000,
                    ..PolicyEntry::default()
                }),
            ),
            (Subject::KeySet, Value::KeySet(key_set)),
            (Subject::Node(self.node), Value::Node(node)),
            (Subject::Gate(self.north), gate("North")),
            (Subject::Gate(self.south), gate("South")),
        ]
        .map(|(subject, value)| FeedEntry {
            subject,
            version: 1,
            value: Some(value),
        })
        .into_iter()
        .chain([self.show(1, (1_000_000, 3_900_000_000))])
        .collect()
    }

    /// The show, and when it admits.
    pub(crate) fn show(&self, version: u64, (from, until): (i64, i64)) -> FeedEntry {
        let entry = PerformanceEntry {
            title: "Opening night".to_owned(),
            doors_at: from,
            starts_at: from + 3_600,
            ends_at: None,
            admits: AdmissionWindow { from, until },
            state: PerformanceState::Scheduled,
            categories: Some(vec![CategoryName {
                code: "A".parse().unwrap(),
                name: "Stalls".to_owned(),
            }]),
            reentry: Some(Reentry::Allowed),
            restarts_at: None,
        };
        FeedEntry {
            subject: Subject::Performance(self.performance),
            version,
            value: Some(Value::Performance(entry)),
        }
    }

    /// An identity with a certificate of its own making, for nodes that reach no broker.
    pub(crate) fn identity(&self, broker: BrokerAddress) -> Identity {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new(vec![])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        self.identity_with(broker, certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn identity_with(
        &self,
        broker: BrokerAddress,
        certificate_chain: String,
        private_key: String,
    ) -> Identity {
        Identity {
            node_id: self.node,
            venue_id: self.id,
            label: "Foyer".to_owned(),
            core: "https://core.invalid".to_owned(),
            broker,
            certificate_chain,
            private_key,
            lan_key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
                .unwrap()
                .serialize_pem(),
            root_key: URL_SAFE_NO_PAD.encode(self.root.public().as_bytes()),
            key_set: URL_SAFE_NO_PAD.encode(self.root.sign(&self.keys()).as_bytes()),
        }
    }

    /// No broker is there.
    pub(crate) fn nowhere() -> BrokerAddress {
        let key = KeyPair::generate().unwrap();
        let authority = CertificateParams::new(vec![])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        BrokerAddress {
            host: "127.0.0.1".to_owned(),
            port: 9,
            authority: authority.pem(),
        }
    }

    /// Makes a data directory as a node leaves it that was connected a moment ago: identity, replica,
    /// and the proof that its cache was true just now.
    pub(crate) fn furnish(&self, data_dir: &Path, tickets: &[Ticket], clock: Clock) {
        self.identity(Self::nowhere()).save(data_dir).unwrap();
        let (say, notices) = mpsc::channel();
        let (replica, ..) = Replica::open(data_dir, move |notice| drop(say.send(notice))).unwrap();
        let (plan, chunks) = snapshot(&entries(self, tickets));
        replica.begin_snapshot(plan);
        for chunk in chunks {
            replica.store_chunk(chunk);
        }
        replica.finish_snapshot(plan.snapshot);
        assert!(matches!(
            notices.recv().unwrap(),
            Notice::SnapshotReady { .. }
        ));
        let asked = Now {
            boottime: clock.boottime(),
            wall: clock.wall(),
        };
        let core = CoreTime(asked.wall.0);
        let proof = SavedProof {
            boot: clock.boot(),
            asked,
            answered: asked.boottime,
            epoch: EPOCH,
            position: plan.position,
            truth: core,
            core,
        };
        replica.update_proof(proof, None);
        drop(replica);
    }
}

impl Ticket {
    /// Its first entry in the feed.
    pub(crate) fn feed_entry(&self) -> FeedEntry {
        FeedEntry {
            subject: Subject::Ticket(self.id),
            version: 1,
            value: Some(Value::Ticket(self.entry.clone())),
        }
    }
}

/// A feed's state as entries in the order of a snapshot.
pub(crate) fn entries(venue: &Venue, tickets: &[Ticket]) -> Vec<FeedEntry> {
    let tickets = tickets.iter().map(Ticket::feed_entry);
    let rows: BTreeMap<Subject, FeedEntry> = venue
        .small()
        .into_iter()
        .chain(tickets)
        .map(|entry| (entry.subject, entry))
        .collect();
    rows.into_values().collect()
}

/// A stored snapshot of some entries; its position is their number.
pub(crate) fn snapshot(entries: &[FeedEntry]) -> (SnapshotPlan, Vec<Chunk>) {
    let snapshot: SnapshotId = new_id();
    let parts: Vec<Vec<u8>> = entries
        .chunks(CHUNK_ENTRIES)
        .map(|part| minicbor::to_vec(part.to_vec()).unwrap())
        .collect();
    let of = u32::try_from(parts.len()).unwrap();
    let plan = SnapshotPlan {
        snapshot,
        epoch: EPOCH,
        position: Position(entries.len() as u64),
        chunks: of,
        hash: Hash32::of(&parts.concat()),
        digest_key: DIGEST_KEY,
    };
    let chunk = |(index, bytes): (u32, Vec<u8>)| Chunk {
        snapshot,
        index,
        of,
        bytes: bytes.into(),
    };
    (plan, (0..).zip(parts).map(chunk).collect())
}

pub(crate) fn scan_id() -> ScanId {
    new_id()
}
