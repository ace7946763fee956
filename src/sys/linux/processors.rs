// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The processors that this process may run on: `sched_setaffinity(2)`.

use super::seccomp;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

/// The thread that calls.
const SELF: Pid = Pid::from_raw(0);

/// Moves this process to another processor. Afterwards it may run on all of them that it could run on before, but on none
/// that appears later. `false` if it has to stay: there is no other processor for it, there are more than the C library
/// knows, or this could be fatal.
pub fn change_processor() -> bool {
    if seccomp::has_filter() {
        return false;
    }
    let moved = leave_processor();
    // The move is over when the first call returns.
    moved
        .and_then(|(all, _left)| sched_setaffinity(SELF, &all))
        .is_ok()
}

/// Has this process leave its processor, to which it may not return. Returns all that it could run on before, and the one
/// that it has left.
fn leave_processor() -> Result<(CpuSet, usize), Errno> {
    let all = sched_getaffinity(SELF)?;
    let current = sched_getcpu()?;
    let mut others = all;
    others.unset(current)?;
    // EINVAL if no processor is left.
    sched_setaffinity(SELF, &others)?;
    Ok((all, current))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a thread of its own, since the processors are those of a thread.
    fn in_thread(test: fn()) {
        std::thread::spawn(test).join().unwrap();
    }

    fn count(set: &CpuSet) -> usize {
        let is_set = |&number: &usize| set.is_set(number).unwrap();
        (0..CpuSet::count()).filter(is_set).count()
    }

    #[test]
    fn a_process_moves_and_keeps_its_processors() {
        in_thread(|| {
            let before = sched_getaffinity(SELF).unwrap();
            let may_move = count(&before) > 1 && !seccomp::has_filter();
            assert_eq!(change_processor(), may_move);
            assert_eq!(sched_getaffinity(SELF), Ok(before));
        });
    }

    #[test]
    fn the_processor_is_another_one() {
        in_thread(|| {
            let before = sched_getaffinity(SELF).unwrap();
            if count(&before) > 1 && !seccomp::has_filter() {
                let (all, left) = leave_processor().unwrap();
                assert_eq!(all, before);
                assert_ne!(sched_getcpu(), Ok(left));
                let others = sched_getaffinity(SELF).unwrap();
                assert_eq!(count(&others), count(&before) - 1);
            }
        });
    }

    #[test]
    fn a_process_with_one_processor_stays() {
        in_thread(|| {
            if !seccomp::has_filter() {
                let mut one = CpuSet::new();
                one.set(sched_getcpu().unwrap()).unwrap();
                sched_setaffinity(SELF, &one).unwrap();
                assert_eq!(leave_processor(), Err(Errno::EINVAL));
                assert!(!change_processor());
                assert_eq!(sched_getaffinity(SELF), Ok(one));
            }
        });
    }
}
