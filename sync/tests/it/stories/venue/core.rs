//! What the core sends, as a test wants it.

use eventify_protocol::{
    ids::{MessageId, ScanId, TicketId},
    sync::{
        Ask, DIGEST_ALGORITHM, Delta, Digest, Epoch, FeedEntry, Health, Hello, JournalAck,
        JournalHead, Plan, Position, Scan, ScanVerdict, ScannedTicket, SealedRow, Subject,
        SyncPoint, TicketState, Up, Value, Welcome,
    },
    time::CoreTime,
    verdict::Verdict,
};
use eventify_sync::edge::CoreMessage;

use super::{EPOCH, KEY, NODE, VENUE, Venue, digest_at, disk::entry, ticket_id};

impl Venue {
    /// The oldest message sent that `pick` wants; those before it are passed over.
    pub(crate) fn sent<T>(&mut self, pick: impl Fn(MessageId, Up) -> Option<T>) -> Option<T> {
        while let Some((id, message)) = self.sent.pop_front() {
            if let Some(found) = pick(id, message) {
                return Some(found);
            }
        }
        None
    }

    pub(crate) fn sent_hello(&mut self) -> Option<(MessageId, Hello)> {
        self.sent(|id, message| {
            if let Up::Hello(hello) = message {
                Some((id, hello))
            } else {
                None
            }
        })
    }

    pub(crate) fn sent_health(&mut self) -> Option<Health> {
        self.sent(|_, message| {
            if let Up::Health(health) = message {
                Some(health)
            } else {
                None
            }
        })
    }

    pub(crate) fn sent_scan(&mut self) -> Option<Scan> {
        self.sent(|_, message| {
            if let Up::Scan(scan) = message {
                Some(scan)
            } else {
                None
            }
        })
    }

    /// Answers a question, with the digest that the replica has at its position.
    pub(crate) fn answer_question(&mut self) {
        let position = self.position;
        self.answer_question_at(position, digest_at(position));
    }

    pub(crate) fn answer_question_at(&mut self, position: u64, digest: Digest) {
        self.answer_question_of(EPOCH, position, digest);
    }

    /// A core of this database answers.
    pub(crate) fn answer_question_of(&mut self, epoch: Epoch, position: u64, digest: Digest) {
        let ask = self.take_question();
        self.answer_ask(&ask, (epoch, position, digest));
    }

    /// A question that is held up.
    pub(crate) fn take_question(&mut self) -> Ask {
        let asked = |_, message| {
            if let Up::Ask(ask) = message {
                Some(ask)
            } else {
                None
            }
        };
        self.sent(asked).expect("a question")
    }

    pub(crate) fn answer_ask(&mut self, ask: &Ask, of: (Epoch, u64, Digest)) {
        let (epoch, position, digest) = of;
        let now = self.core_time();
        self.receive(CoreMessage::Point(SyncPoint {
            nonce: ask.nonce,
            node: NODE,
            venue: VENUE,
            epoch,
            position: Position(position),
            digest,
            truth: now,
            core: now,
        }));
    }

    pub(crate) fn welcome(&mut self) {
        let held = self.acked;
        let head = self
            .rows
            .get(usize::try_from(held).expect("few").wrapping_sub(1));
        self.welcome_with(head.map(SealedRow::head));
    }

    /// The core names what it holds of the journal.
    pub(crate) fn welcome_with(&mut self, journal: Option<JournalHead>) {
        let from = Position(self.position);
        self.welcome_at(EPOCH, from, Plan::Delta { from }, journal);
    }

    /// A core of this database names a plan.
    pub(crate) fn welcome_from(&mut self, epoch: Epoch, plan: Plan, journal: Option<JournalHead>) {
        self.welcome_at(epoch, Position(self.position), plan, journal);
    }

    pub(crate) fn welcome_at(
        &mut self,
        epoch: Epoch,
        head: Position,
        plan: Plan,
        journal: Option<JournalHead>,
    ) {
        let is_hello = |message: &Up| matches!(message, Up::Hello(_));
        let mut hellos = self.sent.iter().filter(|(_, message)| is_hello(message));
        let newest = hellos.next_back().map(|(id, _)| *id).expect("a hello");
        self.count_sent(is_hello);
        self.welcome_to(newest, epoch, head, plan, journal);
    }

    pub(crate) fn welcome_to(
        &mut self,
        answers: MessageId,
        epoch: Epoch,
        head: Position,
        plan: Plan,
        journal: Option<JournalHead>,
    ) {
        self.receive(CoreMessage::Welcome(Welcome {
            answers,
            epoch,
            head,
            algorithm: DIGEST_ALGORITHM,
            digest_key: KEY,
            plan,
            journal,
        }));
    }

    /// How many such messages were sent; they are taken away.
    pub(crate) fn count_sent(&mut self, is: impl Fn(&Up) -> bool) -> usize {
        let before = self.sent.len();
        self.sent.retain(|(_, message)| !is(message));
        before - self.sent.len()
    }

    /// Answers the newest question about a scan.
    pub(crate) fn verdict(&mut self, scan: ScanId, verdict: Verdict) {
        self.verdict_of(EPOCH, scan, verdict);
    }

    pub(crate) fn verdict_of(&mut self, epoch: Epoch, scan: ScanId, verdict: Verdict) {
        let question = self.questions_about(scan).last().copied();
        let at = self.core_time();
        self.answer_scan(question.expect("a question"), (epoch, at), scan, verdict);
    }

    /// Answers one of the questions about a scan, at this core time.
    pub(crate) fn answer_scan(
        &mut self,
        answers: MessageId,
        (epoch, at): (Epoch, CoreTime),
        scan: ScanId,
        verdict: Verdict,
    ) {
        self.receive(CoreMessage::Verdict(ScanVerdict {
            scan,
            verdict,
            at,
            epoch,
            answers,
            ticket: None,
        }));
    }

    /// The core answers the newest question about a scan, and names the ticket.
    pub(crate) fn verdict_on(&mut self, scan: ScanId, verdict: Verdict, number: u8) {
        let answers = self.questions_about(scan).pop().expect("a question");
        let ticket = ticket_id(number);
        let found = ScannedTicket::of(ticket, &entry(ticket, TicketState::Valid));
        self.receive(CoreMessage::Verdict(ScanVerdict {
            scan,
            verdict,
            at: self.core_time(),
            epoch: EPOCH,
            answers,
            ticket: Some(found),
        }));
    }

    /// The messages that asked about a scan, oldest first.
    pub(crate) fn questions_about(&self, scan: ScanId) -> Vec<MessageId> {
        let about = self.questions.iter().filter(|(held, _)| *held == scan);
        about.map(|(_, id)| *id).collect()
    }

    /// Acknowledges all rows; their effects are in the feed by the next position.
    pub(crate) fn acknowledge(&mut self) {
        self.acknowledge_of(EPOCH);
    }

    /// A core of this database does.
    pub(crate) fn acknowledge_of(&mut self, epoch: Epoch) {
        let head = self.rows.last().map(SealedRow::head).expect("a row");
        self.acknowledge_end(head, epoch);
    }

    pub(crate) fn acknowledge_end(&mut self, end: JournalHead, epoch: Epoch) {
        self.receive(CoreMessage::JournalAck(JournalAck {
            incarnation: end.incarnation,
            seq: end.seq,
            hash: end.hash,
            position: Position(self.position + 1),
            epoch,
        }));
    }

    /// Sends the next entry of the feed: a ticket's new state.
    pub(crate) fn publish(&mut self, ticket: TicketId, state: TicketState) {
        self.tickets.retain(|(held, _)| *held != ticket);
        self.tickets.push((ticket, state));
        self.state(Subject::Ticket(ticket), Value::Ticket(entry(ticket, state)));
    }

    /// Sends the next entry of the feed.
    pub(crate) fn state(&mut self, subject: Subject, value: Value) {
        self.change(subject, Some(value));
    }

    /// Sends the next entry of the feed: the subject is gone.
    pub(crate) fn delete(&mut self, subject: Subject) {
        self.change(subject, None);
    }

    fn change(&mut self, subject: Subject, value: Option<Value>) {
        let from = Position(self.position);
        let entry = FeedEntry {
            subject,
            version: self.position + 2,
            value,
        };
        self.receive(CoreMessage::Delta(Delta {
            epoch: EPOCH,
            from,
            to: from.next(),
            entries: vec![entry],
        }));
    }
}
