//! A thread that writes one file, and commands on their way to it.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{Builder, JoinHandle},
};

/// The handle. Dropping it waits until everything that was commanded is done.
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

    /// Gives a command. A writer that is gone has told so, and why; its commands go with it.
    pub(crate) fn command(&self, command: C) {
        if self
            .commands
            .as_ref()
            .is_none_or(|commands| commands.send(command).is_err())
        {
            tracing::error!(
                code = "writer_gone",
                "a command came after the writer's end"
            );
        }
    }
}

impl<C> Drop for WriterThread<C> {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so on its own thread.
            drop(thread.join());
        }
    }
}
