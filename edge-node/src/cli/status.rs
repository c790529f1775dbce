//! `eventify-edge status`.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use eventify_protocol::{
    ids::{NodeId, VenueId},
    lan::{JournalFault, NodeStatus, VenueCounts},
    sync::JournalHead,
};
use serde::Serialize;

use crate::{
    config::Config,
    control::{self, Request, Response},
    held_file,
    identity::Identity,
    instance_lock, journal, store,
};

/// The state of a node that does not run, from its files.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AtRest {
    running: bool,
    identity: Identified,
    revoked: bool,
    replica: Option<ReplicaAtRest>,
    journal: Option<JournalAtRest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identified {
    node_id: NodeId,
    venue_id: VenueId,
    label: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplicaAtRest {
    position: u64,
    tickets: u64,
    sound: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JournalAtRest {
    head: JournalHead,
    unacknowledged: u64,
}

pub(super) async fn status(
    config: &Config,
    json: bool,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    match control::send(&config.data_dir, &Request::Status).await {
        Ok(Response::Status { status }) if json => {
            serde_json::to_writer_pretty(&mut *output, &status)?;
            writeln!(output)?;
        }
        Ok(Response::Status { status }) => {
            let counts = control::send(&config.data_dir, &Request::Counts).await;
            show(config, &status, counts.ok(), output)?;
        }
        Ok(Response::Failed { message }) => bail!(message),
        Ok(
            Response::Counts { .. }
            | Response::PairingCode { .. }
            | Response::Scanners { .. }
            | Response::SignIns { .. },
        ) => {
            bail!("the node sent another kind of response")
        }
        Err(error) if control::is_absent(&error) => {
            let at_rest = read_files(config)?;
            if json {
                serde_json::to_writer_pretty(&mut *output, &at_rest)?;
                writeln!(output)?;
            } else {
                show_at_rest(&at_rest, output)?;
            }
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => bail!("asking the running node failed: {error}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(
    config: &Config,
    status: &NodeStatus,
    counts: Option<Response>,
    output: &mut impl Write,
) -> io::Result<()> {
    let reason = status
        .reason
        .as_deref()
        .map_or(String::new(), |reason| format!(" ({reason})"));
    let age = status.cache_age_ms.map_or("unknown".to_owned(), |age| {
        format!("{}.{:03} s", age / 1_000, age % 1_000)
    });
    writeln!(output, "mode       {:?}{reason}", status.mode)?;
    writeln!(
        output,
        "cache age  {age} of {} s",
        status.max_cache_age_ms / 1_000
    )?;
    writeln!(
        output,
        "replica    position {} of {}, {} tickets",
        status.replica.position.0, status.replica.head.0, status.replica.tickets
    )?;
    writeln!(
        output,
        "journal    {} rows, {} not acknowledged",
        status.journal.head.seq, status.journal.unacknowledged
    )?;
    match status.journal.fault {
        None => {}
        Some(JournalFault::Held) => {
            let node = held_file::lockers(&config.data_dir.join(instance_lock::FILE));
            let holders = held_file::suspects(&journal::path(&config.data_dir), &node);
            writeln!(
                output,
                "FAULT      {} holds the journal: close it; what was decided is not lost",
                held_file::named(&holders)
            )?;
        }
        Some(JournalFault::NoSpace) => {
            writeln!(
                output,
                "FAULT      no space is left for the journal: nobody is let in"
            )?;
            writeln!(output, "           {}", room(config))?;
        }
    }
    if let Some(Response::Counts { counts }) = counts {
        show_inside(&counts, output)?;
    }
    for gate in &status.gates {
        writeln!(
            output,
            "gate       {}: since this start {} admitted, {} refused, of those {} unreadable",
            gate.name, gate.admitted, gate.refused, gate.unreadable
        )?;
    }
    writeln!(output, "node       {}", status.node_id)?;
    writeln!(output, "venue      {}", status.venue_id)?;
    writeln!(output, "software   {}", status.software)
}

/// How many guests are inside, whichever gate they came through: from the tickets, so also after a restart.
fn show_inside(counts: &VenueCounts, output: &mut impl Write) -> io::Result<()> {
    let as_of = counts.cache_age_ms.map_or("now".to_owned(), |age| {
        format!(
            "{} s ago, and this node's own gates now",
            age.div_ceil(1_000)
        )
    });
    for show in &counts.performances {
        writeln!(
            output,
            "inside     {}: {} of {} tickets, as of {as_of}",
            show.title, show.inside, show.tickets
        )?;
    }
    Ok(())
}

/// Where room has to be made, and how much.
fn room(config: &Config) -> String {
    let (folder, limits) = (&config.data_dir, &config.journal);
    let mebibytes = |bytes: u64| bytes >> 20;
    let left = journal::Reader::open(&journal::path(folder)).map_or(0, |it| it.space(limits));
    let on_disk = journal::free_bytes(folder);
    let what = if on_disk < limits.reserve_bytes {
        "free the disk".to_owned()
    } else {
        super::log_has_grown(folder).unwrap_or_else(|| "raise `journal.max_bytes`".to_owned())
    };
    format!(
        "{} is on the disk mounted at {}, which has {} MiB free; the journal can take {} MiB more of its \
         {} MiB, and stops at {} MiB: {what}",
        folder.display(),
        mount_point(folder).display(),
        mebibytes(on_disk),
        mebibytes(left),
        mebibytes(limits.max_bytes),
        mebibytes(limits.reserve_bytes),
    )
}

/// The highest folder above this one on the same disk.
fn mount_point(folder: &Path) -> PathBuf {
    let disk = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let own = disk(&folder);
    let same = folder.ancestors().take_while(|path| disk(path) == own);
    same.last().unwrap_or(&folder).to_owned()
}

fn read_files(config: &Config) -> anyhow::Result<AtRest> {
    let folder = &config.data_dir;
    let identity = Identity::load(folder)?;
    let counted = match store::newest_path(folder) {
        Some(path) => store::Reader::open(&path)?.recompute()?,
        None => None,
    };
    let journal_path = journal::path(folder);
    let chain = if journal_path.exists() {
        journal::Reader::open(&journal_path)?.chains()?.pop()
    } else {
        None
    };
    Ok(AtRest {
        running: false,
        identity: Identified {
            node_id: identity.node_id,
            venue_id: identity.venue_id,
            label: identity.label,
        },
        revoked: store::is_revoked(folder),
        replica: counted.map(|counted| ReplicaAtRest {
            position: counted.position.0,
            tickets: counted.tickets,
            sound: counted.digest == counted.stored,
        }),
        journal: chain.map(|chain| JournalAtRest {
            head: chain.head,
            unacknowledged: chain.head.seq - chain.acknowledged.map_or(0, |ack| ack.seq),
        }),
    })
}

fn show_at_rest(at_rest: &AtRest, output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "not running; its files contain:")?;
    writeln!(
        output,
        "node       {} ({})",
        at_rest.identity.label, at_rest.identity.node_id
    )?;
    writeln!(output, "venue      {}", at_rest.identity.venue_id)?;
    if at_rest.revoked {
        writeln!(output, "revoked    yes, by the core")?;
    }
    match &at_rest.replica {
        Some(replica) => writeln!(
            output,
            "replica    position {}, {} tickets, {}",
            replica.position,
            replica.tickets,
            if replica.sound {
                "sound"
            } else {
                "DAMAGED: the node will fetch it again"
            }
        )?,
        None => writeln!(output, "replica    none")?,
    }
    match &at_rest.journal {
        Some(journal) => writeln!(
            output,
            "journal    {} rows, {} not acknowledged",
            journal.head.seq, journal.unacknowledged
        ),
        None => writeln!(output, "journal    none"),
    }
}
