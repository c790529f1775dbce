//! A thread that writes one file, and the queue of its commands.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvError, Sender, TryRecvError, channel},
    },
    thread::{Builder, JoinHandle, park_timeout},
    time::Duration,
};

/// Between two attempts at a file that another program holds, beside the time that SQLite waits.
const PAUSE: Duration = Duration::from_millis(20);

/// The handle. Dropping it waits until all commands are executed.
#[derive(Debug)]
pub(crate) struct WriterThread<C> {
    commands: Option<Sender<C>>,
    thread: Option<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
}

/// The thread's end of the queue.
pub(crate) struct Queue<C> {
    commands: Receiver<C>,
    stopping: Arc<AtomicBool>,
}

impl<C: Send + 'static> WriterThread<C> {
    pub(crate) fn start(
        name: &str,
        run: impl FnOnce(&Queue<C>) + Send + 'static,
    ) -> io::Result<Self> {
        let (commands, waiting) = channel();
        let stopping = Arc::new(AtomicBool::new(false));
        let queue = Queue {
            commands: waiting,
            stopping: Arc::clone(&stopping),
        };
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&queue))?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
            stopping,
        })
    }

    /// Queues a command. A writer that has ended has reported why; later commands are lost.
    pub(crate) fn command(&self, command: C) {
        if self
            .commands
            .as_ref()
            .is_none_or(|commands| commands.send(command).is_err())
        {
            tracing::error!(
                code = "storage.writer_stopped",
                "a write was requested after the writer of this file had stopped"
            );
        }
    }
}

impl<C> Queue<C> {
    pub(crate) fn recv(&self) -> Result<C, RecvError> {
        self.commands.recv()
    }

    pub(crate) fn try_recv(&self) -> Result<C, TryRecvError> {
        self.commands.try_recv()
    }

    /// Attempts a write until no other program holds the file, or this one stops. `held` is called once,
    /// when the first attempt has failed.
    pub(crate) fn until_free<T, E>(
        &self,
        is_held: impl Fn(&E) -> bool,
        held: impl Fn(),
        mut attempt: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut result = attempt();
        if result.as_ref().is_err_and(&is_held) {
            held();
        }
        while result.as_ref().is_err_and(&is_held) && !self.stopping.load(Ordering::Relaxed) {
            park_timeout(PAUSE);
            result = attempt();
        }
        result
    }
}

impl<C> Drop for WriterThread<C> {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A writer that panicked has printed that on its own thread.
            drop(thread.join());
        }
    }
}
