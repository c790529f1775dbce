//! The whole app without its window: carries out what the [`Controller`] says, against the node and the
//! disk, and tells it what came of it. Inputs go in and views and effects come out by channels.
//!
//! | file | what |
//! |---|---|
//! | `mod` | the loop, and its channels |
//! | `node` | calls of the node |
//! | `files`, `scan_log` | what is stored, by a thread of its own, in the order of the outputs |
//! | `log` | log lines for venue IT |
//!
//! Deliberately absent: windows, loudspeakers and devices. Their owners send [`Input`]s and obey
//! [`Effect`]s.

mod files;
mod log;
mod node;
mod scan_log;

use std::{io, path::PathBuf, time::Duration};

use eventify_disk::pin::PinHash;
use eventify_lan_client::Timeouts;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use self::{files::Files, log::Log, node::Node};
pub use crate::clock::Clock;

use crate::{
    controller::Controller,
    io::{Answer, CallId, Input, Output, Paired},
    tones::Rhythm,
    view::{Settings, View},
};

/// Inputs that wait. A window or an imager that sends faster than this waits itself.
const MAX_INPUTS: usize = 256;
/// Effects that wait for their owner. More of them are dropped: a sound that comes late says something
/// wrong.
const MAX_EFFECTS: usize = 16;
/// Longest sleep: after a suspend the timers of the runtime are late.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// How the app is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it stores what has to outlive it. Made, for its user alone.
    pub folder: PathBuf,
    /// Of a scanner at a gate.
    pub timeouts: Timeouts,
    /// Until another one is set.
    pub language: String,
    pub clock: Clock,
}

impl Config {
    /// For a node on the LAN of a venue.
    #[must_use]
    pub fn in_folder(folder: PathBuf, language: &str) -> Self {
        Self {
            folder,
            timeouts: Timeouts {
                connect: Duration::from_secs(1),
                request: Duration::from_secs(3),
                silence: Duration::from_secs(3),
            },
            language: language.to_owned(),
            clock: Clock::default(),
        }
    }
}

/// What the surroundings have to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// [`Rhythm::samples`] has them.
    Play {
        rhythm: Rhythm,
        volume: u8,
    },
    /// Milliseconds on, off, on, ….
    Vibrate(&'static [u32]),
    LeaveFullScreen,
}

/// The running app. Dropped, it takes no more inputs and ends; [`App::stop`] also waits for the disk.
#[derive(Debug)]
pub struct App {
    inputs: mpsc::Sender<Input>,
    view: watch::Receiver<View>,
    effects: mpsc::Receiver<Effect>,
    /// Dropped, it says that the app is to end.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl App {
    /// Starts in a runtime of tokio. Reads the disk before it returns.
    ///
    /// # Errors
    /// The folder can't be made, or is of another user.
    pub fn start(config: &Config) -> io::Result<Self> {
        let (done, results) = mpsc::unbounded_channel();
        let (files, stored) = Files::open(&config.folder, done.clone())?;
        let clock = config.clock.clone();
        let settings = Settings::in_language(&config.language);
        let mut controller = Controller::new(settings);
        let node = Node::new(stored.pairing, config.timeouts, files.pairing_path(), done);
        let loaded = crate::io::Loaded {
            pairing: node.paired(),
            ..stored.loaded
        };
        Log::loaded(&loaded);
        controller.handle(Input::Loaded(Box::new(loaded)), clock.now());
        let (inputs, incoming) = mpsc::channel(MAX_INPUTS);
        let (views, view) = watch::channel(controller.view(clock.now()));
        let (effects, outgoing) = mpsc::channel(MAX_EFFECTS);
        let (stop, stopped) = oneshot::channel();
        let shell = Shell {
            controller,
            node,
            files,
            views,
            effects,
            tasks: JoinSet::new(),
            log: Log::default(),
            clock,
        };
        Ok(Self {
            inputs,
            view,
            effects: outgoing,
            stop,
            task: tokio::spawn(shell.run(incoming, results, stopped)),
        })
    }

    /// For everybody who sends inputs.
    #[must_use]
    pub fn inputs(&self) -> mpsc::Sender<Input> {
        self.inputs.clone()
    }

    /// The newest view.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// The next effect; none when the app has ended.
    pub async fn effect(&mut self) -> Option<Effect> {
        self.effects.recv().await
    }

    /// Ends with everything on the disk that came of the inputs sent until now. Whoever still has
    /// [`App::inputs`] finds them closed.
    pub async fn stop(self) {
        drop(self.stop);
        // It panics only where a test would want to know.
        if let Err(error) = self.task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    /// Ends at once, as if the machine had lost its power.
    pub fn kill(self) {
        self.task.abort();
    }
}

/// What has become of an output. One for each at most, which bounds the channel.
#[derive(Debug)]
enum Done {
    Input(Input),
    Paired(
        CallId,
        Result<node::Fresh, eventify_lan_client::ClientError>,
    ),
    Renewed(
        CallId,
        Result<Box<eventify_lan_client::Scanner>, eventify_lan_client::ClientError>,
    ),
}

struct Shell {
    controller: Controller,
    node: Node,
    files: Files,
    views: watch::Sender<View>,
    effects: mpsc::Sender<Effect>,
    /// Of the slow hashes; ended with the app.
    tasks: JoinSet<()>,
    log: Log,
    clock: Clock,
}

impl Shell {
    async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut results: mpsc::UnboundedReceiver<Done>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        loop {
            self.carry_out();
            let now = self.clock.now();
            let due = self.controller.poll_timeout();
            let pause = due.map_or(MAX_SLEEP, |due| due.since(now.boot).min(MAX_SLEEP));
            tokio::select! {
                result = results.recv() => match result {
                    Some(done) => self.done(done),
                    None => break,
                },
                input = inputs.recv() => match input {
                    Some(input) => self.controller.handle(input, self.clock.now()),
                    None => break,
                },
                // What waits is still taken.
                _ = &mut stopped, if !inputs.is_closed() => inputs.close(),
                () = sleep(pause) => {
                    let now = self.clock.now();
                    if due.is_some_and(|due| due <= now.boot) {
                        self.controller.handle_timeout(now);
                    }
                }
            }
            self.node.reap();
            while self.tasks.try_join_next().is_some() {}
        }
        self.files.close().await;
    }

    fn done(&mut self, done: Done) {
        let input = match done {
            Done::Input(input) => input,
            Done::Paired(call, result) => {
                let answer = result.map(|fresh| self.node.begin(fresh));
                match &answer {
                    Ok(new) => Log::paired(new.stored),
                    Err(error) => Log::not_paired(error),
                }
                Input::Answered(call, Answer::Paired(answer))
            }
            Done::Renewed(call, result) => {
                let answer = result.map(|scanner| self.node.renewed(*scanner));
                Input::Answered(call, Answer::Renewed(answer))
            }
        };
        self.controller.handle(input, self.clock.now());
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.controller.poll_output() {
            match output {
                Output::Call(id, call) => self.node.call(id, call),
                Output::Write(id, write) => {
                    if write == crate::io::Write::ForgetPairing {
                        self.node.forget();
                    }
                    self.files.write(id, write);
                }
                Output::HashPin { pin, salt } => {
                    self.compute(move || Input::PinHashed(PinHash::new(&pin, salt)));
                }
                Output::CheckPin { pin, hash } => {
                    self.compute(move || Input::PinChecked(hash.is_of(&pin)));
                }
                Output::Play { rhythm, volume } => self.effect(Effect::Play { rhythm, volume }),
                Output::Vibrate(pattern) => self.effect(Effect::Vibrate(pattern)),
                Output::LeaveFullScreen => self.effect(Effect::LeaveFullScreen),
                Output::ViewChanged => {
                    let view = self.controller.view(self.clock.now());
                    self.log.view(&view);
                    self.views.send_replace(view);
                }
            }
        }
    }

    /// Dropped if nobody takes effects: a window that is closing.
    fn effect(&self, effect: Effect) {
        drop(self.effects.try_send(effect));
    }

    /// Slow on purpose, and so not in the loop.
    fn compute(&mut self, work: impl FnOnce() -> Input + Send + 'static) {
        let done = self.node.results();
        self.tasks.spawn_blocking(move || {
            drop(done.send(Done::Input(work())));
        });
    }
}

/// What the controller knows of a pairing.
fn paired(pairing: &eventify_lan_client::Pairing) -> Paired {
    Paired {
        gates: pairing.gates.clone(),
        label: node::label(&pairing.key),
    }
}
