//! The scans without a final verdict, as a log: one short write and one sync at each trigger, which a
//! guest does not notice and a flash card survives.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

use eventify_protocol::ids::ScanId;
use serde::{Deserialize, Serialize};

use super::files::{open_to_append, replace};
use crate::io::KeptScan;

/// The log is written anew, with the open scans alone, when it is longer than this.
const MAX_BYTES: usize = 256 * 1_024;

#[derive(Debug)]
pub(super) struct ScanLog {
    path: PathBuf,
    file: Option<File>,
    bytes: usize,
    open: Vec<KeptScan>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Opened(KeptScan),
    Closed(ScanId),
}

impl ScanLog {
    /// With the open scans, and whether the log could be read. A last line without its end is no damage:
    /// the power went within it, and no request had left.
    pub(super) fn open(path: PathBuf) -> (Self, Vec<KeptScan>, bool) {
        let (text, mut is_whole) = match fs::read_to_string(&path) {
            Ok(text) => (text, true),
            Err(error) => (String::new(), error.kind() == io::ErrorKind::NotFound),
        };
        let mut open: Vec<KeptScan> = Vec::new();
        let ended = text.rsplit_once('\n').map_or("", |(ended, _)| ended);
        for line in ended.lines().filter(|line| !line.is_empty()) {
            match serde_json::from_str(line) {
                Ok(Line::Opened(scan)) => open.push(scan),
                Ok(Line::Closed(id)) => open.retain(|scan| scan.scan_id != id),
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
        self.open.push(scan.clone());
        self.append(&Line::Opened(scan.clone()))?;
        let file = self.file.as_ref();
        file.map_or(Ok(()), File::sync_data)
    }

    /// Not synced: a scan that is asked again gets the same verdict.
    pub(super) fn closed(&mut self, id: ScanId) -> io::Result<()> {
        self.open.retain(|scan| scan.scan_id != id);
        self.append(&Line::Closed(id))
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.open.clear();
        self.rewrite()
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
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

    fn try_append(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(open_to_append(&self.path)?),
        };
        file.write_all(&bytes)?;
        self.bytes += bytes.len();
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.file = None;
        let mut bytes = Vec::new();
        for scan in &self.open {
            bytes.extend(serde_json::to_vec(&Line::Opened(scan.clone()))?);
            bytes.push(b'\n');
        }
        replace(&self.path, &bytes)?;
        self.bytes = bytes.len();
        Ok(())
    }
}
