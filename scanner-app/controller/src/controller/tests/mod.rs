//! A gate on paper: the app, a node that answers what the test says, and time that the test passes.

mod acts;
mod crew;
mod exits;
mod finding;
mod fixtures;
mod line;
mod people;
mod scans;
mod sign_in;
mod staff;
mod typing;

use eventify_lan_client::{ClientError, Refusal};
use eventify_protocol::{
    error::ErrorDetail,
    ids::{CorrelationId, GateId, NodeId, ScanId, VenueId},
    lan::{
        GateStatus, JournalStatus, NodeStatus, People, ReplicaStatus, ScanAnswer, ScanRequest,
        StreamEvent,
    },
    sync::{JournalHead, Position},
    time::{CoreTime, WallTime},
    verdict::{DecidedBy, FirstEntry, Mode, Verdict},
};
use uuid::Uuid;

use self::fixtures::{answer, kept, no_answer, nobody, node_status, refused, status, used};
use super::*;
use crate::{
    command::{Command, KeyStroke},
    io::{Answer, Call, CallId, KeptScan, PeopleAnswer, PeopleCall, WriteId},
    view::{Screen, Shown},
};

const START_MS: u64 = 1_795_890_000_000;

fn gate_id(number: u128) -> GateId {
    GateId(Uuid::from_u128(number))
}

struct Gate {
    app: Controller,
    now: Now,
    calls: Vec<(CallId, Call)>,
    writes: Vec<(WriteId, Write)>,
    sounds: Vec<Rhythm>,
    others: Vec<Output>,
}

impl Gate {
    /// Switched on, with this on the disk.
    fn with(loaded: Loaded) -> Self {
        let mut gate = Self {
            app: Controller::new(Settings::in_language("en")),
            now: Now {
                boot: BootTime(9_000_000_000_000),
                wall: WallTime(i64::try_from(START_MS * 1_000).unwrap()),
                random: [7; 16],
            },
            calls: Vec::new(),
            writes: Vec::new(),
            sounds: Vec::new(),
            others: Vec::new(),
        };
        gate.send(Input::Loaded(Box::new(loaded)));
        gate
    }

    fn paired(scans: Vec<KeptScan>) -> Loaded {
        Loaded {
            pairing: Some(Paired {
                gates: vec![gate_id(1), gate_id(2)],
                label: "Scanner 1".to_owned(),
            }),
            place: Some(StoredPlace {
                gate_id: gate_id(1),
                performance_id: None,
            }),
            scans,
            ..Loaded::default()
        }
    }

    /// At the scan screen, with a node that is online.
    fn open() -> Self {
        let mut gate = Self::with(Self::paired(vec![]));
        gate.connect();
        gate.mode(Mode::Online, None);
        assert_eq!(
            gate.screen(),
            Screen::Ready {
                last: None,
                typed: None
            }
        );
        gate
    }

    /// Answers what the app asks for until it listens.
    fn connect(&mut self) {
        let life = Duration::from_secs(600);
        self.answer(
            |call| matches!(call, Call::Renew),
            Answer::Renewed(Ok(life)),
        );
        self.answer(
            |call| matches!(call, Call::Listen),
            Answer::Listening(Ok(())),
        );
        self.answer(|call| matches!(call, Call::Status), status(&[1, 2]));
        self.answer_people(
            |call| matches!(call, PeopleCall::List),
            PeopleAnswer::Listed(Ok(nobody())),
        );
        self.answer_people(
            |call| matches!(call, PeopleCall::CurrentShift),
            PeopleAnswer::CurrentShift(Ok(None)),
        );
    }

    fn answer_people(&mut self, wanted: impl Fn(&PeopleCall) -> bool, answer: PeopleAnswer) {
        let is_it = |call: &Call| matches!(call, Call::People(call) if wanted(call));
        self.answer(is_it, Answer::People(answer));
    }

    /// What the node is being asked about people, the newest first.
    fn people_call(&self, wanted: impl Fn(&PeopleCall) -> bool) -> Option<&PeopleCall> {
        let mut calls = self.calls.iter().rev();
        calls.find_map(|(_, call)| {
            let Call::People(call) = call else {
                return None;
            };
            wanted(call).then_some(call)
        })
    }

    fn send(&mut self, input: Input) {
        self.app.handle(input, self.now);
        self.take();
    }

    fn command(&mut self, command: Command) {
        self.send(Input::Command(command));
    }

    fn take(&mut self) {
        self.now.random[15] = self.now.random[15].wrapping_add(1);
        while let Some(output) = self.app.poll_output() {
            match output {
                Output::Call(id, call) => self.calls.push((id, call)),
                Output::Write(id, write) => self.writes.push((id, write)),
                Output::Play { rhythm, .. } => self.sounds.push(rhythm),
                Output::ViewChanged => {}
                other @ (Output::HashPin { .. }
                | Output::CheckPin { .. }
                | Output::Vibrate(_)
                | Output::LeaveFullScreen) => self.others.push(other),
            }
        }
    }

    /// Time passes, and what is due in it happens.
    fn pass(&mut self, ms: u64) {
        let end = self.now.boot.plus(Duration::from_millis(ms));
        for turn in 0.. {
            assert!(turn < 10_000, "the app never comes to rest");
            let due = self.app.poll_timeout().filter(|due| *due <= end);
            let to = due.unwrap_or(end);
            let passed = to.since(self.now.boot);
            self.now.boot = to;
            self.now.wall = self.now.wall.plus(passed);
            if due.is_none() {
                return;
            }
            self.app.handle_timeout(self.now);
            self.take();
        }
    }

    fn screen(&self) -> Screen {
        self.app.view(self.now).screen
    }

    fn notices(&self) -> Vec<Notice> {
        self.app.view(self.now).notices
    }

    fn shown(&self) -> Shown {
        let Screen::Verdict(shown) = self.screen() else {
            panic!("{:?}", self.screen())
        };
        shown
    }

    fn take_call(&mut self, wanted: impl Fn(&Call) -> bool) -> CallId {
        let at = self.calls.iter().position(|(_, call)| wanted(call));
        let at = at.unwrap_or_else(|| panic!("not among {:?}", self.calls));
        self.calls.remove(at).0
    }

    fn answer(&mut self, wanted: impl Fn(&Call) -> bool, answer: Answer) {
        let call = self.take_call(wanted);
        self.send(Input::Answered(call, answer));
    }

    /// The imager reads a code, and the disk takes what has to be on it.
    fn scan(&mut self, text: &str) {
        let text = text.to_owned();
        self.command(Command::CameraRead { text: text.into() });
        self.store(true);
    }

    fn store(&mut self, is_stored: bool) {
        for (id, _) in std::mem::take(&mut self.writes) {
            self.send(Input::Written(id, is_stored));
        }
    }

    /// The scan that the node is being asked about.
    fn asked(&self) -> Option<ScanRequest> {
        self.calls.iter().find_map(|(_, call)| match call {
            Call::Scan(request) => Some(request.clone()),
            Call::Pair(_) | Call::Renew | Call::Status | Call::Listen | Call::People(_) => None,
        })
    }

    fn scan_result(&mut self, result: Result<ScanAnswer, ClientError>) {
        let answer = Answer::Scanned(result.map(Box::new));
        self.answer(|call| matches!(call, Call::Scan(_)), answer);
    }

    fn verdict(&mut self, verdict: Verdict) {
        let scan_id = self.asked().expect("a scan is asked").scan_id;
        self.scan_result(Ok(answer(scan_id, verdict)));
    }

    fn mode(&mut self, mode: Mode, remaining: Option<Duration>) {
        let stream = self.app.link.stream_call().expect("a stream is open");
        let event = StreamEvent::Mode {
            mode,
            reason: None,
            cache_age_ms: remaining.map(|_| 5_000),
            max_cache_age_ms: 300_000,
            remaining_ms: remaining.map(|left| left.as_millis().try_into().unwrap()),
            unacknowledged: 0,
        };
        self.send(Input::Event(stream, event));
    }

    fn stream_ends(&mut self) {
        let stream = self.app.link.stream_call().expect("a stream is open");
        self.send(Input::Answered(stream, Answer::Ended));
    }

    /// A person types, a key each quarter of a second.
    fn type_keys(&mut self, codes: &[&str]) {
        for code in codes {
            self.pass(250);
            let at_ms = u32::try_from(self.now.boot.0 / 1_000_000 % u64::from(u32::MAX)).unwrap();
            let strokes = vec![KeyStroke {
                code: (*code).to_owned(),
                shift: false,
                caps_lock: false,
                repeat: false,
                at_ms,
            }];
            self.command(Command::Keys { strokes });
        }
        self.pass(250);
    }
}
