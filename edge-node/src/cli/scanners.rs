//! `eventify-edge scanners`: over the control socket of the running node, which carries it out at once;
//! without one in its files.

use std::{io::Write, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use eventify_protocol::{
    ids::ScannerId,
    lan::NamedGate,
    sync::{Subject, Value},
    zone::TimeZone,
};
use serde_json::json;

use crate::{
    config::Config,
    control::{self, Request, Response},
    identity::Identity,
    instance_lock::InstanceLock,
    lan::{Edit, ListedScanner, MAX_LABEL_CHARS, Scanners, clean_label, find_gates, list},
    owner::venue_zone,
    store,
};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Act {
    /// Gives a scanner another name.
    Rename {
        /// Its id, from the list.
        id: ScannerId,
        /// 1 to 64 characters.
        name: String,
    },
    /// Chooses the gates that a scanner may scan for, from its next scan on.
    Gates {
        /// Its id, from the list.
        id: ScannerId,
        /// Names or ids of gates of this node.
        #[arg(value_name = "GATE", required_unless_present = "all")]
        gates: Vec<String>,
        /// All gates of the node, also later ones.
        #[arg(long, conflicts_with = "gates")]
        all: bool,
    },
    /// Ends a pairing: within a second the scanner can do nothing more at this node.
    Unpair {
        /// Its id, from the list.
        id: ScannerId,
    },
}

pub(super) async fn scanners(
    config: &Config,
    act: Option<Act>,
    json: bool,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let request = request(act)?;
    let scanners = match control::send(&config.data_dir, &request).await {
        Ok(Response::Scanners { scanners }) => scanners,
        Ok(Response::Failed { message }) => bail!(message),
        Ok(
            Response::Status { .. }
            | Response::Counts { .. }
            | Response::PairingCode { .. }
            | Response::SignIns { .. },
        ) => {
            bail!("the node sent another kind of response")
        }
        Err(error) if control::is_absent(&error) => at_rest(config, request)?,
        Err(error) => bail!("asking the running node failed: {error}"),
    };
    if json {
        serde_json::to_writer_pretty(&mut *output, &json!({ "scanners": scanners }))?;
        writeln!(output)?;
    } else {
        show(&scanners, venue_zone(&config.data_dir), output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn request(act: Option<Act>) -> anyhow::Result<Request> {
    Ok(match act {
        None => Request::Scanners,
        Some(Act::Rename { id, name }) => {
            let label = clean_label(&name).map(str::to_owned);
            let label = label.with_context(|| {
                format!("the name must have 1 to {MAX_LABEL_CHARS} characters and be one line")
            })?;
            Request::RenameScanner { scanner: id, label }
        }
        Some(Act::Gates { id, gates, all }) => Request::ScannerGates {
            scanner: id,
            gates: (!all).then_some(gates),
        },
        Some(Act::Unpair { id }) => Request::UnpairScanner { scanner: id },
    })
}

/// The same in the files of a node that does not run, and that can't start meanwhile.
fn at_rest(config: &Config, request: Request) -> anyhow::Result<Vec<ListedScanner>> {
    let folder = &config.data_dir;
    let gates = known_gates(config)?;
    let mut lock = None;
    if !matches!(request, Request::Scanners) {
        let taken = InstanceLock::take(folder);
        let in_use = || {
            format!(
                "{} is in use by a node that does not answer",
                folder.display()
            )
        };
        lock = Some(taken.with_context(in_use)?);
    }
    let scanners = Scanners::load(folder)?;
    match request {
        Request::RenameScanner { scanner, label } => scanners.edit(
            scanner,
            Edit {
                label: Some(label),
                gates: None,
            },
        )?,
        Request::ScannerGates {
            scanner,
            gates: wanted,
        } => {
            let gates = wanted
                .map(|wanted| find_gates(&wanted, &gates))
                .transpose()?;
            let edit = Edit {
                label: None,
                gates: Some(gates),
            };
            scanners.edit(scanner, edit)?;
        }
        Request::UnpairScanner { scanner } => scanners.remove(scanner)?,
        Request::Scanners
        | Request::Status
        | Request::Counts
        | Request::SignIns
        | Request::Pair { .. } => {}
    }
    drop(lock);
    Ok(list(&scanners, &gates, None))
}

/// The node's gates in its replica; none without one.
fn known_gates(config: &Config) -> anyhow::Result<Vec<NamedGate>> {
    let Some(path) = store::newest_path(&config.data_dir) else {
        return Ok(vec![]);
    };
    let own = Subject::Node(Identity::load(&config.data_dir)?.node_id);
    let (mut of_node, mut named) = (Vec::new(), Vec::new());
    for entry in store::Reader::open(&path)?.list_small()? {
        match (entry.subject, entry.value) {
            (subject, Some(Value::Node(node))) if subject == own => of_node = node.gates,
            (Subject::Gate(gate_id), Some(Value::Gate(gate))) => named.push(NamedGate {
                gate_id,
                name: gate.name,
            }),
            _ => {}
        }
    }
    named.retain(|gate| of_node.contains(&gate.gate_id));
    Ok(named)
}

fn show(scanners: &[ListedScanner], zone: TimeZone, output: &mut impl Write) -> anyhow::Result<()> {
    if scanners.is_empty() {
        writeln!(
            output,
            "no scanner is paired; `eventify-edge pair` pairs one"
        )?;
    }
    for scanner in scanners {
        let gates = scanner.gates.as_ref().map_or_else(
            || "all gates".to_owned(),
            |gates| match gates.as_slice() {
                [] => "no gates".to_owned(),
                gates => {
                    let names: Vec<_> = gates.iter().map(|gate| gate.name.as_str()).collect();
                    names.join(", ")
                }
            },
        );
        let at = |time: Option<&str>| {
            super::in_words(time, zone).unwrap_or_else(|| "unknown".to_owned())
        };
        let paired_at = at(scanner.paired_at.as_deref());
        let last_seen = at(scanner.last_seen.as_deref());
        writeln!(output, "{}  {}", scanner.scanner_id, scanner.label)?;
        writeln!(output, "    gates      {gates}")?;
        writeln!(output, "    paired     {paired_at}")?;
        write!(output, "    last seen  {last_seen}")?;
        if scanner.expired {
            write!(output, ": too long ago, it has to pair again")?;
        }
        writeln!(output)?;
        if let Some(unreadable) = scanner.unreadable.filter(|count| *count > 0) {
            writeln!(
                output,
                "    unreadable {unreadable} texts since the node's start"
            )?;
        }
    }
    Ok(())
}
