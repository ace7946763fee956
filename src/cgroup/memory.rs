// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the memory controller knows of a program that has ended.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;

use super::dialect::number_after;
use super::fs::{open_at, read_at};
use super::group::{Group, tree};

/// What a group that is used again had counted before.
#[derive(Debug, Default)]
pub(super) struct Memory {
    oom_kills_before: u64,
    /// v2: `memory.peak`, which a write resets for readers of this descriptor alone.
    peak: Option<File>,
}

impl Memory {
    /// Starts over, in a group that existed before. Since Linux 6.12; earlier, the peak on v2 includes the
    /// past.
    pub fn reset(&mut self, group: &Group) {
        self.oom_kills_before = count_oom_kills(group).unwrap_or(0);
        if group.is_v2() {
            self.peak = reset_peak(group);
        } else {
            let _ = group.write("memory.max_usage_in_bytes", "0");
        }
    }

    /// The processes of the group that the kernel killed because it was out of memory.
    pub fn oom_kills(&self, group: &Group) -> u64 {
        let count = count_oom_kills(group).unwrap_or(0);
        count.saturating_sub(self.oom_kills_before)
    }

    /// The most memory that the group ever used, in bytes. v2 has the file since Linux 5.19.
    pub fn peak(&self, group: &Group) -> Option<u64> {
        if let Some(mut file) = self.peak.as_ref() {
            let mut text = String::new();
            file.rewind().ok()?;
            file.read_to_string(&mut text).ok()?;
            return text.trim().parse().ok();
        }
        let file = if group.is_v2() {
            "memory.peak"
        } else {
            "memory.max_usage_in_bytes"
        };
        group.read(file).ok()?.trim().parse().ok()
    }
}

/// v2 counts the victims in all groups above theirs, v1 only in their own.
pub(super) fn count_oom_kills(group: &Group) -> io::Result<u64> {
    let count = |text: &str| number_after(text, "oom_kill").unwrap_or(0);
    if group.is_v2() {
        return Ok(count(&group.read("memory.events")?));
    }
    tree::sum(group.dir(), |dir| {
        read_at(dir, "memory.oom_control").map_or(0, |text| count(&text))
    })
}

fn reset_peak(group: &Group) -> Option<File> {
    let file: OwnedFd = open_at(group.dir().as_fd(), "memory.peak", OFlag::O_RDWR).ok()?;
    let mut file = File::from(file);
    file.write_all(b"reset\n").ok()?;
    Some(file)
}
