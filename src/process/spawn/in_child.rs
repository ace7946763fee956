// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Between fork and exec. Nothing here allocates, locks or panics: only async-signal-safe calls
//! (signal-safety(7)) on memory that was made ready before.
#![allow(unsafe_code)]

use super::{Child, Mishap, Stage};
use crate::sys;
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

const LAST_SIGNAL: i32 = 64;

/// Starts `child`, and returns its pid, and where it tells why it could not become the program.
pub fn start(child: &Child<'_>) -> io::Result<(i32, OwnedFd)> {
    let (reader, writer) = sys::pipe()?;
    let starter = Starter {
        child,
        report: writer.as_raw_fd(),
    };
    Ok((starter.start()?, reader))
}

struct Starter<'a> {
    child: &'a Child<'a>,
    report: RawFd,
}

impl Starter<'_> {
    fn start(&self) -> io::Result<i32> {
        #[cfg(target_os = "linux")]
        if self.child.shares_memory() {
            return self.borrow_memory();
        }
        // SAFETY: this process has one thread, and the child only runs `run`, see above.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: this is the child, and `self` points to memory that outlives the call.
            0 => unsafe { self.run() },
            pid => Ok(pid),
        }
    }

    #[cfg(target_os = "linux")]
    fn borrow_memory(&self) -> io::Result<i32> {
        const STACK_SIZE: usize = 16 * 1024;
        const ALIGNMENT: usize = 16;
        extern "C" fn entry(starter: *mut libc::c_void) -> libc::c_int {
            // SAFETY: `borrow_memory` passed a reference, and waits in clone for as long as it is
            // used.
            unsafe { (*starter.cast_const().cast::<Starter<'_>>()).run() }
        }
        // An array would have each of its pages touched, in the search for the end of this stack.
        let mut stack = Vec::<u8>::with_capacity(STACK_SIZE);
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let top = top.wrapping_sub(top.addr() % ALIGNMENT);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let argument = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the child runs on a stack of its own, changes nothing else of this process's
        // memory but errno, and with CLONE_VFORK nothing here goes on before it is done:
        // clone(2). Its descriptors, dispositions and credentials are its own.
        match unsafe { libc::clone(entry, top.cast(), flags, argument) } {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(pid),
        }
    }

    unsafe fn run(&self) -> ! {
        // SAFETY: as for this function.
        let bytes = unsafe { become_program(self.child) }.to_bytes();
        // SAFETY: the buffer is live; _exit runs no destructors.
        unsafe {
            libc::write(self.report, bytes.as_ptr().cast(), bytes.len());
            libc::_exit(127)
        }
    }
}

/// Returns only what went wrong.
unsafe fn become_program(child: &Child<'_>) -> Mishap {
    let mut detail = 0;
    // SAFETY: as for this function.
    match unsafe { set_up_and_exec(child, &mut detail) } {
        Err(stage) => Mishap {
            stage,
            detail,
            errno: Errno::last_raw(),
        },
        Ok(never) => match never {},
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
        if !child.cpu_limit.is_null() {
            // It was this process's own before, so it cannot fail.
            libc::setrlimit(libc::RLIMIT_CPU, child.cpu_limit);
        }
        check(libc::setpgid(0, 0), Stage::Group)?;
        if child.terminal >= 0 {
            // All signals are blocked, so that SIGTTOU does not stop this. A program that does not get the
            // terminal now gets it when it asks.
            libc::tcsetpgrp(child.terminal, libc::getpid());
        }
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
        switch_credentials(child)?;
        // After the switch, so that it is the program's user who must be allowed to be there.
        if !child.cd.is_null() {
            check(libc::chdir(child.cd), Stage::Cd)?;
        }
        die_with_parent(child)?;
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        if child.environment.is_null() {
            libc::execv(child.path, child.argv);
        } else {
            libc::execve(child.path, child.argv, child.environment);
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

unsafe fn switch_credentials(child: &Child<'_>) -> Result<(), Stage> {
    let credentials = child.credentials;
    // SAFETY: system calls; the group list is live.
    unsafe {
        if let Some(groups) = &credentials.groups {
            #[allow(clippy::unnecessary_cast)] // the type of the count differs between systems
            let count = groups.len() as _;
            check(libc::setgroups(count, groups.as_ptr()), Stage::Groups)?;
        }
        if let Some(gid) = credentials.gid {
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
        if let Some(uid) = credentials.uid {
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
