// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Files of v2 that only report, put together from what v1 has.

use std::io;

use super::fs::{number_after, read_at};
use super::kill::remaining;
use super::tree;
use super::view::{View, gone, read_in};

/// A file of v2 that v1 has under other names or in other units; nothing for all other names.
pub(super) fn on_v1(view: &View, name: &str) -> Option<io::Result<String>> {
    match name {
        "cpu.stat" => Some(cpu_stat(view)),
        "io.stat" => Some(io_stat(view)),
        "memory.events" => Some(memory_events(view)),
        "memory.swap.current" => Some(swap_current(view)),
        "cgroup.events" if view.unified().is_none() => Some(cgroup_events(view)),
        "cgroup.stat" if view.unified().is_none() => Some(cgroup_stat(view)),
        _ => None,
    }
}

fn number(view: &View, file: &str) -> io::Result<u64> {
    let text = view.read_v1(None, file)?;
    text.parse()
        .map_err(|_| io::Error::from_raw_os_error(libc::EIO))
}

/// Times are nanoseconds on v1 and microseconds on v2. Who uses how much is counted by `cpuacct`, or
/// on a hybrid host by v2 itself; what the limit does, by `cpu`.
fn cpu_stat(view: &View) -> io::Result<String> {
    let mut lines = vec![];
    let used = [
        ("usage_usec", "cpuacct.usage"),
        ("user_usec", "cpuacct.usage_user"),
        ("system_usec", "cpuacct.usage_sys"),
    ];
    for (key, file) in used {
        if let Ok(time) = number(view, file) {
            lines.push(format!("{key} {}", time / 1000));
        }
    }
    if lines.is_empty() {
        let text = view.unified().map(|group| read_in(group, "cpu.stat"));
        let text = text.transpose()?.unwrap_or_default();
        lines.extend(text.lines().map(String::from));
    }
    let limited = view.read_v1(None, "cpu.stat").unwrap_or_default();
    let keys = [
        ("nr_periods", "nr_periods", 1),
        ("nr_throttled", "nr_throttled", 1),
        ("throttled_time", "throttled_usec", 1000),
        ("nr_bursts", "nr_bursts", 1),
        ("burst_time", "burst_usec", 1000),
    ];
    for (theirs, ours, unit) in keys {
        if let Some(count) = number_after(&limited, theirs) {
            lines.push(format!("{ours} {}", count / unit));
        }
    }
    some(&lines)
}

/// v1 has one line for each device and kind of operation, in two files.
fn io_stat(view: &View) -> io::Result<String> {
    let mut devices: Vec<(String, Vec<String>)> = vec![];
    let files = [
        ("blkio.throttle.io_service_bytes_recursive", "bytes"),
        ("blkio.throttle.io_serviced_recursive", "ios"),
    ];
    for (file, unit) in files {
        let text = view.read_v1(None, file)?;
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

/// v1 counts the killed in each group by itself, v2 with those below it.
fn memory_events(view: &View) -> io::Result<String> {
    let group = view.group_v1(None, "memory.oom_control").ok_or_else(gone)?;
    let limited = number(view, "memory.failcnt")?;
    let killed = tree::sum(group.dir(), |dir| {
        let text = read_at(dir, "memory.oom_control").unwrap_or_default();
        number_after(&text, "oom_kill").unwrap_or(0)
    })?;
    Ok(format!("max {limited}\noom_kill {killed}"))
}

/// v1 counts memory and swap together.
fn swap_current(view: &View) -> io::Result<String> {
    let both = number(view, "memory.memsw.usage_in_bytes")?;
    let memory = number(view, "memory.usage_in_bytes")?;
    Ok(both.saturating_sub(memory).to_string())
}

fn cgroup_events(view: &View) -> io::Result<String> {
    let populated = usize::from(remaining(&view.groups)? > 0);
    let frozen = view.read_v1(None, "freezer.state");
    let frozen = usize::from(frozen.is_ok_and(|state| state == "FROZEN"));
    Ok(format!("populated {populated}\nfrozen {frozen}"))
}

/// v1 does not count dying groups.
fn cgroup_stat(view: &View) -> io::Result<String> {
    let mut below = 0;
    for group in &view.groups {
        below = below.max(tree::sum(group.dir(), |_| 1)? - 1);
    }
    Ok(format!("nr_descendants {below}"))
}

fn some(lines: &[String]) -> io::Result<String> {
    if lines.is_empty() {
        return Err(gone());
    }
    Ok(lines.join("\n"))
}
