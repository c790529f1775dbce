//! Where the figures were taken: none is worth anything without it.

use serde::Serialize;

/// Facts of the machine, as they were before the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    cores: usize,
    cpu: String,
    memory_mib: u64,
    /// Load averages of 1, 5 and 15 minutes before the start.
    load: String,
    profile: &'static str,
}

impl Machine {
    /// This machine, now.
    #[must_use]
    pub fn look() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            cpu: cpu_model(&read("/proc/cpuinfo")),
            memory_mib: kib_of(&read("/proc/meminfo"), "MemTotal").unwrap_or(0) / 1024,
            load: load_averages(&read("/proc/loadavg")),
            profile: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            },
        }
    }

    #[cfg(test)]
    pub(super) fn unknown() -> Self {
        Self {
            cores: 0,
            cpu: "unknown".to_owned(),
            memory_mib: 0,
            load: String::new(),
            profile: "dev",
        }
    }

    /// One line of it.
    #[must_use]
    pub fn head(&self) -> String {
        let Self {
            cores,
            cpu,
            memory_mib,
            load,
            profile,
        } = self;
        format!(
            "{cores} cores ({cpu}), {memory_mib} MiB, load before the start {load}, {profile} \
             build, PostgreSQL and SQLite wait for the disk"
        )
    }
}

/// `model name` of the first processor; ARM names none.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_the_kernel_writes_them() {
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
}
