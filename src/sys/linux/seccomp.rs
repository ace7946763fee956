// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Filters of system calls: seccomp(2).

/// Whether there is a filter of system calls. It may kill this process for a call that it does not permit, as that of a
/// systemd service does with `SystemCallFilter=~@resources`, and no call tells beforehand. So no call that the helper
/// can do without, and that such filters forbid, is made then.
pub(super) fn has_filter() -> bool {
    const FILTER: libc::c_int = 2;
    // SAFETY: this prctl takes no pointers.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) == FILTER }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::linux::{HighPriority, change_processor};

    /// Has the kernel kill the calling thread for one of these system calls, from now on.
    fn forbid<const COUNT: usize>(numbers: [libc::c_long; COUNT]) {
        let statement = |code, value| libc::sock_filter {
            code: u16::try_from(code).unwrap(),
            jt: 0,
            jf: 0,
            k: value,
        };
        let load_number = statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0);
        let end = |action| statement(libc::BPF_RET | libc::BPF_K, action);
        let mut filter = vec![load_number];
        for number in numbers {
            let is_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
            filter.push(libc::sock_filter {
                jf: 1,
                ..statement(is_equal, number.try_into().unwrap())
            });
            filter.push(end(libc::SECCOMP_RET_KILL_THREAD));
        }
        filter.push(end(libc::SECCOMP_RET_ALLOW));
        let program = libc::sock_fprog {
            len: filter.len().try_into().unwrap(),
            filter: filter.as_mut_ptr(),
        };
        crate::sys::set_no_new_privs().unwrap();
        // SAFETY: the kernel reads the filter by the pointers, which are to live values.
        let result = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }

    #[test]
    fn what_a_filter_may_kill_for_is_not_tried() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        assert_eq!(has_filter(), status.contains("\nSeccomp:\t2\n"));
        let thread = std::thread::spawn(|| {
            forbid([libc::SYS_sched_setaffinity, libc::SYS_sched_setscheduler]);
            assert!(has_filter());
            assert!(!change_processor());
            assert!(HighPriority::take().is_none());
        });
        // Of a thread that was killed there is no result.
        thread.join().unwrap();
    }
}
