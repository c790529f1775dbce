//! A thread that writes one file, and the queue of its commands.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{Builder, JoinHandle},
};

/// The handle. Dropping it waits until all commands are executed.
#[derive(Debug)]
pub(crate) struct WriterThread<C> {
    commands: Option<Sender<C>>,
    thread: Option<JoinHandle<()>>,
}

impl<C: Send + 'static> WriterThread<C> {
    pub(crate) fn start(
        name: &str,
        run: impl FnOnce(&Receiver<C>) + Send + 'static,
    ) -> io::Result<Self> {
        let (commands, waiting) = channel();
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&waiting))?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
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

impl<C> Drop for WriterThread<C> {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has printed that on its own thread.
            drop(thread.join());
        }
    }
}
