// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A program to start, with all that its set-up needs.

use super::credentials::Credentials;
use super::stdio::Stdio;
use crate::error::Failure;
use crate::sys::{Capabilities, CpuLimit, PidVariable, ResourceLimit};
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::BorrowedFd;

/// Settings that become steps as they are.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// The working directory, when it is not muontrap's own.
    pub cd: Option<CString>,
    /// The niceness, -20 to 19, when it is not muontrap's own.
    pub nice: Option<i32>,
    /// The umask, up to 0777, when it is not muontrap's own.
    pub umask: Option<u32>,
    /// What is added to the score of the OOM killer, -1000 to 1000, when it is not muontrap's own.
    pub oom_score_adj: Option<CString>,
    /// Limits that are not muontrap's own.
    pub rlimits: Vec<ResourceLimit>,
    /// Whether no exec may give privileges.
    pub no_new_privs: bool,
    /// The capabilities that remain, in all five sets; `None` for no change.
    pub capabilities: Option<Capabilities>,
}

impl Attributes {
    /// The defaults, in this working directory.
    pub fn in_directory(cd: Option<CString>) -> Self {
        Self {
            cd,
            ..Self::default()
        }
    }
}

/// A cgroup to enter.
pub struct CgroupEntry<'a> {
    /// Its `cgroup.procs`, open for writing.
    pub procs: BorrowedFd<'a>,
    /// Explains the errno of a write to it.
    pub explain: Box<dyn Fn(i32) -> Failure + 'a>,
}

impl fmt::Debug for CgroupEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CgroupEntry").field(&self.procs).finish()
    }
}

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
}
