// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a file of either dialect says, in the dialect that was asked for: the way back of
//! `translate.rs`.

use std::io;

use super::convert::{self, Limit};
use super::fs::is_gone;
use super::mounts::Version;
use super::settings::{Map, find, rate_file};

/// Reads a file of the group, without the newline at its end.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// What v1 shows where there is no limit: the largest number of whole pages, in bytes.
const NO_LIMIT: &str = "9223372036854771712";
/// The keys of `io.max`, in the order in which the kernel shows them.
const RATES: [&str; 4] = ["rbps", "wbps", "riops", "wiops"];

/// What the group's files say about `name`, which is from either dialect, in the dialect of `name`.
/// Reads only files of `version`.
pub(super) fn answer(name: &str, version: Version, read: Read<'_>) -> io::Result<String> {
    let found = find(name);
    let own = found.dialect.is_none_or(|dialect| dialect == version);
    let file = found.file(version);
    match found.map {
        Map::IoWeight => weights(name, version, read),
        _ if own => read(name),
        Map::Same => read(file),
        Map::Limit => Ok(limit(&read(file)?, version)),
        Map::Swap => swap(version, read),
        Map::CpuWeight => cpu_weight(&read(file)?, version),
        Map::Quota | Map::Period => cpu_max(name, version, read),
        Map::Rate(key) => rates(key, version, read),
        Map::Frozen => Ok(frozen(&read(file)?, version).into()),
    }
}

/// The kernel said something that it never says.
fn odd() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn number(text: &str) -> io::Result<u64> {
    text.trim().parse().map_err(|_| odd())
}

/// The text is of `version`, the answer of the other.
fn limit(text: &str, version: Version) -> String {
    match (convert::parse_limit(text), version) {
        (Some(Limit::None), Version::V1) => "max".into(),
        (Some(Limit::None), Version::V2) => NO_LIMIT.into(),
        (Some(Limit::Bytes(bytes)), _) => bytes.to_string(),
        (None, _) => text.into(),
    }
}

/// v1 has memory and swap together, v2 swap alone.
fn swap(version: Version, read: Read<'_>) -> io::Result<String> {
    let bytes = |file| -> io::Result<Option<u64>> {
        match convert::parse_limit(&read(file)?).ok_or_else(odd)? {
            Limit::None => Ok(None),
            Limit::Bytes(bytes) => Ok(Some(bytes)),
        }
    };
    Ok(match version {
        Version::V1 => {
            let both = bytes("memory.memsw.limit_in_bytes")?;
            let memory = bytes("memory.limit_in_bytes")?;
            let swap = both.map(|both| both.saturating_sub(memory.unwrap_or(0)));
            swap.map_or_else(|| "max".into(), |swap| swap.to_string())
        }
        Version::V2 => {
            let both = bytes("memory.swap.max")?.zip(bytes("memory.max")?);
            let both = both.map(|(swap, memory)| swap.saturating_add(memory));
            both.map_or_else(|| NO_LIMIT.into(), |both| both.to_string())
        }
    })
}

fn cpu_weight(text: &str, version: Version) -> io::Result<String> {
    let number = number(text)?;
    let other = match version {
        Version::V1 => Some(convert::shares_to_weight(number)),
        // An idle group has less than the smallest weight.
        Version::V2 => convert::weight_to_shares(number.max(1)),
    };
    other.map(|other| other.to_string()).ok_or_else(odd)
}

fn cpu_max(name: &str, version: Version, read: Read<'_>) -> io::Result<String> {
    if version == Version::V1 {
        let quota = read("cpu.cfs_quota_us")?;
        let quota = if quota == "-1" { "max" } else { &quota };
        return Ok(format!("{quota} {}", read("cpu.cfs_period_us")?));
    }
    let text = read("cpu.max")?;
    let (quota, period) = text.split_once(' ').ok_or_else(odd)?;
    Ok(match (name, quota) {
        ("cpu.cfs_period_us", _) => period.into(),
        (_, "max") => "-1".into(),
        (_, quota) => quota.into(),
    })
}

fn frozen(text: &str, version: Version) -> &'static str {
    match (version, text) {
        (Version::V1, "THAWED") => "0",
        (Version::V1, _) => "1",
        (Version::V2, "0") => "THAWED",
        (Version::V2, _) => "FROZEN",
    }
}

// --- Block devices ---

/// Weights by device; the one for all others has the name `default`.
type Weights = Vec<(String, u64)>;

fn weights(name: &str, version: Version, read: Read<'_>) -> io::Result<String> {
    let (scale_of_v1, weights) = match version {
        Version::V1 => (true, weights_v1(read)?),
        Version::V2 => weights_v2(read)?,
    };
    let asked_v2 = name == "io.weight";
    let convert = |number: u64| match (scale_of_v1, asked_v2) {
        (true, true) => convert::blkio_to_io(number.clamp(10, 1000)),
        (false, false) => convert::io_to_blkio(number),
        _ => Some(number),
    };
    let mut lines = vec![];
    for (device, number) in weights {
        let number = convert(number).ok_or_else(odd)?;
        match (name, device == "default") {
            ("io.weight", _) | ("blkio.weight_device", false) => {
                lines.push(format!("{device} {number}"));
            }
            ("blkio.weight", true) => lines.push(number.to_string()),
            _ => {}
        }
    }
    Ok(lines.join("\n"))
}

/// The BFQ scheduler has its own files, and on some kernels they are the only ones.
fn weights_v1(read: Read<'_>) -> io::Result<Weights> {
    let (for_all, devices) = match read("blkio.weight") {
        Ok(text) => (text, "blkio.weight_device"),
        Err(error) if is_gone(&error) => (read("blkio.bfq.weight")?, "blkio.bfq.weight_device"),
        Err(error) => return Err(error),
    };
    let mut weights = vec![("default".into(), number(&for_all)?)];
    let devices = parse_weights(&read(devices).unwrap_or_default())?;
    weights.extend(devices.into_iter().filter(|(name, _)| name != "default"));
    Ok(weights)
}

/// And whether they are on the scale of v1.
fn weights_v2(read: Read<'_>) -> io::Result<(bool, Weights)> {
    match read("io.weight") {
        Ok(text) => Ok((false, parse_weights(&text)?)),
        Err(error) if is_gone(&error) => {
            let text = read("io.bfq.weight").map_err(|_| error)?;
            Ok((true, parse_weights(&text)?))
        }
        Err(error) => Err(error),
    }
}

fn parse_weights(text: &str) -> io::Result<Weights> {
    text.lines()
        .map(|line| {
            let (device, weight) = line.split_once(' ').unwrap_or(("default", line));
            Ok((device.to_string(), number(weight)?))
        })
        .collect()
}

/// `io.max` from the four files of v1, or one of those from `io.max`.
fn rates(key: &str, version: Version, read: Read<'_>) -> io::Result<String> {
    if version == Version::V2 {
        let text = read("io.max")?;
        let lines = text.lines().filter_map(|line| {
            let (device, rates) = line.split_once(' ')?;
            let mut rates = rates.split(' ').filter_map(|rate| rate.split_once('='));
            let (_, rate) = rates.find(|(name, rate)| *name == key && *rate != "max")?;
            Some(format!("{device} {rate}"))
        });
        return Ok(lines.collect::<Vec<String>>().join("\n"));
    }
    let mut devices: Vec<(String, [String; 4])> = vec![];
    for (place, key) in RATES.into_iter().enumerate() {
        let text = read(rate_file(key).ok_or_else(odd)?)?;
        for (device, rate) in text.lines().filter_map(|line| line.split_once(' ')) {
            let at = devices.iter().position(|(name, _)| name == device);
            let at = at.unwrap_or_else(|| {
                devices.push((device.into(), std::array::from_fn(|_| "max".into())));
                devices.len() - 1
            });
            devices[at].1[place] = rate.into();
        }
    }
    let lines = devices.iter().map(|(device, rates)| {
        let pairs = RATES
            .iter()
            .zip(rates)
            .map(|(key, rate)| format!(" {key}={rate}"));
        format!("{device}{}", pairs.collect::<String>())
    });
    Ok(lines.collect::<Vec<String>>().join("\n"))
}

#[cfg(test)]
#[path = "answer_test.rs"]
mod tests;
