// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the memory controller has counted, for a program that has ended.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;

use super::dialect::number_after;
use super::fs::{open_at, read_at};
use super::group::{Group, tree};

/// Excludes what a group that existed before had already counted.
#[derive(Debug, Default)]
pub(super) struct Memory {
    oom_kills_before: u64,
    /// The file with the peak, which was reset by a write to this descriptor.
    peak: Option<File>,
}

impl Memory {
    /// Starts over, for a group that existed before. On v2 before Linux 6.12, the peak cannot be reset.
    pub fn reset(&mut self, group: &Group) {
        self.oom_kills_before = count_oom_kills(group).unwrap_or(0);
        self.peak = reset_peak(group);
    }

    /// How many processes of the group the out-of-memory killer has killed.
    pub fn oom_kills(&self, group: &Group) -> u64 {
        let count = count_oom_kills(group).unwrap_or(0);
        count.saturating_sub(self.oom_kills_before)
    }

    /// The peak memory usage of the group, in bytes.
    pub fn peak(&self, group: &Group) -> Option<u64> {
        if let Some(mut file) = self.peak.as_ref() {
            let mut text = String::new();
            file.rewind().ok()?;
            file.read_to_string(&mut text).ok()?;
            return text.trim().parse().ok();
        }
        group
            .read(group.interface().memory.peak)
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}

/// How many processes in the group and below it the out-of-memory killer has ever killed.
pub(super) fn count_oom_kills(group: &Group) -> io::Result<u64> {
    let memory = &group.interface().memory;
    let count = |text: &str| number_after(text, "oom_kill").unwrap_or(0);
    if memory.oom_kills_below {
        return Ok(count(&group.read(memory.oom_kills)?));
    }
    tree::sum(group.dir(), |dir| {
        read_at(dir, memory.oom_kills).map_or(0, |text| count(&text))
    })
}

fn reset_peak(group: &Group) -> Option<File> {
    let memory = &group.interface().memory;
    let file: OwnedFd = open_at(group.dir().as_fd(), memory.peak, OFlag::O_RDWR).ok()?;
    let mut file = File::from(file);
    file.write_all(memory.reset.as_bytes()).ok()?;
    Some(file)
}
