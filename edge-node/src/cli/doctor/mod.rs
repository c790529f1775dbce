//! `eventify-edge doctor`: everything that the node needs, checked one by one, each with what to do.

mod machine;
mod network;
mod stores;

use std::{fmt, io::Write, process::ExitCode};

use crate::{config::Config, identity::Identity};

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Debug)]
struct Finding {
    level: Level,
    what: &'static str,
    text: String,
}

impl Finding {
    fn ok(what: &'static str, text: impl fmt::Display) -> Self {
        Self {
            level: Level::Ok,
            what,
            text: text.to_string(),
        }
    }

    fn warn(what: &'static str, text: impl fmt::Display) -> Self {
        Self {
            level: Level::Warn,
            what,
            text: text.to_string(),
        }
    }

    fn fail(what: &'static str, text: impl fmt::Display) -> Self {
        Self {
            level: Level::Fail,
            what,
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
        write!(f, "{level:<5} {:<12} {}", self.what, self.text)
    }
}

/// Runs all checks; fails if one of them does.
pub(super) async fn doctor(config: &Config, output: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut worst = Level::Ok;
    let mut tell = |finding: Finding| -> std::io::Result<()> {
        worst = worst.max(finding.level);
        writeln!(output, "{finding}")
    };
    for finding in machine::clocks().into_iter().chain(machine::disk(config)) {
        tell(finding)?;
    }
    tell(stores::journal(config))?;
    tell(stores::replica(config))?;
    tell(network::port(config).await)?;
    match Identity::load(&config.data_dir) {
        Ok(identity) => {
            let identity = identity.behind(config.broker.as_ref());
            tell(Finding::ok(
                "identity",
                format!("{} ({})", identity.label, identity.node_id),
            ))?;
            tell(network::certificate(&identity))?;
            tell(network::broker(&identity).await)?;
        }
        Err(error) => tell(Finding::fail("identity", error))?,
    }
    Ok(if worst == Level::Fail {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
