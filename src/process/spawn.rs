// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Starting the program: fork, set the child up, exec, and hear how that went.

mod in_child;

use crate::cgroup::Cgroup;
use crate::error::{Failure, Step};
use crate::process::credentials::Credentials;
use crate::process::find;
use crate::sys::{self, CpuLimit, SignalMask};
use crate::wait::Wait;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Polling interval for the exec, which may take any time, on a network file system for one.
const EXEC_TIME: Duration = Duration::from_secs(60);
/// How long a child that was killed gets to die, unless its group is frozen.
const DEATH_TIME: Duration = Duration::from_secs(1);
/// Between two looks.
const TICK: Duration = Duration::from_millis(1);

/// Where one of the program's standard descriptors leads.
#[derive(Debug)]
pub enum Stdio {
    /// Where muontrap's own leads.
    Inherit,
    /// To this descriptor.
    Fd(OwnedFd),
    /// stderr only: wherever stdout leads.
    Stdout,
}

/// Everything the child needs, ready before the fork.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The terminal of which its process group becomes the foreground group.
    pub terminal: Option<RawFd>,
    /// The path to execute.
    pub path: &'a CStr,
    /// `argv`, `argv[0]` included.
    pub argv: &'a [CString],
    /// The environment, when it is not muontrap's own.
    pub environment: Option<&'a [CString]>,
    /// The working directory, when it is not muontrap's own.
    pub cd: Option<&'a CStr>,
    /// User and groups.
    pub credentials: &'a Credentials,
    /// How to wait for it to be executed.
    pub wait: &'a dyn Wait,
    /// The limit on CPU time to set again, where muontrap lifted its own.
    pub cpu_limit: Option<CpuLimit>,
    /// The cgroup to enter.
    pub cgroup: Option<&'a Cgroup>,
    /// stdin, stdout, stderr.
    pub stdio: [Stdio; 3],
}

/// `/dev/null`, for reading and writing.
pub fn dev_null() -> io::Result<OwnedFd> {
    let file = File::options().read(true).write(true).open("/dev/null")?;
    Ok(file.into())
}

/// What the child was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Group,
    Cgroup,
    Redirect,
    Groups,
    Gid,
    Uid,
    Cd,
    Guard,
    Exec,
}

const STAGES: [Stage; 9] = [
    Stage::Group,
    Stage::Cgroup,
    Stage::Redirect,
    Stage::Groups,
    Stage::Gid,
    Stage::Uid,
    Stage::Cd,
    Stage::Guard,
    Stage::Exec,
];

/// Why the child did not become the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mishap {
    stage: Stage,
    /// Which of several cgroups.
    detail: u8,
    errno: i32,
}

impl Mishap {
    const SIZE: usize = 6;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let [a, b, c, d] = self.errno.to_ne_bytes();
        [self.stage as u8, self.detail, a, b, c, d]
    }

    fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let [stage, detail, a, b, c, d] = bytes;
        Some(Self {
            stage: *STAGES.get(usize::from(stage))?,
            detail,
            errno: i32::from_ne_bytes([a, b, c, d]),
        })
    }
}

/// Starts the program and returns its pid once it was exec'ed. On failure nothing is left.
pub fn spawn(plan: &Plan<'_>) -> Result<i32, Failure> {
    let argv = pointers(plan.argv);
    let environment = plan.environment.map(pointers);
    let cgroup_procs = plan.cgroup.map(Cgroup::entry_fds).unwrap_or_default();
    let child = Child {
        path: plan.path.as_ptr(),
        argv: argv.as_ptr(),
        environment: environment.as_ref().map_or(std::ptr::null(), Vec::as_ptr),
        cd: plan.cd.map_or(std::ptr::null(), CStr::as_ptr),
        credentials: plan.credentials,
        cpu_limit: plan
            .cpu_limit
            .as_ref()
            .map_or(std::ptr::null(), |limit| &raw const limit.original),
        cgroup_procs: &cgroup_procs,
        stdio: plan.stdio.each_ref().map(source),
        parent: nix::unistd::getpid().as_raw(),
        terminal: plan.terminal.unwrap_or(-1),
    };
    let failed = |error: io::Error| {
        Failure::new(Step::Spawn, "cannot create a process")
            .caused_by(&error)
            .path(OsStr::from_bytes(plan.path.to_bytes()))
    };
    let (pid, report) = fork(&child).map_err(failed)?;
    match await_exec(&child, report, plan.wait) {
        Ok(None) => Ok(pid),
        Ok(Some(mishap)) => {
            // It is about to exit, so this does not block for long.
            let _ = waitpid(Pid::from_raw(pid), None);
            Err(explain(plan, mishap))
        }
        Err(error) => {
            let _ = sys::kill(pid, libc::SIGKILL);
            await_death(pid);
            Err(failed(error))
        }
    }
}

/// Why it could not be executed, unless it was.
///
/// That is told through a pipe, which the exec closes, although the child may share this process's
/// memory: emulators of processors (qemu's user mode) make a copy of it all the same, and do not wait.
fn await_exec(child: &Child<'_>, report: OwnedFd, wait: &dyn Wait) -> io::Result<Option<Mishap>> {
    // One that shares memory is done already.
    if !child.shares_memory() {
        while !wait.readable(Some(report.as_fd()), EXEC_TIME)? {}
    }
    let mut bytes = [0; Mishap::SIZE];
    let told = File::from(report).read_exact(&mut bytes).is_ok();
    Ok(told.then(|| Mishap::from_bytes(bytes)).flatten())
}

/// Waits for a child that was killed, but not for one that its cgroup keeps frozen: that dies later, and
/// without having been executed.
fn await_death(pid: i32) {
    let deadline = Instant::now() + DEATH_TIME;
    let flags = Some(WaitPidFlag::WNOHANG);
    while waitpid(Pid::from_raw(pid), flags) == Ok(WaitStatus::StillAlive)
        && Instant::now() < deadline
    {
        std::thread::sleep(TICK);
    }
}

/// What `execve(2)` takes.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    let pointers = strings.iter().map(|string| string.as_ptr());
    pointers.chain([std::ptr::null()]).collect()
}

fn source(stdio: &Stdio) -> Option<RawFd> {
    match stdio {
        Stdio::Inherit => None,
        Stdio::Fd(fd) => Some(fd.as_raw_fd()),
        Stdio::Stdout => Some(libc::STDOUT_FILENO),
    }
}

fn explain(plan: &Plan<'_>, mishap: Mishap) -> Failure {
    let Mishap {
        stage,
        detail,
        errno,
    } = mishap;
    let only_root = "only root, or CAP_SETUID and CAP_SETGID, may switch users and groups";
    let id = |id: Option<u32>| id.map_or_else(String::new, |id| id.to_string());
    let failure = match stage {
        Stage::Cgroup => {
            let unknown = || Failure::new(Step::Cgroup, "the cgroup refuses the program");
            return plan
                .cgroup
                .map_or_else(unknown, |cgroup| cgroup.entry_failure(detail.into(), errno));
        }
        Stage::Exec => return not_executed(plan, errno),
        Stage::Group => Failure::new(Step::Spawn, "cannot make a process group"),
        Stage::Guard => Failure::new(Step::Spawn, "cannot tie the program to its helper"),
        Stage::Redirect => Failure::new(Step::Spawn, "cannot redirect the program's stdio"),
        Stage::Groups => {
            Failure::new(Step::Groups, "cannot set the supplementary groups").advice(only_root)
        }
        Stage::Gid => Failure::new(
            Step::Gid,
            format!("cannot switch to group {}", id(plan.credentials.gid)),
        )
        .path(id(plan.credentials.gid))
        .advice(only_root),
        Stage::Uid => Failure::new(
            Step::Uid,
            format!("cannot switch to user {}", id(plan.credentials.uid)),
        )
        .path(id(plan.credentials.uid))
        .advice(only_root),
        Stage::Cd => {
            let directory = OsStr::from_bytes(plan.cd.unwrap_or_default().to_bytes());
            let who = plan
                .credentials
                .uid
                .map_or_else(String::new, |uid| format!(" as user {uid}"));
            Failure::new(
                Step::Cd,
                format!(
                    "cannot change to the directory {:?}{who}",
                    directory.to_string_lossy()
                ),
            )
            .path(directory)
        }
    };
    failure.errno(errno)
}

fn not_executed(plan: &Plan<'_>, errno: i32) -> Failure {
    let path = Path::new(OsStr::from_bytes(plan.path.to_bytes()));
    if plan.cgroup.is_none() || !lacks_memory(plan, errno) {
        return find::cannot_execute(path, errno);
    }
    let program = path.display();
    let message = format!("there is too little memory in the cgroup to execute {program}");
    Failure::new(Step::Cgroup, message)
        .errno(errno)
        .path(path)
        .advice("raise the limit on memory: most programs take a mebibyte or more")
}

/// Whether an exec failed for want of memory. The kernel also says so by `E2BIG`, of arguments and an
/// environment that are no longer than the 32 pages that it always takes (execve(2)).
fn lacks_memory(plan: &Plan<'_>, errno: i32) -> bool {
    const ALWAYS_FITS: usize = 128 * 1024;
    let pointer = size_of::<usize>();
    let arguments = plan.argv.iter().map(|word| word.as_bytes().len());
    let variables = std::env::vars_os().map(|(name, value)| name.len() + value.len() + 1);
    let sizes = arguments.chain(variables).map(|size| size + 1 + pointer);
    let are_short = sizes.sum::<usize>() < ALWAYS_FITS;
    errno == libc::ENOMEM || errno == libc::E2BIG && are_short
}

/// Plain pointers and numbers, all that the child may touch.
struct Child<'a> {
    path: *const libc::c_char,
    argv: *const *const libc::c_char,
    /// `null` for muontrap's own.
    environment: *const *const libc::c_char,
    cd: *const libc::c_char,
    credentials: &'a Credentials,
    cpu_limit: *const libc::rlimit,
    cgroup_procs: &'a [BorrowedFd<'a>],
    stdio: [Option<RawFd>; 3],
    parent: i32,
    /// -1: none.
    terminal: RawFd,
}

impl Child<'_> {
    /// Copying the page tables is most of what fork(2) costs, so on Linux the child borrows this process's
    /// memory instead, and this process waits until the exec.
    ///
    /// Not so when the child becomes another user, who could then stop or, on a system without the dumpable
    /// flag, trace a process that shares the memory of a privileged one. And not so when it enters a cgroup:
    /// that may be frozen, and this process must not wait for it whatever comes.
    fn shares_memory(&self) -> bool {
        cfg!(target_os = "linux") && self.credentials.uid.is_none() && self.cgroup_procs.is_empty()
    }
}

/// Forks with every signal blocked, so that none of this process's handlers ever runs in the child,
/// where it would write into the pipe that both share.
fn fork(child: &Child<'_>) -> io::Result<(i32, OwnedFd)> {
    let old = SignalMask::all_but([]).set()?;
    let started = in_child::start(child);
    old.set()?;
    started
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mishaps_survive_the_pipe() {
        for stage in STAGES {
            let mishap = Mishap {
                stage,
                detail: 3,
                errno: libc::EACCES,
            };
            assert_eq!(Mishap::from_bytes(mishap.to_bytes()), Some(mishap));
        }
        assert_eq!(Mishap::from_bytes([u8::MAX; Mishap::SIZE]), None);
    }
}
