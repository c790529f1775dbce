//! A command that runs beside a stack.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, ExitStatus};

use tokio::task::JoinHandle;

use crate::error::{During, Result, StackError};
use crate::process::{self, StopSignal};
use crate::stack::{DESCRIPTION_VARIABLE, Stack};

/// A running command. It shares our terminal and process group, so a Ctrl-C reaches it directly.
#[derive(Debug)]
pub struct Command {
    pid: rustix::process::Pid,
    waiting: JoinHandle<std::io::Result<ExitStatus>>,
}

impl Command {
    /// Starts `command` (the program and its arguments) with `EVENTIFY_STACK` set.
    pub fn start(stack: &Stack, command: &[OsString]) -> Result<Self> {
        let (Some((program, arguments)), Some(description)) =
            (command.split_first(), stack.description_file())
        else {
            return Err(StackError::Missing {
                missing: "a program to run, or a stack of this process".to_owned(),
                remedy: "name a program, and call this in the process that started the stack",
            });
        };
        let mut command_line =
            process::bound_to_parent(Path::new(program), StopSignal::Terminate, None);
        command_line
            .args(arguments)
            .env(DESCRIPTION_VARIABLE, description);
        let child =
            process::spawn(command_line).during(|| format!("starting {}", program.display()))?;
        let pid = rustix::process::Pid::from_child(&child);
        let wait = |mut child: Child| move || child.wait();
        Ok(Self {
            pid,
            waiting: tokio::task::spawn_blocking(wait(child)),
        })
    }

    /// Waits for its end. May be dropped and called again before it returns.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let status = (&mut self.waiting).await.map_err(std::io::Error::other);
        status
            .and_then(|status| status)
            .during(|| "waiting for the command".to_owned())
    }

    /// Sends SIGTERM, unless it has ended already.
    pub fn terminate(&self) {
        if !self.waiting.is_finished() {
            process::signal(self.pid, StopSignal::Terminate);
        }
    }
}
