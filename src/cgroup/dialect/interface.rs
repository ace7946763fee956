// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the groups of one version have, as far as the versions differ: names of files, what is written to them,
//! and rules of the kernel.

/// A row for each difference, of which `v1.rs` and `v2.rs` have the values.
#[derive(Debug)]
pub(in crate::cgroup) struct Interface {
    /// The type of its file system.
    pub filesystem: &'static str,
    /// Whether one hierarchy has all controllers.
    pub is_unified: bool,
    /// How controllers are enabled. Otherwise each group has those of its hierarchy.
    pub enabling: Option<Enabling>,
    /// Whether moving a process takes a writable `cgroup.procs` in the nearest group above both places, too.
    pub contains_delegation: bool,
    pub freezer: Freezer,
    /// The file that kills all processes of a group and the groups below it when `1` is written.
    pub kill: Option<&'static str>,
    /// Set while the group, or one below it, holds a live process.
    pub populated: Option<Flag>,
    /// The ending of the files with the CPUs and memory nodes that a group really has, where the kernel takes more
    /// than that as its setting.
    pub granted: Option<&'static str>,
    pub memory: Memory,
}

/// A group has the controllers that the group above it enables.
#[derive(Debug)]
pub(in crate::cgroup) struct Enabling {
    /// The file that lists the controllers of a group.
    pub has: &'static str,
    /// The file that lists those which it enables for the groups below. `+name` and `-name` are written to it.
    pub enables: &'static str,
}

/// How the processes of a group and the groups below it are frozen.
#[derive(Debug)]
pub(in crate::cgroup) struct Freezer {
    /// The controller whose hierarchy has it; `None` when every group has it.
    pub controller: Option<&'static str>,
    /// The file to write to.
    pub file: &'static str,
    pub freeze: &'static str,
    pub thaw: &'static str,
    /// Set in a group that is frozen because of a group above.
    pub inherited: Flag,
    /// The file that is `1` in the group that was frozen itself.
    pub own: &'static str,
    /// Whether a frozen process that gets SIGKILL dies only when it is thawed.
    pub holds_killed: bool,
}

/// What the memory controller knows of a group.
#[derive(Debug)]
pub(in crate::cgroup) struct Memory {
    /// The file with the most that was used, in bytes.
    pub peak: &'static str,
    /// What is written to that file, to begin again. Those who read by the same descriptor see that.
    pub reset: &'static str,
    /// The file that counts processes which the kernel killed because the memory was used up.
    pub oom_kills: &'static str,
    /// Whether this includes those of the groups below.
    pub oom_kills_below: bool,
}

/// A file, and the line that it has while something is so.
#[derive(Debug)]
pub(in crate::cgroup) struct Flag {
    pub file: &'static str,
    pub line: &'static str,
}

impl Flag {
    pub fn is_set(&self, text: &str) -> bool {
        text.lines().any(|line| line == self.line)
    }
}
