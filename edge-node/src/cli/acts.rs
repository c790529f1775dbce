//! `eventify-edge acts`: who did what at this node's gates beside scanning, when and why, by its journal; also
//! beside a running node.

use std::{collections::BTreeMap, io::Write, process::ExitCode};

use anyhow::Context as _;
use eventify_protocol::{
    ids::{ActId, GateId, PersonId, ScanId, ScannerId, TicketId},
    lan::{Reason, ReasonCode},
    sync::{ActName, Done, JournalEntry, Moment, Subject, Value},
    time::CoreTime,
    verdict::Mode,
    zone::TimeZone,
};
use eventify_sync::edge::DoneAct;
use serde::Serialize;
use serde_json::json;

use crate::{config::Config, journal, lan::Scanners, owner::venue_zone, store};

/// A row for people and for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    act_id: ActId,
    kind: ActName,
    /// By the core's clock as the node could tell it, else by its own; RFC 3339, as the venue's clocks show it.
    at: Option<String>,
    /// Whether it is the core's clock.
    at_is_proven: bool,
    person_id: PersonId,
    /// None once they have left, or without a replica.
    person: Option<String>,
    gate_id: GateId,
    gate: Option<String>,
    scanner_id: ScannerId,
    scanner: Option<String>,
    mode: Mode,
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_id: Option<ScanId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_id: Option<TicketId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_gate: Option<GateId>,
}

/// What ids are called at this node.
#[derive(Debug, Default)]
struct Names {
    people: BTreeMap<PersonId, String>,
    gates: BTreeMap<GateId, String>,
    scanners: BTreeMap<ScannerId, String>,
}

pub(super) fn acts(
    config: &Config,
    (exits, json): (bool, bool),
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let path = journal::path(&config.data_dir);
    let acts = if path.exists() {
        let reader = journal::Reader::open(&path).with_context(|| path.display().to_string())?;
        reader.list_all_acts()?
    } else {
        Vec::new()
    };
    let names = Names::read(config)?;
    let zone = venue_zone(&config.data_dir);
    let rows = acts.iter().filter_map(|act| row(act, &names, zone));
    let rows: Vec<Row> = rows
        .filter(|row| exits || row.kind != ActName::Exit)
        .collect();
    if json {
        serde_json::to_writer_pretty(&mut *output, &json!({ "acts": rows, "timeZone": zone }))?;
        writeln!(output)?;
    } else {
        show(&rows, zone, output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(act: &DoneAct, names: &Names, zone: TimeZone) -> Option<Row> {
    let Done {
        by,
        name,
        scan,
        ticket,
    } = act.entry.done()?;
    let from_gate = if let JournalEntry::GateChanged(changed) = &act.entry {
        changed.from
    } else {
        None
    };
    let (at, at_is_proven) = when(&act.at, zone);
    Some(Row {
        act_id: by.act,
        kind: name,
        at,
        at_is_proven,
        person_id: by.person,
        person: names.people.get(&by.person).cloned(),
        gate_id: by.gate,
        gate: names.gates.get(&by.gate).cloned(),
        scanner_id: by.scanner,
        scanner: names.scanners.get(&by.scanner).cloned(),
        mode: by.mode,
        reason: by.reason.clone(),
        scan_id: scan,
        ticket_id: ticket,
        from_gate,
    })
}

fn when(at: &Moment, zone: TimeZone) -> (Option<String>, bool) {
    let time = at
        .core
        .map_or(CoreTime(at.wall.0), |core| core.middle())
        .to_datetime();
    let text = time.map(|time| super::rfc3339(time, zone));
    (text, at.core.is_some())
}

impl Names {
    /// Of the replica and the paired scanners; without them there are ids.
    fn read(config: &Config) -> anyhow::Result<Self> {
        let mut names = Self::default();
        if let Ok(scanners) = Scanners::load(&config.data_dir) {
            let listed = crate::lan::list(&scanners, &[], None).into_iter();
            names.scanners = listed.map(|it| (it.scanner_id, it.label)).collect();
        }
        let Some(path) = store::newest_path(&config.data_dir) else {
            return Ok(names);
        };
        for entry in store::Reader::open(&path)?.list_small()? {
            match (entry.subject, entry.value) {
                (Subject::Person(id), Some(Value::Person(person))) => {
                    names.people.insert(id, person.name);
                }
                (Subject::Gate(id), Some(Value::Gate(gate))) => {
                    names.gates.insert(id, gate.name);
                }
                _ => {}
            }
        }
        Ok(names)
    }
}

fn show(rows: &[Row], zone: TimeZone, output: &mut impl Write) -> anyhow::Result<()> {
    if rows.is_empty() {
        writeln!(output, "nobody has overridden, undone or moved anything")?;
    }
    for row in rows {
        let at = super::in_words(row.at.as_deref(), zone);
        let at = at.as_deref().unwrap_or("at an unknown time");
        let proven = if row.at_is_proven {
            ""
        } else {
            ", by this machine's clock"
        };
        let person = name(row.person.as_deref(), row.person_id);
        writeln!(output, "{at}  {}{proven}", what(row.kind))?;
        writeln!(output, "    by       {person}")?;
        let gate = name(row.gate.as_deref(), row.gate_id);
        let scanner = name(row.scanner.as_deref(), row.scanner_id);
        writeln!(output, "    at       {gate}, {scanner}, {:?}", row.mode)?;
        if let Some(Reason { code, note }) = &row.reason {
            let note = note
                .as_ref()
                .map_or(String::new(), |note| format!(": {note}"));
            writeln!(output, "    because  {}{note}", why(*code))?;
        }
        if let Some(ticket) = row.ticket_id {
            writeln!(output, "    ticket   {ticket}")?;
        }
    }
    Ok(())
}

fn name(known: Option<&str>, id: impl std::fmt::Display) -> String {
    known.map_or_else(|| id.to_string(), ToOwned::to_owned)
}

fn what(act: ActName) -> &'static str {
    match act {
        ActName::Override => "let in whom a scan had refused",
        ActName::Undo => "took back the newest admission",
        ActName::ChangeGate => "took the scanner to this gate",
        ActName::Exit => "scanned a guest out",
    }
}

fn why(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::NotInside => "the guest is known not to be inside",
        ReasonCode::LeftWithoutScan => "the guest went out where nobody scans",
        ReasonCode::WrongTicket => "the wrong ticket was scanned",
        ReasonCode::StaysOutside => "the guest stays outside",
        ReasonCode::EarlyEntry => "let in before the doors, as agreed",
        ReasonCode::MoreHands => "another gate needs hands",
        ReasonCode::Other => "another reason",
    }
}
