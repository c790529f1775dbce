//! Calls of the node, each in a task of its own. The machine sees to it that there are few.

use std::{path::PathBuf, time::Duration};

use eventify_lan_client::{Pairing, Scanner, SigningKey, Timeouts};
use eventify_protocol::{hash::Hash32, lan::PairingCode};
use tokio::{
    sync::mpsc::UnboundedSender,
    task::{AbortHandle, JoinSet, spawn_blocking},
};

use super::{Done, files, paired};
use crate::{
    clock,
    io::{Answer, Call, CallId, Input, NewPairing, Paired, PeopleAnswer, PeopleCall},
};

/// A scanner that was paired just now.
#[derive(Debug)]
pub(super) struct Fresh {
    scanner: Box<Scanner>,
    stored: bool,
}

pub(super) struct Node {
    scanner: Option<Scanner>,
    /// For the next pairing. Kept until one succeeds: if its answer was lost, the same key keeps the
    /// scanner's id at the node.
    next_key: SigningKey,
    timeouts: Timeouts,
    pairing_path: PathBuf,
    done: UnboundedSender<Done>,
    tasks: JoinSet<()>,
    stream: Option<AbortHandle>,
}

impl Node {
    pub(super) fn new(
        pairing: Option<Pairing>,
        timeouts: Timeouts,
        pairing_path: PathBuf,
        done: UnboundedSender<Done>,
    ) -> Self {
        // TLS that can't be set up shows when somebody pairs.
        let scanner = pairing.and_then(|pairing| Scanner::resume(pairing, timeouts).ok());
        Self {
            scanner,
            next_key: SigningKey::from_bytes(&clock::entropy()),
            timeouts,
            pairing_path,
            done,
            tasks: JoinSet::new(),
            stream: None,
        }
    }

    pub(super) fn paired(&self) -> Option<Paired> {
        self.scanner
            .as_ref()
            .map(|scanner| paired(scanner.pairing()))
    }

    pub(super) fn results(&self) -> UnboundedSender<Done> {
        self.done.clone()
    }

    pub(super) fn call(&mut self, id: CallId, call: Call) {
        let done = self.done.clone();
        if let Call::Pair(code) = call {
            self.pair(id, code);
            return;
        }
        // Calls of a pairing that was forgotten meanwhile have no answer.
        let Some(scanner) = self.scanner.clone() else {
            return;
        };
        let answer = move |answer| drop(done.send(Done::Input(Input::Answered(id, answer))));
        match call {
            Call::Pair(_) => {}
            Call::Renew => {
                let done = self.done.clone();
                self.tasks.spawn(async move {
                    let mut scanner = Box::new(scanner);
                    let renewed = scanner.renew_access().await;
                    drop(done.send(Done::Renewed(id, renewed.map(|()| scanner))));
                });
            }
            Call::Status => {
                self.tasks.spawn(async move {
                    answer(Answer::Status(scanner.status().await.map(Box::new)));
                });
            }
            Call::Scan(request) => {
                self.tasks.spawn(async move {
                    answer(Answer::Scanned(scanner.scan(&request).await.map(Box::new)));
                });
            }
            Call::People(call) => {
                self.tasks.spawn(async move {
                    answer(Answer::People(about_people(&scanner, call).await));
                });
            }
            Call::Listen => {
                if let Some(old) = self.stream.take() {
                    old.abort();
                }
                let task = listen(scanner, id, self.done.clone());
                self.stream = Some(self.tasks.spawn(task));
            }
        }
    }

    fn pair(&mut self, id: CallId, code: PairingCode) {
        let (key, timeouts) = (self.next_key.clone(), self.timeouts);
        let (path, done) = (self.pairing_path.clone(), self.done.clone());
        self.tasks.spawn(async move {
            let label = label(&key);
            let result = match Scanner::pair(&code, key, &label, timeouts).await {
                Ok(scanner) => {
                    let pairing = scanner.pairing().clone();
                    let stored = spawn_blocking(move || files::store(&path, &pairing).is_ok());
                    Ok(Fresh {
                        scanner: Box::new(scanner),
                        stored: stored.await.unwrap_or(false),
                    })
                }
                Err(error) => Err(error),
            };
            drop(done.send(Done::Paired(id, result)));
        });
    }

    /// From now on this is the node.
    pub(super) fn begin(&mut self, fresh: Fresh) -> NewPairing {
        let scanner = *fresh.scanner;
        self.next_key = SigningKey::from_bytes(&clock::entropy());
        let new = NewPairing {
            paired: paired(scanner.pairing()),
            stored: fresh.stored,
            access_for: access_for(&scanner),
        };
        self.scanner = Some(scanner);
        new
    }

    pub(super) fn renewed(&mut self, renewed: Scanner) -> Duration {
        let life = access_for(&renewed);
        let id = renewed.pairing().scanner_id;
        // It may have been paired anew meanwhile.
        if let Some(scanner) = &mut self.scanner
            && scanner.pairing().scanner_id == id
        {
            *scanner = renewed;
        }
        life
    }

    pub(super) fn forget(&mut self) {
        self.scanner = None;
        if let Some(stream) = self.stream.take() {
            stream.abort();
        }
    }

    /// Ended tasks take no memory.
    pub(super) fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }
}

async fn about_people(scanner: &Scanner, call: PeopleCall) -> PeopleAnswer {
    match call {
        PeopleCall::List => PeopleAnswer::Listed(scanner.people().await),
        PeopleCall::BeginSignIn => PeopleAnswer::SignInBegun(scanner.begin_sign_in().await),
        PeopleCall::SignInState(id) => PeopleAnswer::SignInState(scanner.sign_in(id).await),
        PeopleCall::SetPin(request) => PeopleAnswer::PinSet(scanner.set_pin(&request).await),
        PeopleCall::BeginShift(request) => {
            let begun = scanner.begin_shift(request.gate_id, request.proof).await;
            PeopleAnswer::ShiftBegun(begun)
        }
        PeopleCall::CurrentShift => PeopleAnswer::CurrentShift(scanner.shift().await),
        PeopleCall::EndShift => PeopleAnswer::ShiftEnded(scanner.end_shift().await),
        PeopleCall::Authorise(request) => {
            PeopleAnswer::Authorised(scanner.authorise(request.proof).await)
        }
        PeopleCall::Act(request) => PeopleAnswer::Acted(scanner.act(&request).await.map(Box::new)),
        PeopleCall::Search(request) => {
            PeopleAnswer::Found(scanner.search(&request).await.map(Box::new))
        }
        PeopleCall::Counts => PeopleAnswer::Counted(scanner.counts().await.map(Box::new)),
    }
}

async fn listen(scanner: Scanner, id: CallId, done: UnboundedSender<Done>) {
    let send = |input| drop(done.send(Done::Input(input)));
    let mut events = match scanner.events().await {
        Ok(events) => events,
        Err(error) => return send(Input::Answered(id, Answer::Listening(Err(error)))),
    };
    send(Input::Answered(id, Answer::Listening(Ok(()))));
    while let Ok(Some(event)) = events.next().await {
        send(Input::Event(id, event));
    }
    send(Input::Answered(id, Answer::Ended));
}

fn access_for(scanner: &Scanner) -> Duration {
    let access = scanner.access();
    access.map_or(Duration::ZERO, |access| {
        Duration::from_secs(access.expires_in)
    })
}

/// The name that the node gets for this scanner: short, and another one for each key.
pub(super) fn label(key: &SigningKey) -> String {
    let name = Hash32::of(key.verifying_key().as_bytes()).to_string();
    format!("Scanner {}", name[..4].to_uppercase())
}
