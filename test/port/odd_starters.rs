// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Those of the odd programs that exec their arguments, as an odd parent would.
#![allow(unsafe_code)] // the raw calls of these programs

use crate::odd_programs::{VARIABLE, is_forked_child};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{execve, setsid};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{stdin, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::process::exit;

/// Execs its arguments. They are read from /proc, which works before `main` with every C library.
/// Without `Command`, which would unblock signals and change SIGPIPE.
fn exec_arguments(then: Option<&str>) -> ! {
    let line = fs::read("/proc/self/cmdline").unwrap();
    let words = line.strip_suffix(b"\0").unwrap().split(|&byte| byte == 0);
    let words: Vec<CString> = words
        .skip(1)
        .map(|word| CString::new(word).unwrap())
        .collect();
    let others = std::env::vars_os().filter(|(key, _)| key != VARIABLE);
    let then = then.map(|program| (VARIABLE.into(), program.into()));
    let environment: Vec<CString> = others
        .chain(then)
        .map(|(key, value)| CString::new([key.into_vec(), value.into_vec()].join(&b'=')).unwrap())
        .collect();
    let never = execve(&words[0], &words, &environment);
    panic!("{:?}: {never:?}", words[0]);
}

/// Execs with every signal ignored and blocked, and with descriptors that have to be closed.
pub fn exec_polluted(then: Option<&str>) -> ! {
    for signal in 1..=64 {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    for target in [7, 20, 300] {
        // SAFETY: dup2 takes no pointers. The copies are not close-on-exec.
        unsafe { libc::dup2(2, target) };
    }
    exec_deaf(then)
}

/// Execs with every signal blocked.
pub fn exec_deaf(then: Option<&str>) -> ! {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None).unwrap();
    exec_arguments(then)
}

/// Execs as the leader of a session with this controlling terminal, which is also stdin, stdout and stderr.
///
/// As after a login: a shell without job control ignores the signals of the keys in what it starts in the
/// background, the tests included, and no shell below may change that.
pub fn exec_in_terminal(terminal: &str, then: Option<&str>) -> ! {
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    setsid().unwrap();
    // The first terminal that a session leader opens becomes its own: tty(4).
    let tty = File::options()
        .read(true)
        .write(true)
        .open(terminal)
        .unwrap();
    for target in 0..3 {
        // SAFETY: dup2 takes no pointers.
        unsafe { libc::dup2(tty.as_raw_fd(), target) };
    }
    drop(tty);
    exec_arguments(then)
}

/// Execs below a process of the name that the parent of a port's program has.
pub fn start_as_port(then: Option<&str>) -> ! {
    nix::sys::prctl::set_name(c"erl_child_setup").unwrap();
    if is_forked_child() {
        exec_arguments(then);
    }
    // Otherwise the program would not get end of file.
    for fd in 0..2 {
        // SAFETY: close takes no pointers, and nothing else here owns these.
        unsafe { libc::close(fd) };
    }
    match nix::sys::wait::wait().unwrap() {
        nix::sys::wait::WaitStatus::Exited(_, status) => exit(status),
        other => panic!("{other:?}"),
    }
}

/// Execs as this user and group, with these supplementary groups: `65534:65534:1,2`. The pipes belong to that user.
pub fn exec_with_groups(who: &str, then: Option<&str>) -> ! {
    let mut ids = who.split(':');
    let mut id = || ids.next().unwrap();
    let (user, group): (u32, u32) = (id().parse().unwrap(), id().parse().unwrap());
    let groups: Vec<_> = id()
        .split(',')
        .map(|group| group.parse::<u32>().unwrap().into())
        .collect();
    for fd in [stdin().as_fd(), stdout().as_fd()] {
        nix::unistd::fchown(fd, Some(user.into()), None).unwrap();
    }
    nix::unistd::setgroups(&groups).unwrap();
    nix::unistd::setgid(group.into()).unwrap();
    nix::unistd::setuid(user.into()).unwrap();
    exec_arguments(then)
}
