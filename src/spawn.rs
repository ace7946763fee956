// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Starting the program: fork, set the child up, exec, and hear how that went.

use crate::cgroup::Cgroup;
use crate::error::{Failure, Step};
use crate::identity::Identity;
use crate::program;
use crate::sys;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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
    /// The path to execute.
    pub path: &'a CStr,
    /// `argv`, `argv[0]` included.
    pub argv: &'a [CString],
    /// Whether it has no environment, instead of muontrap's own.
    pub clear_env: bool,
    /// The working directory, when it is not muontrap's own.
    pub cd: Option<&'a CStr>,
    /// User and groups.
    pub identity: &'a Identity,
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

/// Starts the program and returns its pid once it was exec'ed. On failure nothing is left.
pub fn spawn(plan: &Plan<'_>) -> Result<i32, Failure> {
    let failed = |what: &str, error: &io::Error| {
        Failure::new(Step::Spawn, format!("cannot create {what}"))
            .caused_by(error)
            .path(plan.path.to_string_lossy())
    };
    let (report, report_child) = sys::pipe().map_err(|error| failed("a pipe", &error))?;
    let argv: Vec<*const libc::c_char> = plan
        .argv
        .iter()
        .map(|word| word.as_ptr())
        .chain([std::ptr::null()])
        .collect();
    let cgroup_procs = plan.cgroup.map(Cgroup::entry_fds).unwrap_or_default();
    let child = Child {
        path: plan.path.as_ptr(),
        argv: argv.as_ptr(),
        clear_env: plan.clear_env,
        cd: plan.cd.map_or(std::ptr::null(), CStr::as_ptr),
        identity: plan.identity,
        cgroup_procs: &cgroup_procs,
        stdio: plan.stdio.each_ref().map(source),
        parent: nix::unistd::getpid().as_raw(),
        report: report_child.as_raw_fd(),
    };
    let pid = fork(&child).map_err(|error| failed("a process", &error))?;
    drop(report_child);
    match read_report(report) {
        None => Ok(pid),
        Some((stage, detail, errno)) => {
            // It is about to exit, so this does not block for long.
            let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None);
            Err(explain(plan, stage, detail, errno))
        }
    }
}

fn source(stdio: &Stdio) -> Option<RawFd> {
    match stdio {
        Stdio::Inherit => None,
        Stdio::Fd(fd) => Some(fd.as_raw_fd()),
        Stdio::Stdout => Some(libc::STDOUT_FILENO),
    }
}

/// `None` when the exec closed the pipe.
fn read_report(pipe: OwnedFd) -> Option<(Stage, usize, i32)> {
    let mut bytes = [0; REPORT_SIZE];
    File::from(pipe).read_exact(&mut bytes).ok()?;
    let [stage, detail, a, b, c, d] = bytes;
    let stage = *STAGES.get(usize::from(stage))?;
    Some((stage, detail.into(), i32::from_ne_bytes([a, b, c, d])))
}

/// Stage, which of several cgroups, errno.
const REPORT_SIZE: usize = 6;

fn explain(plan: &Plan<'_>, stage: Stage, detail: usize, errno: i32) -> Failure {
    let only_root = "only root, or CAP_SETUID and CAP_SETGID, may switch users and groups";
    let id = |id: Option<u32>| id.map_or_else(String::new, |id| id.to_string());
    let failure = match stage {
        Stage::Cgroup => {
            let unknown = || Failure::new(Step::Cgroup, "the cgroup refuses the program");
            return plan
                .cgroup
                .map_or_else(unknown, |cgroup| cgroup.entry_failure(detail, errno));
        }
        Stage::Exec => {
            return program::cannot_execute(
                Path::new(OsStr::from_bytes(plan.path.to_bytes())),
                errno,
            );
        }
        Stage::Group => Failure::new(Step::Spawn, "cannot make a process group"),
        Stage::Guard => Failure::new(Step::Spawn, "cannot tie the program to its helper"),
        Stage::Redirect => Failure::new(Step::Spawn, "cannot redirect the program's stdio"),
        Stage::Groups => {
            Failure::new(Step::Groups, "cannot set the supplementary groups").advice(only_root)
        }
        Stage::Gid => Failure::new(
            Step::Gid,
            format!("cannot switch to group {}", id(plan.identity.gid)),
        )
        .path(id(plan.identity.gid))
        .advice(only_root),
        Stage::Uid => Failure::new(
            Step::Uid,
            format!("cannot switch to user {}", id(plan.identity.uid)),
        )
        .path(id(plan.identity.uid))
        .advice(only_root),
        Stage::Cd => {
            let directory = plan.cd.unwrap_or_default().to_string_lossy();
            let who = plan
                .identity
                .uid
                .map_or_else(String::new, |uid| format!(" as user {uid}"));
            Failure::new(
                Step::Cd,
                format!("cannot change to the directory {directory:?}{who}"),
            )
            .path(directory)
        }
    };
    failure.errno(errno)
}

/// Plain pointers and numbers, all that the child may touch.
struct Child<'a> {
    path: *const libc::c_char,
    argv: *const *const libc::c_char,
    clear_env: bool,
    cd: *const libc::c_char,
    identity: &'a Identity,
    cgroup_procs: &'a [BorrowedFd<'a>],
    stdio: [Option<RawFd>; 3],
    parent: i32,
    report: RawFd,
}

/// Forks with every signal blocked, so that none of this process's handlers ever runs in the child,
/// where it would write into the pipe that both share.
fn fork(child: &Child<'_>) -> io::Result<i32> {
    let mut old = SigSet::empty();
    sigprocmask(
        SigmaskHow::SIG_SETMASK,
        Some(&SigSet::all()),
        Some(&mut old),
    )?;
    let pid = in_child::start(child);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&old), None)?;
    pid
}

/// Between fork and exec. Nothing here allocates, locks or panics: only async-signal-safe calls
/// (signal-safety(7)) on memory that was made ready before.
#[allow(unsafe_code)]
mod in_child {
    use super::{Child, REPORT_SIZE, Stage};
    use nix::errno::Errno;
    use std::io;
    use std::os::fd::AsRawFd;

    const LAST_SIGNAL: i32 = 64;

    /// A copy of this process runs `child`.
    ///
    /// Copying the page tables is most of what fork(2) costs, so on Linux the child borrows this
    /// process's memory instead, and this process waits until the exec. Not so when the child
    /// becomes another user, who could then stop or, on a system without the dumpable flag, trace a
    /// process that shares the memory of a privileged one.
    pub fn start(child: &Child<'_>) -> io::Result<i32> {
        #[cfg(target_os = "linux")]
        if child.identity.uid.is_none() {
            return borrow_memory(child);
        }
        // SAFETY: this process has one thread, and the child only runs `run`, see above.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: this is the child, and `child` points to memory that outlives the call.
            0 => unsafe { run(child) },
            pid => Ok(pid),
        }
    }

    #[cfg(target_os = "linux")]
    fn borrow_memory(child: &Child<'_>) -> io::Result<i32> {
        const STACK_SIZE: usize = 64 * 1024;
        const ALIGNMENT: usize = 16;
        extern "C" fn entry(child: *mut libc::c_void) -> libc::c_int {
            // SAFETY: `borrow_memory` passed a reference, and waits in clone for as long as it is used.
            unsafe { run(&*child.cast_const().cast::<Child<'_>>()) }
        }
        let mut stack = Vec::<u8>::with_capacity(STACK_SIZE);
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let top = top.wrapping_sub(top.addr() % ALIGNMENT);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let argument = std::ptr::from_ref(child).cast_mut().cast();
        // SAFETY: the child runs on a stack of its own, changes nothing else of this process's
        // memory but errno, and with CLONE_VFORK nothing here goes on before it is done:
        // clone(2). Its descriptors, dispositions and credentials are its own.
        match unsafe { libc::clone(entry, top.cast(), flags, argument) } {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(pid),
        }
    }

    unsafe fn run(child: &Child<'_>) -> ! {
        // SAFETY: as for this function.
        let mut detail = 0;
        // SAFETY: as for this function.
        let (stage, errno) = match unsafe { set_up_and_exec(child, &mut detail) } {
            Err(stage) => (stage, Errno::last_raw()),
            Ok(never) => match never {},
        };
        let [a, b, c, d] = errno.to_ne_bytes();
        let bytes: [u8; REPORT_SIZE] = [stage as u8, detail, a, b, c, d];
        // SAFETY: the buffer is live; _exit runs no destructors.
        unsafe {
            libc::write(child.report, bytes.as_ptr().cast(), bytes.len());
            libc::_exit(127)
        }
    }

    fn check(result: libc::c_int, stage: Stage) -> Result<(), Stage> {
        if result == -1 { Err(stage) } else { Ok(()) }
    }

    unsafe fn set_up_and_exec(
        child: &Child<'_>,
        detail: &mut u8,
    ) -> Result<std::convert::Infallible, Stage> {
        // SAFETY: only system calls, with pointers that `Child` keeps live.
        unsafe {
            default_dispositions();
            check(libc::setpgid(0, 0), Stage::Group)?;
            for procs in child.cgroup_procs {
                // "0" means the writer: cgroups(7).
                let written = libc::write(procs.as_raw_fd(), b"0".as_ptr().cast(), 1);
                check(if written == 1 { 0 } else { -1 }, Stage::Cgroup)?;
                *detail = detail.wrapping_add(1);
            }
            for (target, source) in (0..).zip(child.stdio) {
                if let Some(source) = source {
                    check(libc::dup2(source, target), Stage::Redirect)?;
                }
            }
            switch_identity(child)?;
            // After the switch, so that it is the program's user who must be allowed to be there.
            if !child.cd.is_null() {
                check(libc::chdir(child.cd), Stage::Cd)?;
            }
            die_with_parent(child)?;
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            if child.clear_env {
                let none = std::ptr::null();
                libc::execve(child.path, child.argv, &raw const none);
            } else {
                libc::execv(child.path, child.argv);
            }
        }
        Err(Stage::Exec)
    }

    /// exec keeps ignored signals ignored, SIGPIPE above all, which Rust's runtime ignores.
    unsafe fn default_dispositions() {
        for signal in 1..=LAST_SIGNAL {
            // SAFETY: SIG_DFL is no function to be called. Signals that cannot be changed (SIGKILL
            // and SIGSTOP) give EINVAL.
            unsafe { set_default(signal) };
        }
    }

    /// Not through the C library, which refuses to change the signals that it keeps for itself,
    /// although glibc's `posix_spawn(3)` leaves those ignored.
    #[cfg(target_os = "linux")]
    unsafe fn set_default(signal: i32) {
        const MASK_SIZE: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
            16
        } else {
            8
        };
        // All zeroes is SIG_DFL, no flags, an empty mask; and it is larger than the kernel's structure.
        let default = [0_u64; 8];
        let none = std::ptr::null::<u64>();
        // SAFETY: the kernel reads one structure and writes none.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                none,
                MASK_SIZE,
            )
        };
    }

    #[cfg(not(target_os = "linux"))]
    unsafe fn set_default(signal: i32) {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }

    unsafe fn switch_identity(child: &Child<'_>) -> Result<(), Stage> {
        let identity = child.identity;
        // SAFETY: system calls; the group list is live.
        unsafe {
            if let Some(groups) = &identity.groups {
                #[allow(clippy::unnecessary_cast)] // the type of the count differs between systems
                let count = groups.len() as _;
                check(libc::setgroups(count, groups.as_ptr()), Stage::Groups)?;
            }
            if let Some(gid) = identity.gid {
                check(libc::setgid(gid), Stage::Gid)?;
                check(
                    if libc::getgid() == gid && libc::getegid() == gid {
                        0
                    } else {
                        -1
                    },
                    Stage::Gid,
                )?;
            }
            if let Some(uid) = identity.uid {
                drop_ambient_capabilities();
                check(libc::setuid(uid), Stage::Uid)?;
                check(if has_become(uid) { 0 } else { -1 }, Stage::Uid)?;
            }
        }
        Ok(())
    }

    /// Real, effective and saved: none is left to go back to.
    #[cfg(target_os = "linux")]
    unsafe fn has_become(uid: libc::uid_t) -> bool {
        let (mut real, mut effective, mut saved) = (0, 0, 0);
        // SAFETY: the pointers are to live, writable ids.
        let result = unsafe { libc::getresuid(&raw mut real, &raw mut effective, &raw mut saved) };
        result == 0 && [real, effective, saved] == [uid; 3]
    }

    /// The saved one went too if root cannot be had back.
    #[cfg(not(target_os = "linux"))]
    unsafe fn has_become(uid: libc::uid_t) -> bool {
        // SAFETY: system calls without pointers.
        unsafe { libc::getuid() == uid && libc::geteuid() == uid && libc::setuid(0) == -1 }
    }

    /// The kernel only does it itself when root becomes somebody else: capabilities(7). Where there
    /// are none of these, before Linux 4.3, there is nothing to drop.
    #[cfg(target_os = "linux")]
    unsafe fn drop_ambient_capabilities() {
        // SAFETY: this prctl takes no pointers.
        unsafe {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_CLEAR_ALL,
                0,
                0,
                0,
            )
        };
    }

    #[cfg(not(target_os = "linux"))]
    unsafe fn drop_ambient_capabilities() {}

    /// Last before the exec, because a change of uid clears it: `PR_SET_PDEATHSIG(2const)`.
    #[cfg(target_os = "linux")]
    unsafe fn die_with_parent(child: &Child<'_>) -> Result<(), Stage> {
        // SAFETY: system calls without pointers.
        unsafe {
            check(
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL),
                Stage::Guard,
            )?;
            // It may have died before that was set; then its signal will never come.
            if libc::getppid() != child.parent {
                libc::_exit(127);
            }
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unnecessary_wraps)]
    unsafe fn die_with_parent(_child: &Child<'_>) -> Result<(), Stage> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_survive_the_pipe() {
        for (index, stage) in STAGES.iter().enumerate() {
            assert_eq!(*stage as usize, index);
        }
    }
}
