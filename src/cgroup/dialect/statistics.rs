// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Statistics under their v2 names and in v2 units, computed from the files of v1.

use super::convert::number_after;
use super::error::ReadError;
use super::version::Version;

type Result<T> = std::result::Result<T, ReadError>;

/// The statistics that a group may have, by their names on v2.
pub(in crate::cgroup) const STATISTICS: [&str; 17] = [
    "cgroup.events",
    "cgroup.stat",
    "cpu.pressure",
    "cpu.stat",
    "io.pressure",
    "io.stat",
    "memory.current",
    "memory.events",
    "memory.peak",
    "memory.pressure",
    "memory.stat",
    "memory.swap.current",
    "memory.swap.events",
    "memory.swap.peak",
    "pids.current",
    "pids.events",
    "pids.peak",
];

/// A cgroup, on one version or on both.
pub(in crate::cgroup) trait Source {
    fn is_on(&self, version: Version) -> bool;
    /// Reads a file, without the newline at its end.
    fn text(&self, version: Version, file: &str) -> Result<String>;
    /// How many processes in the group and below the out-of-memory killer has killed.
    fn oom_kills(&self, version: Version) -> Result<u64>;
    /// How many processes are in the group and below.
    fn processes(&self) -> Result<usize>;
    /// How many groups are below it.
    fn descendants(&self) -> Result<u64>;
}

/// A statistic that `version` has under other names or in other units. `None`: it has a file of this name, or no such
/// statistic.
pub(in crate::cgroup) fn read_statistic(
    version: Version,
    name: &str,
    source: &dyn Source,
) -> Option<Result<String>> {
    match version {
        Version::V1 => read_on_v1(name, source),
        Version::V2 => None,
    }
}

fn read_on_v1(name: &str, source: &dyn Source) -> Option<Result<String>> {
    let has_v2 = source.is_on(Version::V2);
    match name {
        "cpu.stat" => Some(cpu_stat(source)),
        "io.stat" => Some(io_stat(source)),
        "memory.events" => Some(memory_events(source)),
        "memory.swap.current" => Some(swap_current(source)),
        "cgroup.events" if !has_v2 => Some(cgroup_events(source)),
        // v1 does not count dying groups.
        "cgroup.stat" if !has_v2 => {
            let count = source.descendants();
            Some(count.map(|count| format!("nr_descendants {count}")))
        }
        _ => None,
    }
}

fn number(source: &dyn Source, file: &str) -> Result<u64> {
    source
        .text(Version::V1, file)?
        .parse()
        .map_err(|_| ReadError::Format)
}

/// Times are nanoseconds on v1 and microseconds on v2. Usage is counted by `cpuacct`, or on a hybrid host by v2;
/// throttling by `cpu`.
fn cpu_stat(source: &dyn Source) -> Result<String> {
    let mut lines = vec![];
    let used = [
        ("usage_usec", "cpuacct.usage"),
        ("user_usec", "cpuacct.usage_user"),
        ("system_usec", "cpuacct.usage_sys"),
    ];
    for (key, file) in used {
        if let Ok(time) = number(source, file) {
            lines.push(format!("{key} {}", time / 1000));
        }
    }
    if lines.is_empty() {
        let text = if source.is_on(Version::V2) {
            source.text(Version::V2, "cpu.stat")?
        } else {
            String::new()
        };
        lines.extend(text.lines().map(String::from));
    }
    let limited = source.text(Version::V1, "cpu.stat").unwrap_or_default();
    let keys = [
        ("nr_periods", "nr_periods", 1),
        ("nr_throttled", "nr_throttled", 1),
        ("throttled_time", "throttled_usec", 1000),
        ("nr_bursts", "nr_bursts", 1),
        ("burst_time", "burst_usec", 1000),
    ];
    for (on_v1, on_v2, unit) in keys {
        if let Some(count) = number_after(&limited, on_v1) {
            lines.push(format!("{on_v2} {}", count / unit));
        }
    }
    if lines.is_empty() {
        return Err(ReadError::Missing);
    }
    Ok(lines.join("\n"))
}

/// v1 has one line for each device and kind of operation, in two files.
fn io_stat(source: &dyn Source) -> Result<String> {
    let mut devices: Vec<(String, Vec<String>)> = vec![];
    let files = [
        ("blkio.throttle.io_service_bytes_recursive", "bytes"),
        ("blkio.throttle.io_serviced_recursive", "ios"),
    ];
    for (file, unit) in files {
        let text = source.text(Version::V1, file)?;
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [device, kind, count] = words[..] else {
                continue;
            };
            let letter = match kind {
                "Read" => 'r',
                "Write" => 'w',
                "Discard" => 'd',
                _ => continue,
            };
            let pair = format!("{letter}{unit}={count}");
            match devices.iter_mut().find(|(name, _)| name == device) {
                Some((_, pairs)) => pairs.push(pair),
                None => devices.push((device.into(), vec![pair])),
            }
        }
    }
    let lines = devices.iter();
    let lines = lines.map(|(device, pairs)| format!("{device} {}", pairs.join(" ")));
    Ok(lines.collect::<Vec<String>>().join("\n"))
}

fn memory_events(source: &dyn Source) -> Result<String> {
    let limited = number(source, "memory.failcnt")?;
    let killed = source.oom_kills(Version::V1)?;
    Ok(format!("max {limited}\noom_kill {killed}"))
}

/// v1 counts memory and swap together.
fn swap_current(source: &dyn Source) -> Result<String> {
    let both = number(source, "memory.memsw.usage_in_bytes")?;
    let memory = number(source, "memory.usage_in_bytes")?;
    Ok(both.saturating_sub(memory).to_string())
}

fn cgroup_events(source: &dyn Source) -> Result<String> {
    let populated = usize::from(source.processes()? > 0);
    let frozen = source.text(Version::V1, "freezer.state");
    let frozen = usize::from(frozen.is_ok_and(|state| state == "FROZEN"));
    Ok(format!("populated {populated}\nfrozen {frozen}"))
}
