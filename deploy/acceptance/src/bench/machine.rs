//! The machine of a run: without it the measurements mean nothing.

use std::{
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::{clock, story::percentile};

/// Synced writes, to measure the disk.
const SYNCS: usize = 200;
const PAGE_BYTES: usize = 4096;

/// The machine before the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    cores: usize,
    cpu: String,
    memory_mib: u64,
    /// Load averages of 1, 5 and 15 minutes before the start.
    load: String,
    profile: &'static str,
    /// How long a synced write of a page takes, p50 and p95 in milliseconds. An online scan waits for
    /// two: at the core and at the node.
    disk_sync_ms: [f64; 2],
}

impl Machine {
    /// This machine, with the disk of this folder.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn inspect(folder: &Path) -> io::Result<Self> {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            cpu: cpu_model(&read("/proc/cpuinfo")),
            memory_mib: kib_of(&read("/proc/meminfo"), "MemTotal").unwrap_or(0) / 1024,
            load: load_averages(&read("/proc/loadavg")),
            profile: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            },
            disk_sync_ms: disk_sync_ms(folder)?,
        })
    }

    #[cfg(test)]
    pub(super) fn unknown() -> Self {
        Self {
            cores: 0,
            cpu: "unknown".to_owned(),
            memory_mib: 0,
            load: String::new(),
            profile: "dev",
            disk_sync_ms: [0.0; 2],
        }
    }

    #[must_use]
    pub fn description(&self) -> String {
        let Self {
            cores,
            cpu,
            memory_mib,
            load,
            profile,
            disk_sync_ms: [p50, p95],
        } = self;
        format!(
            "{cores} cores ({cpu}), {memory_mib} MiB, load before the start {load}, {profile} \
             build\nPostgreSQL and SQLite write to disk at each commit, which takes {p50:.1} ms for a \
             page (p95 {p95:.1} ms)"
        )
    }
}

/// Writes the file once before, so that its growth is not measured.
fn disk_sync_ms(folder: &Path) -> io::Result<[f64; 2]> {
    let file = tempfile::tempfile_in(folder)?;
    let page = [0x5a; PAGE_BYTES];
    let write = |number: usize| -> io::Result<()> {
        file.write_all_at(&page, u64::try_from(number * PAGE_BYTES).unwrap_or(0))?;
        file.sync_data()
    };
    (0..SYNCS).try_for_each(write)?;
    let mut took = Vec::with_capacity(SYNCS);
    for number in 0..SYNCS {
        let begin = clock::instant();
        write(number)?;
        took.push(begin.elapsed());
    }
    Ok([0.5, 0.95].map(|share| percentile(took.clone(), share)))
}

/// `model name` of the first processor; ARM has none.
fn cpu_model(cpuinfo: &str) -> String {
    let named = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    named.unwrap_or_else(|| format!("unnamed {}", std::env::consts::ARCH))
}

fn load_averages(loadavg: &str) -> String {
    let words: Vec<_> = loadavg.split_whitespace().take(3).collect();
    words.join(" ")
}

/// A line `Name:  123 kB` of a file of `/proc`.
pub(super) fn kib_of(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        value.trim().trim_end_matches("kB").trim().parse().ok()
    })
}

/// Resident memory, `VmRSS`, or the most of it so far, `VmHWM`: of the text of `/proc/<id>/status`.
pub(super) fn mebibytes_of(status: &str, name: &str) -> Option<f64> {
    let kib = u32::try_from(kib_of(status, name)?).ok()?;
    Some(f64::from(kib) / 1024.0)
}

/// `/proc/<id>` of the scanner app that works in this folder.
pub(super) fn process_of(data: &Path) -> Result<PathBuf> {
    let data = data.to_str().context("the path is not text")?;
    for process in std::fs::read_dir("/proc")? {
        let folder = process?.path();
        let command = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        let is_app = words
            .next()
            .is_some_and(|name| name.ends_with(b"eventify-scanner"));
        if is_app && words.any(|word| word == data.as_bytes()) {
            return Ok(folder);
        }
    }
    bail!("the app does not run")
}

/// `USER_HZ`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// When a process was started, in seconds since the machine was: field 22 of `/proc/<id>/stat`, to a hundredth.
pub(super) fn started_at(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let ticks: u32 = after_name.split_whitespace().nth(19)?.parse().ok()?;
    Some(f64::from(ticks) / TICKS_PER_SECOND)
}

/// Seconds of processor time in a line of `/proc/<id>/stat`: fields 14 and 15, in ticks. The name in
/// field 2 may have any characters, even spaces and brackets.
pub(super) fn processor_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    let (user, system) = (ticks()?, ticks()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_parsed() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC 7R13\n\nmodel name\t: other\n";
        assert_eq!(cpu_model(cpuinfo), "AMD EPYC 7R13");
        assert!(cpu_model("processor\t: 0\n").starts_with("unnamed"));
        assert_eq!(
            load_averages("0.42 1.00 2.50 3/412 999\n"),
            "0.42 1.00 2.50"
        );
        let status = "VmPeak:\t  9999 kB\nVmRSS:\t   51200 kB\n";
        assert_eq!(kib_of(status, "VmRSS"), Some(51_200));
        assert_eq!(kib_of(status, "VmHWM"), None);
    }

    #[test]
    fn processor_time_is_user_plus_system_time() {
        let stat = "4242 (a (b) c) S 1 2 3 0 -1 4194560 10 0 5 0 150 75 9 9 20 0 12 0 99 1 2\n";
        assert_eq!(processor_seconds(stat), Some(2.25));
        assert_eq!(started_at(stat), Some(0.99));
        assert_eq!(processor_seconds("4242 (x) S 1"), None);
    }
}
