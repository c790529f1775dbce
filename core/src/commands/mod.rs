//! The commands beside `run`: what an operator looks at and does by hand.

use std::io::Write as _;

use eventify_core::assembly;
use eventify_core::config::Config;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_log::Output;

pub(crate) mod dead_letters;
pub(crate) mod keys;
pub(crate) mod tasks;

/// Every context, made with these settings.
pub(crate) fn contexts(config: &Config) -> anyhow::Result<Vec<Context>> {
    assembly::contexts(config, &Clock::system())
}

/// The one of these names that was meant.
fn known<'a, N: AsRef<str>>(what: &str, names: &'a [N], name: &str) -> anyhow::Result<&'a N> {
    let found = names.iter().find(|known| known.as_ref() == name);
    found.ok_or_else(|| {
        let allowed: Vec<_> = names.iter().map(AsRef::as_ref).collect();
        let allowed = allowed.join(", ");
        anyhow::anyhow!("there is no {what} '{name}'; allowed: {allowed}")
    })
}

/// A line on standard output.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    writeln!(Output::stdout(), "{line}")?;
    Ok(())
}
