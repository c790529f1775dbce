//! `eventify-edge doctor`: checks everything that the node needs and says what to do.

mod job;
mod machine;
mod network;
mod running;
mod stores;

use std::{fmt, io::Write, process::ExitCode};

use crate::{config::Config, identity::Identity};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// The result of one check: one line of the report.
#[derive(Debug)]
struct Finding {
    level: Level,
    subject: &'static str,
    text: String,
}

impl Finding {
    fn ok(subject: &'static str, text: impl fmt::Display) -> Self {
        Self::new(Level::Ok, subject, text)
    }

    fn warn(subject: &'static str, text: impl fmt::Display) -> Self {
        Self::new(Level::Warn, subject, text)
    }

    fn fail(subject: &'static str, text: impl fmt::Display) -> Self {
        Self::new(Level::Fail, subject, text)
    }

    fn new(level: Level, subject: &'static str, text: impl fmt::Display) -> Self {
        Self {
            level,
            subject,
            text: text.to_string(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        write!(f, "{level:<5} {:<12} {}", self.subject, self.text)
    }
}

/// Runs all checks. Fails if one of them fails.
pub(super) async fn doctor(config: &Config, output: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut worst = Level::Ok;
    let mut report = |finding: Finding| -> std::io::Result<()> {
        worst = worst.max(finding.level);
        writeln!(output, "{finding}")
    };
    for finding in machine::clocks().into_iter().chain(machine::disk(config)) {
        report(finding)?;
    }
    if let Some(finding) = stores::held(config) {
        report(finding)?;
    }
    report(stores::journal(config))?;
    report(stores::replica(config))?;
    report(stores::scanners(config))?;
    report(network::port(config).await)?;
    let status = running::status(config).await;
    for finding in running::findings(config, status.as_ref()).await {
        report(finding)?;
    }
    match Identity::load(&config.data_dir) {
        Ok(identity) => {
            let identity = identity.behind(config.broker.as_ref());
            let name = format!("{} ({})", identity.label, identity.node_id);
            report(Finding::ok("identity", name))?;
            report(network::certificate(&identity))?;
            report(network::broker(&identity).await)?;
        }
        Err(error) => report(Finding::fail("identity", error))?,
    }
    // Last, where it is read: what all of this comes to.
    report(job::finding(status.as_ref(), stores::paired(config)))?;
    Ok(if worst == Level::Fail {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
