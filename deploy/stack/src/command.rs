//! A command that runs beside a stack and is told of it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, ExitStatus};

use tokio::task::JoinHandle;

use crate::error::{During, Result, StackError};
use crate::process::{self, Ending};
use crate::stack::{DESCRIPTION_VARIABLE, Stack};

/// Shares our terminal and our process group: a Ctrl-C reaches it without our help.
#[derive(Debug)]
pub struct Command {
    pid: rustix::process::Pid,
    ending: JoinHandle<std::io::Result<ExitStatus>>,
}

impl Command {
    /// Starts `command` (the program and its arguments) with `EVENTIFY_STACK` set.
    pub fn start(stack: &Stack, command: &[OsString]) -> Result<Self> {
        let (Some((program, arguments)), Some(description)) =
            (command.split_first(), stack.description_file())
        else {
            return Err(StackError::Missing {
                missing: "a program to run, or the stack's own servers".to_owned(),
                remedy: "name a program; start it from the process that owns the stack",
            });
        };
        let mut tied = process::tied_to_us(Path::new(program), Ending::Terminate, None);
        tied.args(arguments).env(DESCRIPTION_VARIABLE, description);
        let child = process::spawn(tied).during(|| format!("starting {}", program.display()))?;
        let pid = rustix::process::Pid::from_child(&child);
        let wait = |mut child: Child| move || child.wait();
        Ok(Self {
            pid,
            ending: tokio::task::spawn_blocking(wait(child)),
        })
    }

    /// Waits for its end. Safe to drop and call again until it has answered.
    pub async fn end(&mut self) -> Result<ExitStatus> {
        let status = (&mut self.ending).await.map_err(std::io::Error::other);
        status
            .and_then(|status| status)
            .during(|| "waiting for the command".to_owned())
    }

    /// Sends SIGTERM, unless it has ended already.
    pub fn ask_to_end(&self) {
        if !self.ending.is_finished() {
            process::signal(self.pid, Ending::Terminate);
        }
    }
}
