// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The scheduling policy of this process: sched(7).

use super::seccomp;
use nix::unistd::{Pid, getppid, setpgid, setsid};
use std::ffi::{c_int, c_long};

/// A priority above all processes with the usual scheduling policies, where this process is permitted to have it, until
/// this is dropped. Forks of this process do not have it.
///
/// A low niceness would not do: with autogroups, it counts among the processes of a session (setsid(2)) alone.
#[derive(Debug)]
pub struct HighPriority {
    policy: c_long,
}

impl HighPriority {
    pub fn take() -> Option<Self> {
        if seccomp::has_filter() {
            return None;
        }
        // SAFETY: this takes no pointers.
        let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
        // Those of real time are high enough.
        let is_usual = matches!(
            c_int::try_from(policy),
            Ok(libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE)
        );
        let high = c_long::from(libc::SCHED_RR | libc::SCHED_RESET_ON_FORK);
        (is_usual && set(high, 1)).then_some(Self { policy })
    }
}

impl Drop for HighPriority {
    fn drop(&mut self) {
        // The niceness stays as it was.
        set(self.policy, 0);
    }
}

/// Moves this process into a session (setsid(2)) of its own, if it can. Where the kernel has autogroups (sched(7)), it
/// then has half a processor or more against its program, however many processes that has.
///
/// Only for a process without a terminal whose parent is the leader of a process group in the same session.
pub fn make_session() {
    let own = Pid::from_raw(0);
    // The leader of a process group may not call setsid(2).
    if setpgid(own, getppid()).is_ok() && setsid().is_err() {
        let _ = setpgid(own, own);
    }
}

/// By system calls: musl has no such functions.
fn set(policy: c_long, priority: c_int) -> bool {
    // SAFETY: the kernel reads an integer by the pointer, `struct sched_param`.
    unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn policy() -> c_long {
        // SAFETY: this takes no pointers.
        unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) }
    }

    /// Of a process that this one starts: `proc_pid_stat(5)`.
    fn policy_of_a_child() -> String {
        let output = Command::new("cat").arg("/proc/self/stat").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split(' ').nth(40).unwrap().to_owned()
    }

    /// `capabilities(7)`.
    fn may_raise_priorities() -> bool {
        const CAP_SYS_NICE: u64 = 1 << 23;
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let set = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:\t"));
        u64::from_str_radix(set.unwrap(), 16).unwrap() & CAP_SYS_NICE != 0
    }

    #[test]
    fn a_high_priority_ends_and_is_not_inherited() {
        let before = policy();
        let high = HighPriority::take();
        assert!(high.is_none() || may_raise_priorities());
        if high.is_some() {
            assert_ne!(policy(), before);
            assert!(HighPriority::take().is_none());
        }
        assert_eq!(policy_of_a_child(), before.to_string());
        drop(high);
        assert_eq!(policy(), before);
    }
}
