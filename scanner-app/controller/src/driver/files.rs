//! What outlives the app, in a folder of its own that nobody else reads: each file is replaced as a
//! whole, and after a power cut it is the old one or the new one. What can't be read is put aside as
//! `*.damaged`, is said, and never stops the start.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use eventify_disk::files::{open_to_append, private_folder, remove, replace};
use eventify_lan_client::Pairing;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Done, log::Log, scan_log::ScanLog};
use crate::{
    io::{DrillRow, Input, Loaded, Write, WriteId},
    view::Stored,
};

/// The drill's journal begins anew beyond this.
const MAX_DRILL_BYTES: u64 = 1 << 20;

const PAIRING: &str = "pairing.json";
const PLACE: &str = "place.json";
const SETTINGS: &str = "settings.json";
const PIN: &str = "pin.json";
const PROCEDURE: &str = "procedure.json";
const TIME_ZONE: &str = "time-zone.json";
const SCANS: &str = "scans.log";
const DRILL: &str = "drill.jsonl";

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) pairing: Option<Pairing>,
    pub(super) loaded: Loaded,
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    writes: UnboundedSender<(WriteId, Write)>,
    thread: Option<JoinHandle<()>>,
}

impl Files {
    /// Reads everything, and starts the thread.
    pub(super) fn open(folder: &Path, done: UnboundedSender<Done>) -> io::Result<(Self, Found)> {
        private_folder(folder)?;
        let mut damaged = Vec::new();
        let pairing = read(&folder.join(PAIRING), Stored::Pairing, &mut damaged);
        let place = read(&folder.join(PLACE), Stored::Place, &mut damaged);
        let settings = read(&folder.join(SETTINGS), Stored::Settings, &mut damaged);
        let pin = read_pin(folder, &mut damaged);
        // Without it the app's own is shown until the node's next status.
        let procedure = read_told(&folder.join(PROCEDURE));
        // Without it the device's own.
        let time_zone = read_told(&folder.join(TIME_ZONE));
        let (log, open, is_whole) = ScanLog::open(folder.join(SCANS));
        if !is_whole {
            damaged.push(Stored::Scans);
        }
        let found = Found {
            pairing,
            loaded: Loaded {
                pairing: None,
                place,
                settings,
                pin,
                scans: open.scans,
                acts: open.acts,
                procedure: procedure.unwrap_or_default(),
                time_zone: time_zone.flatten(),
                damaged,
            },
        };
        let (writes, waiting) = unbounded_channel();
        let own = folder.to_owned();
        let thread = std::thread::Builder::new()
            .name("files".to_owned())
            .spawn(move || work(&own, log, waiting, &done))?;
        let files = Self {
            folder: folder.to_owned(),
            writes,
            thread: Some(thread),
        };
        Ok((files, found))
    }

    pub(super) fn pairing_path(&self) -> PathBuf {
        self.folder.join(PAIRING)
    }

    /// In the order of the calls. The machine waits for what matters, which bounds the queue.
    pub(super) fn write(&self, id: WriteId, write: Write) {
        drop(self.writes.send((id, write)));
    }

    /// Until everything is on the disk.
    pub(super) async fn close(&mut self) {
        let (closed, _) = unbounded_channel();
        self.writes = closed;
        if let Some(thread) = self.thread.take() {
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }
}

fn work(
    folder: &Path,
    mut log: ScanLog,
    mut writes: UnboundedReceiver<(WriteId, Write)>,
    done: &UnboundedSender<Done>,
) {
    while let Some((id, write)) = writes.blocking_recv() {
        let stored = carry_out(folder, &mut log, &write);
        if let Err(error) = &stored {
            Log::not_stored(error);
        }
        drop(done.send(Done::Input(Input::Written(id, stored.is_ok()))));
    }
}

fn carry_out(folder: &Path, log: &mut ScanLog, write: &Write) -> io::Result<()> {
    match write {
        Write::Place(place) => store(&folder.join(PLACE), place),
        Write::Settings(settings) => store(&folder.join(SETTINGS), settings),
        Write::Pin(pin) => store(&folder.join(PIN), pin),
        Write::Procedure(steps) => store(&folder.join(PROCEDURE), steps),
        Write::TimeZone(zone) => store(&folder.join(TIME_ZONE), zone),
        Write::ForgetPairing => {
            for name in [PAIRING, PLACE, PROCEDURE, TIME_ZONE] {
                remove(&folder.join(name))?;
            }
            log.clear()
        }
        Write::ScanOpened(scan) => log.opened(scan),
        Write::ScanClosed(scan) => log.closed(*scan),
        Write::ActOpened(act) => log.act_opened(act),
        Write::ActClosed(act) => log.act_closed(*act),
        Write::DrillRow(row) => append_drill(&folder.join(DRILL), row),
    }
}

/// Replaces a file as a whole.
pub(super) fn store<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    replace(path, &bytes)
}

fn append_drill(path: &Path, row: &DrillRow) -> io::Result<()> {
    let is_long = fs::metadata(path).is_ok_and(|file| file.len() > MAX_DRILL_BYTES);
    if is_long {
        remove(path)?;
    }
    let mut line = serde_json::to_vec(row)?;
    line.push(b'\n');
    open_to_append(path)?.write_all(&line)
}

/// What the node says again with its next status.
fn read_told<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// None if there is no file, or none that can be read: that one is put aside.
fn read<T: DeserializeOwned>(path: &Path, what: Stored, damaged: &mut Vec<Stored>) -> Option<T> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(_) => {
            damaged.push(what);
            return None;
        }
    };
    let value = serde_json::from_slice(&bytes).ok();
    if value.is_none() {
        damaged.push(what);
        // If not even that works, it is found damaged again next time.
        drop(fs::rename(path, path.with_extension("damaged")));
    }
    value
}

/// A damaged PIN is no way out of the kiosk: it stays damaged until an administrator deletes it.
fn read_pin(folder: &Path, damaged: &mut Vec<Stored>) -> Option<crate::io::StoredPin> {
    let path = folder.join(PIN);
    let pin = read(&path, Stored::Pin, damaged);
    let was_damaged = path.with_extension("damaged").exists();
    if pin.is_none() && was_damaged && !damaged.contains(&Stored::Pin) {
        damaged.push(Stored::Pin);
    }
    pin
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
