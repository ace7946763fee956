// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Translating the settings of a request to files and values, in the order of writing.
//!
//! The value of a setting of the host's own version is left to the kernel. Only what must be calculated is parsed
//! here.

use super::convert::{self, Limit};
use super::error::Mismatch;
use super::settings::{Conversion, file_on, find};
use super::version::Version;

/// The text of one of the group's files, without the newline; `None` when it cannot be read.
pub(in crate::cgroup) type Current<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A value to write to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cgroup) struct Write {
    /// The setting as the user named it.
    pub setting: String,
    pub file: String,
    pub value: String,
    /// Another file and value, where that file does not exist.
    pub fallback: Option<(String, String)>,
}

/// A name and a value.
type Setting = (String, String);

/// Translates settings to files of `version`.
pub(in crate::cgroup) fn translate(
    settings: &[Setting],
    version: Version,
    current: Current<'_>,
) -> Result<Vec<Write>, Mismatch> {
    let mut translation = Translation {
        version,
        current,
        writes: vec![],
        cpu: Cpu::default(),
        memory: Memory::default(),
    };
    for setting in settings {
        translation.add(setting)?;
    }
    translation.finish_cpu();
    translation.finish_memory()?;
    Ok(translation.writes)
}

/// The parts of `cpu.max`, collected from several settings, and the burst, which is written after them.
#[derive(Default)]
struct Cpu {
    quota: Option<String>,
    period: Option<String>,
    setting: String,
    burst: Option<Setting>,
}

/// The limits of memory and swap: swap cannot be translated without memory.
#[derive(Default)]
struct Memory {
    limit: Option<Setting>,
    swap: Option<Setting>,
}

pub(super) struct Translation<'a> {
    pub version: Version,
    current: Current<'a>,
    pub writes: Vec<Write>,
    cpu: Cpu,
    memory: Memory,
}

impl Translation<'_> {
    fn add(&mut self, setting: &Setting) -> Result<(), Mismatch> {
        let (name, value) = setting;
        let found = find(name);
        let file = found.file(self.version).to_string();
        let is_own = found.is_of(self.version);
        match found.conversion {
            Conversion::Quota | Conversion::Period => self.add_cpu(name, value)?,
            Conversion::Same if found.v2 == "cpu.max.burst" => {
                self.cpu.burst = Some(setting.clone());
            }
            Conversion::Limit if found.v2 == "memory.max" => {
                self.memory.limit = Some(setting.clone());
            }
            Conversion::Swap => self.memory.swap = Some(setting.clone()),
            Conversion::IoWeight => self.add_io_weight(name, value, is_own)?,
            _ if is_own => self.write(name, name.clone(), value.clone()),
            Conversion::Same => self.write(name, file, value.clone()),
            Conversion::Limit => self.write(name, file, limit(value, self.version)),
            Conversion::CpuWeight => {
                let value = self.cpu_weight(name, value, &file)?;
                self.write(name, file, value);
            }
            Conversion::Rate(key) => self.add_rates(name, value, key, &file)?,
            Conversion::Frozen => {
                let value = self.frozen(name, value, &file)?;
                self.write(name, file, value);
            }
        }
        Ok(())
    }

    pub fn write(&mut self, setting: &str, file: impl Into<String>, value: impl Into<String>) {
        let (setting, file, value) = (setting.into(), file.into(), value.into());
        self.writes.push(Write {
            setting,
            file,
            value,
            fallback: None,
        });
    }

    // --- CPU ---

    fn cpu_weight(&self, name: &str, value: &str, file: &str) -> Result<String, Mismatch> {
        let number =
            convert::parse_number(value.trim()).ok_or_else(|| not_a_number(name, value, file))?;
        if self.version == Version::V2 {
            return Ok(convert::shares_to_weight(number).to_string());
        }
        convert::weight_to_shares(number)
            .map(|shares| shares.to_string())
            .ok_or_else(|| refuse(name, value, file, libc::ERANGE, "it must be 1 to 10000"))
    }

    fn add_cpu(&mut self, name: &str, value: &str) -> Result<(), Mismatch> {
        self.cpu.setting = name.to_string();
        if name == "cpu.cfs_quota_us" {
            self.cpu.quota = Some(value.to_string());
            return Ok(());
        }
        if name == "cpu.cfs_period_us" {
            self.cpu.period = Some(value.to_string());
            return Ok(());
        }
        let words: Vec<&str> = value.split_whitespace().collect();
        let (quota, period) = match words[..] {
            [quota] => (quota, None),
            [quota, period] => (quota, Some(period.to_string())),
            _ => {
                let why = "it must be a quota, or a quota and a period";
                let file = file_on(self.version, name);
                return Err(refuse(name, value, &file, libc::EINVAL, why));
            }
        };
        self.cpu.quota = Some(if quota == "max" {
            "-1".into()
        } else {
            quota.into()
        });
        self.cpu.period = period.or(self.cpu.period.take());
        Ok(())
    }

    fn finish_cpu(&mut self) {
        let burst = self.cpu.burst.take();
        let burst =
            burst.map(|(name, value)| (file_on(self.version, &name).to_string(), name, value));
        if let Some((file, name, _)) = &burst {
            // The kernel refuses a burst above the quota, even between two writes.
            let saves_up = (self.current)(file).is_some_and(|now| now != "0");
            if self.cpu.quota.is_some() && saves_up {
                self.write(name, file, "0");
            }
        }
        self.finish_cpu_max();
        if let Some((file, name, value)) = burst {
            self.write(&name, file, value);
        }
    }

    fn finish_cpu_max(&mut self) {
        let Cpu {
            quota,
            period,
            setting,
            burst: _,
        } = std::mem::take(&mut self.cpu);
        if self.version == Version::V2 {
            let max = |quota: String| if quota == "-1" { "max".into() } else { quota };
            let value = match (quota.map(max), period) {
                (None, None) => return,
                (Some(quota), None) => quota,
                (Some(quota), Some(period)) => format!("{quota} {period}"),
                // The kernel takes no period alone, so the current quota is written with it.
                (None, Some(period)) => {
                    let now = (self.current)("cpu.max").unwrap_or_default();
                    format!(
                        "{} {period}",
                        now.split_whitespace().next().unwrap_or("max")
                    )
                }
            };
            return self.write(&setting, "cpu.max", value);
        }
        let (quota_file, period_file) = ("cpu.cfs_quota_us", "cpu.cfs_period_us");
        if let Some(period) = period {
            // The new period with the old quota may exceed the share of a parent that is limited, too, which
            // the kernel refuses. So the limit is lifted in between.
            let limited = (self.current)(quota_file).is_some_and(|now| now != "-1");
            if quota.is_some() && limited {
                self.write(&setting, quota_file, "-1");
            }
            self.write(&setting, period_file, period);
        }
        if let Some(quota) = quota {
            self.write(&setting, quota_file, quota);
        }
    }

    // --- Memory ---

    fn finish_memory(&mut self) -> Result<(), Mismatch> {
        let Memory {
            limit: memory,
            swap,
        } = std::mem::take(&mut self.memory);
        let (memory_file, swap_file) = match self.version {
            Version::V1 => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
            Version::V2 => ("memory.max", "memory.swap.max"),
        };
        let swap_value = match &swap {
            None => None,
            Some((name, value)) if name == swap_file => Some(value.clone()),
            Some((name, value)) => {
                let given = memory.as_ref().map(|(_, value)| value.clone());
                let limit = given
                    .or_else(|| (self.current)(memory_file))
                    .unwrap_or_default();
                Some(self.swap(name, value, &limit, swap_file)?)
            }
        };
        let memory = memory.map(|(name, value)| {
            let own = name == memory_file;
            let value = if own {
                value
            } else {
                limit(&value, self.version)
            };
            (name, value)
        });
        // v1 refuses a memory limit above that of memory and swap, even between two writes.
        let both_first = match (&memory, &swap_value) {
            (Some((_, value)), Some(_)) if self.version == Version::V1 => {
                self.above(value, swap_file)
            }
            _ => false,
        };
        if let Some((name, value)) = memory {
            self.write(&name, memory_file, value);
        }
        if let (Some((name, _)), Some(value)) = (swap, swap_value) {
            self.write(&name, swap_file, value);
            if both_first {
                let last = self.writes.len() - 1;
                self.writes.swap(last, last - 1);
            }
        }
        Ok(())
    }

    fn above(&self, limit: &str, file: &str) -> bool {
        let now = (self.current)(file).and_then(|now| convert::parse_limit(&now));
        match (convert::parse_limit(limit), now) {
            (Some(Limit::Bytes(limit)), Some(Limit::Bytes(now))) => limit > now,
            (Some(Limit::None), Some(Limit::Bytes(_))) => true,
            _ => false,
        }
    }

    fn swap(&self, name: &str, value: &str, limit: &str, file: &str) -> Result<String, Mismatch> {
        let amount = convert::parse_limit(value);
        let amount = match amount.ok_or_else(|| not_a_number(name, value, file))? {
            Limit::None if self.version == Version::V1 => return Ok("-1".into()),
            Limit::None => return Ok("max".into()),
            Limit::Bytes(amount) => amount,
        };
        let why = "v1 counts memory and swap together and v2 swap alone, so the memory limit must be \
                   set too";
        let Some(Limit::Bytes(limit)) = convert::parse_limit(limit) else {
            return Err(refuse(name, value, file, libc::EINVAL, why));
        };
        if self.version == Version::V1 {
            return Ok(limit.saturating_add(amount).to_string());
        }
        let swap = amount.checked_sub(limit).ok_or_else(|| {
            let why = "memory and swap together are less than the memory limit";
            refuse(name, value, file, libc::EINVAL, why)
        })?;
        Ok(swap.to_string())
    }

    fn frozen(&self, name: &str, value: &str, file: &str) -> Result<String, Mismatch> {
        let words = [("FROZEN", "1"), ("THAWED", "0")];
        let found = words.into_iter().find_map(|(v1, v2)| match self.version {
            Version::V1 => (value == v2).then_some(v1),
            Version::V2 => (value == v1).then_some(v2),
        });
        let why = "it must be FROZEN or THAWED on v1, 1 or 0 on v2";
        found
            .map(String::from)
            .ok_or_else(|| refuse(name, value, file, libc::EINVAL, why))
    }
}

/// A value that cannot be translated, with the errno that the kernel gives for it.
pub(super) fn refuse(
    setting: &str,
    value: &str,
    file: &str,
    errno: i32,
    reason: &'static str,
) -> Mismatch {
    Mismatch::Value {
        setting: setting.into(),
        value: value.into(),
        file: file.into(),
        errno,
        reason,
    }
}

fn not_a_number(setting: &str, value: &str, file: &str) -> Mismatch {
    let reason = "it is not a plain number";
    refuse(setting, value, file, libc::EINVAL, reason)
}

/// The word for "no limit" on this version; numbers stay as they are.
fn limit(value: &str, version: Version) -> String {
    match (version, value) {
        (Version::V1, "max") => "-1".into(),
        (Version::V2, "-1") => "max".into(),
        _ => value.into(),
    }
}

#[cfg(test)]
#[path = "translate_test.rs"]
mod tests;
