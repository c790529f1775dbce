//! The commands beside `run`: what an operator looks at and does by hand.

use std::io::Write as _;

use eventify_core::assembly;
use eventify_core::config::Config;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;

pub(crate) mod dead_letters;
pub(crate) mod keys;
pub(crate) mod tasks;

/// Every context, made with these settings.
pub(crate) fn contexts(config: &Config) -> anyhow::Result<Vec<Context>> {
    assembly::contexts(config, &Clock::system())
}

/// The context of this name.
fn known(names: &[&'static str], name: &str) -> anyhow::Result<&'static str> {
    let found = names.iter().find(|known| **known == name);
    found.copied().ok_or_else(|| {
        let allowed = names.join(", ");
        anyhow::anyhow!("there is no context '{name}'; allowed: {allowed}")
    })
}

/// A line on standard output.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
