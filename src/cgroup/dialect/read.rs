// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Reading a file under its name in either version: the inverse of `translate.rs`.

use super::convert::{self, Limit};
use super::error::ReadError;
use super::settings::{Conversion, RATES, find};
use super::version::Version;

type Result<T> = std::result::Result<T, ReadError>;

/// Reads a file of the group, without the newline at its end.
pub(in crate::cgroup) type File<'a> = &'a dyn Fn(&str) -> Result<String>;

/// What v1 shows where there is no limit: the largest number of whole pages, in bytes.
const NO_LIMIT: &str = "9223372036854771712";

/// Reads files of `version`, and returns what a file called `name`, of either version, would contain.
pub(in crate::cgroup) fn read(name: &str, version: Version, file: File<'_>) -> Result<String> {
    let found = find(name);
    match found.conversion {
        Conversion::IoWeight => weights(name, version, file),
        _ if found.is_of(version) => file(name),
        Conversion::Same => file(found.file(version)),
        Conversion::Limit => Ok(limit(&file(found.file(version))?, version)),
        Conversion::Swap => swap(version, file),
        Conversion::CpuWeight => cpu_weight(&file(found.file(version))?, version),
        Conversion::Quota | Conversion::Period => cpu_max(name, version, file),
        Conversion::Rate(key) => rates(key, version, file),
        Conversion::Frozen => Ok(frozen(&file(found.file(version))?, version).into()),
    }
}

fn number(text: &str) -> Result<u64> {
    text.trim().parse().map_err(|_| ReadError::Format)
}

/// Converts a limit from the text of `version` to that of the other.
fn limit(text: &str, version: Version) -> String {
    match (convert::parse_limit(text), version) {
        (Some(Limit::None), Version::V1) => "max".into(),
        (Some(Limit::None), Version::V2) => NO_LIMIT.into(),
        (Some(Limit::Bytes(bytes)), _) => bytes.to_string(),
        (None, _) => text.into(),
    }
}

/// v1 has memory and swap together, v2 swap alone.
fn swap(version: Version, file: File<'_>) -> Result<String> {
    let bytes = |name| -> Result<Option<u64>> {
        match convert::parse_limit(&file(name)?).ok_or(ReadError::Format)? {
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

fn cpu_weight(text: &str, version: Version) -> Result<String> {
    let number = number(text)?;
    let other = match version {
        Version::V1 => Some(convert::shares_to_weight(number)),
        // An idle group has the weight 0.
        Version::V2 => convert::weight_to_shares(number.max(1)),
    };
    other
        .map(|other| other.to_string())
        .ok_or(ReadError::Format)
}

fn cpu_max(name: &str, version: Version, file: File<'_>) -> Result<String> {
    if version == Version::V1 {
        let quota = file("cpu.cfs_quota_us")?;
        let quota = if quota == "-1" { "max" } else { &quota };
        return Ok(format!("{quota} {}", file("cpu.cfs_period_us")?));
    }
    let text = file("cpu.max")?;
    let (quota, period) = text.split_once(' ').ok_or(ReadError::Format)?;
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

fn weights(name: &str, version: Version, file: File<'_>) -> Result<String> {
    let (scale_of_v1, weights) = match version {
        Version::V1 => (true, weights_v1(file)?),
        Version::V2 => weights_v2(file)?,
    };
    let asked_v2 = name == "io.weight";
    let convert = |number: u64| match (scale_of_v1, asked_v2) {
        (true, true) => convert::blkio_to_io(number.clamp(10, 1000)),
        (false, false) => convert::io_to_blkio(number),
        _ => Some(number),
    };
    let mut lines = vec![];
    for (device, number) in weights {
        let number = convert(number).ok_or(ReadError::Format)?;
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
fn weights_v1(file: File<'_>) -> Result<Weights> {
    let (for_all, devices) = match file("blkio.weight") {
        Ok(text) => (text, "blkio.weight_device"),
        Err(ReadError::Missing) => (file("blkio.bfq.weight")?, "blkio.bfq.weight_device"),
        Err(error) => return Err(error),
    };
    let mut weights = vec![("default".into(), number(&for_all)?)];
    let devices = parse_weights(&file(devices).unwrap_or_default())?;
    weights.extend(devices.into_iter().filter(|(name, _)| name != "default"));
    Ok(weights)
}

/// The weights, and whether they are on the scale of v1.
fn weights_v2(file: File<'_>) -> Result<(bool, Weights)> {
    match file("io.weight") {
        Ok(text) => Ok((false, parse_weights(&text)?)),
        Err(ReadError::Missing) => {
            let text = file("io.bfq.weight").map_err(|_| ReadError::Missing)?;
            Ok((true, parse_weights(&text)?))
        }
        Err(error) => Err(error),
    }
}

fn parse_weights(text: &str) -> Result<Weights> {
    text.lines()
        .map(|line| {
            let (device, weight) = line.split_once(' ').unwrap_or(("default", line));
            Ok((device.to_string(), number(weight)?))
        })
        .collect()
}

/// `io.max` from the four files of v1, or one of these from `io.max`.
fn rates(key: &str, version: Version, file: File<'_>) -> Result<String> {
    if version == Version::V2 {
        let text = file("io.max")?;
        let lines = text.lines().filter_map(|line| {
            let (device, rates) = line.split_once(' ')?;
            let mut rates = rates.split(' ').filter_map(|rate| rate.split_once('='));
            let (_, rate) = rates.find(|(name, rate)| *name == key && *rate != "max")?;
            Some(format!("{device} {rate}"))
        });
        return Ok(lines.collect::<Vec<String>>().join("\n"));
    }
    let mut devices: Vec<(String, [String; 4])> = vec![];
    for (place, (_, name)) in RATES.into_iter().enumerate() {
        let text = file(name)?;
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
            .map(|((key, _), rate)| format!(" {key}={rate}"));
        format!("{device}{}", pairs.collect::<String>())
    });
    Ok(lines.collect::<Vec<String>>().join("\n"))
}

#[cfg(test)]
#[path = "read_test.rs"]
mod tests;
