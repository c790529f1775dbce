//! `eventify-edge restart-journal`.

use std::{io::Write, process::ExitCode};

use anyhow::Context as _;
use eventify_protocol::sync::{JournalHead, Moment};

use crate::{
    clock::{self, Clock},
    config::Config,
    identity::Identity,
    instance_lock::InstanceLock,
    journal::{self, LastRow},
    store,
};

pub(super) fn restart_journal(
    config: &Config,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let folder = &config.data_dir;
    let identity = Identity::load(folder)?;
    let _lock = InstanceLock::take(folder)
        .with_context(|| format!("{}: stop the node first", folder.display()))?;
    let clock = Clock::of_this_boot()?;
    let at = Moment {
        boot: clock.boot(),
        boottime: clock.boottime(),
        wall: clock.wall(),
        core: None,
    };
    let ids = (identity.node_id, clock::new_id());
    let done = journal::restart(folder, config.journal, ids, at, &known_ends(config))?;
    store::delete_journal_end(folder)?;
    let JournalHead {
        incarnation, seq, ..
    } = done.known;
    writeln!(
        output,
        "a new journal goes on after row {seq} of file {incarnation}; {} rows could be read and are \
         in it",
        done.carried
    )?;
    if let Some(why) = done.unreadable {
        writeln!(output, "the others can't be read: {why}")?;
    }
    if let Some(aside) = done.aside {
        writeln!(output, "the old file is kept as {}", aside.display())?;
    }
    writeln!(
        output,
        "Start the node with `eventify-edge run`. It decides nothing alone until the core has \
         acknowledged the new journal; the core raises the alarm journal_rows_lost."
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The journal's ends as they are known apart from it, the surest first.
pub(super) fn known_ends(config: &Config) -> Vec<JournalHead> {
    let apart = LastRow::load(&config.data_dir).ok().flatten();
    let apart = apart.map(|apart| [apart.core, Some(apart.own)]);
    let apart = apart.into_iter().flatten().flatten();
    apart.chain(store::journal_end(&config.data_dir)).collect()
}
