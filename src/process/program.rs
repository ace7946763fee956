// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A program to start, with all that its set-up needs.

use super::attributes::Attributes;
use super::credentials::Credentials;
use super::stdio::Stdio;
use crate::error::Failure;
use crate::sys::{CpuLimit, PidVariable};
use crate::wait::Wait;
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::BorrowedFd;

/// Waits while a group is frozen.
pub type AwaitThaw<'a> = Box<dyn Fn(&dyn Wait) -> Result<(), Failure> + 'a>;

/// A cgroup to enter.
pub struct CgroupEntry<'a> {
    /// Its `cgroup.procs`, open for writing.
    pub procs: BorrowedFd<'a>,
    /// v2: its directory, by which a process can be created in it.
    pub directory: Option<BorrowedFd<'a>>,
    /// Whether nothing of the group itself keeps a process from its exec or has it killed, so that the child may share
    /// muontrap's memory.
    pub may_share_memory: bool,
    /// For a group above that is frozen, in which a process would not come to its exec.
    pub await_thaw: AwaitThaw<'a>,
    /// Explains the errno of a write to `procs`.
    pub explain: Box<dyn Fn(i32) -> Failure + 'a>,
}

impl fmt::Debug for CgroupEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CgroupEntry").field(&self.procs).finish()
    }
}

/// How the process reports itself before it executes the program, to be killed when muontrap is killed.
#[derive(Clone, Copy, Debug)]
pub struct Announcement<'a> {
    pub socket: BorrowedFd<'a>,
    /// Makes a message of the pids of muontrap and of the process.
    pub message: fn(i32, i32) -> [u8; ANNOUNCEMENT_SIZE],
}

pub const ANNOUNCEMENT_SIZE: usize = 17;

/// A program to start, with all that its set-up needs.
pub struct Program<'a> {
    /// The file to execute.
    pub path: &'a CStr,
    /// Its arguments, `argv[0]` included.
    pub argv: &'a [CString],
    /// Its environment, when it is not muontrap's own.
    pub environment: Option<&'a [CString]>,
    /// A variable of its environment with its pid.
    pub pid_variable: Option<PidVariable>,
    /// stdin, stdout, stderr.
    pub stdio: [Stdio; 3],
    /// User and groups to switch to.
    pub credentials: &'a Credentials,
    /// Other settings of its process.
    pub attributes: &'a Attributes,
    /// Its cgroup: one, or with v1 one in each hierarchy.
    pub cgroups: Vec<CgroupEntry<'a>>,
    /// The terminal whose foreground group its process group becomes.
    pub terminal: Option<BorrowedFd<'a>>,
    /// The terminal that becomes the controlling terminal of a session of the program's own.
    pub pty: Option<BorrowedFd<'a>>,
    /// The limit on CPU time that muontrap lifted for itself.
    pub cpu_limit: Option<CpuLimit>,
    /// Where the kernel does not kill it when muontrap dies.
    pub announcement: Option<Announcement<'a>>,
}
