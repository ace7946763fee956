// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the kernel offers in the groups of one version, as far as the versions differ: files, the values to write to
//! them, and rules. `v1.rs` and `v2.rs` have the values.

/// The differences, a field for each.
#[derive(Debug)]
pub(in crate::cgroup) struct Interface {
    /// The type of the file system, as in `/proc/filesystems`.
    pub filesystem: &'static str,
    /// Whether one hierarchy has all controllers, instead of one for each controller.
    pub is_unified: bool,
    /// The files that enable controllers. `None`: every group has all controllers of its hierarchy.
    pub enabling: Option<Enabling>,
    /// Whether moving a process also needs write access to the `cgroup.procs` of the nearest common ancestor of its
    /// old and its new group.
    pub contains_delegation: bool,
    pub freezer: Freezer,
    /// The file that, when `1` is written to it, kills all processes in the group and the groups below it.
    pub kill: Option<&'static str>,
    /// Set while there is a live process in the group or below it. `None`: only the list of processes shows that.
    pub populated: Option<Flag>,
    /// The suffix of the files that show which CPUs and memory nodes a group really has. `None`: the kernel refuses a
    /// setting that the group cannot have.
    pub granted: Option<&'static str>,
    pub memory: Memory,
}

/// The files that enable controllers: a group has those that the group above it enables.
#[derive(Debug)]
pub(in crate::cgroup) struct Enabling {
    /// Lists the controllers that the group has.
    pub has: &'static str,
    /// Lists the controllers that the group enables for the groups below it. `+name` adds one, `-name` removes it.
    pub enables: &'static str,
}

/// How to freeze all processes in a group and the groups below it.
#[derive(Debug)]
pub(in crate::cgroup) struct Freezer {
    /// The controller that has it. `None`: every group has it.
    pub controller: Option<&'static str>,
    /// The file that `freeze` and `thaw` are written to.
    pub file: &'static str,
    pub freeze: &'static str,
    pub thaw: &'static str,
    /// Set in a group that a group above has frozen.
    pub inherited: Flag,
    /// The file that contains `1` in the group that was itself frozen.
    pub own: &'static str,
    /// Whether a frozen process does not die of SIGKILL until it is thawed.
    pub holds_killed: bool,
}

/// The counters of the memory controller.
#[derive(Debug)]
pub(in crate::cgroup) struct Memory {
    /// The file with the peak usage, in bytes.
    pub peak: &'static str,
    /// What resets the peak when written to that file. On v2, only reads by the same descriptor see the reset.
    pub reset: &'static str,
    /// The file that counts the processes that the out-of-memory killer has killed.
    pub oom_kills: &'static str,
    /// Whether this count includes the groups below.
    pub oom_kills_below: bool,
}

/// A file, and a line that is in it while a condition holds.
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
