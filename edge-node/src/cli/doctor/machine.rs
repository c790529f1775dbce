//! Clocks and disk.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use super::Finding;
use crate::{clock::Clock, config::Config, journal};

const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const CPU: &str = "/proc/cpuinfo";
/// A year's journal fits into this.
const COMFORTABLE_BYTES: u64 = 1 << 30;
/// Every verdict waits for one fsync.
const GOOD_FSYNC: Duration = Duration::from_millis(20);

pub(super) fn clocks() -> Vec<Finding> {
    let clock = match Clock::of_this_boot() {
        Ok(clock) => clock,
        Err(error) => return vec![Finding::fail("clock", error)],
    };
    let up = Duration::from_nanos(clock.boottime().0);
    let mut findings = vec![Finding::ok(
        "clock",
        format!("boot {}, up {} s", clock.boot(), up.as_secs()),
    )];
    findings.push(match fs::read_to_string(CLOCK_SOURCE) {
        Ok(source) if source.trim().ends_with("jiffies") => Finding::fail(
            "clocksource",
            "`jiffies` drifts more than the node allows for; enable a hardware counter",
        ),
        Ok(source) => Finding::ok("clocksource", source.trim()),
        Err(error) => Finding::warn("clocksource", format!("{CLOCK_SOURCE}: {error}")),
    });
    if fs::read_to_string(CPU).is_ok_and(|cpu| cpu.contains(" hypervisor")) {
        findings.push(Finding::warn(
            "hypervisor",
            "this is a virtual machine: if its host pauses or restores it, a cache looks younger than \
             it is; set `admission.max_cache_age_ms` to 0 or use real hardware",
        ));
    }
    findings
}

pub(super) fn disk(config: &Config) -> Vec<Finding> {
    let folder = &config.data_dir;
    let rights = match fs::metadata(folder) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) => {
            let text = format!(
                "{}: {error}; `eventify-edge enrol` creates it",
                folder.display()
            );
            return vec![Finding::fail("data", text)];
        }
    };
    let path = folder.display();
    let rights = if rights & 0o077 == 0 {
        Finding::ok("data", path)
    } else {
        Finding::fail(
            "data",
            format!("{path} is open to other users (mode {rights:o}); run `chmod 700 {path}`"),
        )
    };
    vec![rights, space(config), fsync(folder)]
}

fn space(config: &Config) -> Finding {
    let limits = &config.journal;
    let free = match journal::Reader::open(&journal::path(&config.data_dir)) {
        Ok(reader) => reader.space(limits),
        // There is none yet, or its own check reports it.
        Err(_) => journal::free_bytes(&config.data_dir).min(limits.max_bytes),
    };
    let path = journal::path(&config.data_dir);
    let text = format!(
        "{} MiB left for the journal, its log has {} MiB",
        free >> 20,
        journal::log_bytes(&path) >> 20
    );
    let grown = crate::cli::log_has_grown(&config.data_dir);
    if free < limits.reserve_bytes {
        let what = grown
            .as_deref()
            .unwrap_or("free the disk or raise `journal.max_bytes`");
        Finding::fail(
            "space",
            format!("{text}; every scan is answered with `NodeFault`: {what}"),
        )
    } else if let Some(grown) = grown {
        Finding::warn("space", format!("{text}; {grown}"))
    } else if free < COMFORTABLE_BYTES {
        Finding::warn("space", format!("{text}; free more before the doors open"))
    } else {
        Finding::ok("space", text)
    }
}

/// Writes like the journal and waits for the disk.
fn fsync(folder: &Path) -> Finding {
    match time_fsync(folder) {
        Ok(took) if took <= GOOD_FSYNC => Finding::ok("fsync", format!("{took:?}")),
        Ok(took) => Finding::warn(
            "fsync",
            format!("{took:?}; every verdict waits for this: the disk is slow or busy"),
        ),
        Err(error) => Finding::fail("fsync", format!("{error}; the disk is full or failing")),
    }
}

fn time_fsync(folder: &Path) -> io::Result<Duration> {
    let clock = Clock::of_this_boot().map_err(io::Error::other)?;
    let path = folder.join("doctor.probe");
    let mut file = File::create(&path)?;
    file.write_all(&[0; 4_096])?;
    let begun = clock.boottime();
    let synced = file.sync_all();
    let took = clock.boottime().since(begun);
    fs::remove_file(&path)?;
    synced.map(|()| took)
}
