//! The scans without a final verdict and the acts without an answer, as a log: one short write and one sync
//! at each trigger, which a guest does not notice and a flash card survives.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

use eventify_disk::files::{open_to_append, replace};
use eventify_protocol::ids::{ActId, ScanId};
use serde::{Deserialize, Serialize};

use crate::io::{KeptAct, KeptScan};

/// The log is written anew, with what is open alone, when it is longer than this.
const MAX_BYTES: usize = 256 * 1_024;

#[derive(Debug)]
pub(super) struct ScanLog {
    path: PathBuf,
    file: Option<File>,
    bytes: usize,
    open: Open,
}

/// What has no answer yet, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    pub(super) scans: Vec<KeptScan>,
    pub(super) acts: Vec<KeptAct>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Opened(KeptScan),
    Closed(ScanId),
    ActOpened(Box<KeptAct>),
    ActClosed(ActId),
}

impl ScanLog {
    /// With what is open, and whether the log could be read. A last line without its end is no damage:
    /// the power went within it, and no request had left.
    pub(super) fn open(path: PathBuf) -> (Self, Open, bool) {
        let (text, mut is_whole) = match fs::read_to_string(&path) {
            Ok(text) => (text, true),
            Err(error) => (String::new(), error.kind() == io::ErrorKind::NotFound),
        };
        let mut open = Open::default();
        let ended = text.rsplit_once('\n').map_or("", |(ended, _)| ended);
        for line in ended.lines().filter(|line| !line.is_empty()) {
            match serde_json::from_str(line) {
                Ok(line) => open.apply(line),
                Err(_) => is_whole = false,
            }
        }
        let mut log = Self {
            path,
            file: None,
            bytes: text.len(),
            open: open.clone(),
        };
        // Where that fails, the next line fails too, and is reported.
        if !text.is_empty() {
            drop(log.rewrite());
        }
        (log, open, is_whole)
    }

    /// On the disk when it returns.
    pub(super) fn opened(&mut self, scan: &KeptScan) -> io::Result<()> {
        self.open_line(Line::Opened(scan.clone()))
    }

    /// Not synced: a scan that is asked again gets the same verdict.
    pub(super) fn closed(&mut self, id: ScanId) -> io::Result<()> {
        self.append(Line::Closed(id))
    }

    /// On the disk when it returns.
    pub(super) fn act_opened(&mut self, act: &KeptAct) -> io::Result<()> {
        self.open_line(Line::ActOpened(Box::new(act.clone())))
    }

    /// Not synced: an act that is asked again gets the same answer.
    pub(super) fn act_closed(&mut self, id: ActId) -> io::Result<()> {
        self.append(Line::ActClosed(id))
    }

    fn open_line(&mut self, line: Line) -> io::Result<()> {
        self.append(line)?;
        let file = self.file.as_ref();
        file.map_or(Ok(()), File::sync_data)
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.open = Open::default();
        self.rewrite()
    }

    fn append(&mut self, line: Line) -> io::Result<()> {
        let bytes = encoded(&line)?;
        // First: where the log is written anew, the line is in it.
        self.open.apply(line);
        self.append_bytes(&bytes)
    }

    fn append_bytes(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes > MAX_BYTES {
            return self.rewrite();
        }
        let result = self.try_append(line);
        if result.is_err() {
            // Part of a line may be there: the next one is written into a new file.
            self.bytes = MAX_BYTES + 1;
        }
        result
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(open_to_append(&self.path)?),
        };
        file.write_all(bytes)?;
        self.bytes += bytes.len();
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.file = None;
        let mut bytes = Vec::new();
        let scans = self.open.scans.iter().cloned().map(Line::Opened);
        let acts = self.open.acts.iter().cloned();
        let acts = acts.map(|act| Line::ActOpened(Box::new(act)));
        for line in scans.chain(acts) {
            bytes.extend(encoded(&line)?);
        }
        replace(&self.path, &bytes)?;
        self.bytes = bytes.len();
        Ok(())
    }
}

impl Open {
    fn apply(&mut self, line: Line) {
        match line {
            Line::Opened(scan) => self.scans.push(scan),
            Line::Closed(id) => self.scans.retain(|scan| scan.scan_id != id),
            Line::ActOpened(act) => self.acts.push(*act),
            Line::ActClosed(id) => self.acts.retain(|act| act.act_id != id),
        }
    }
}

fn encoded(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}
