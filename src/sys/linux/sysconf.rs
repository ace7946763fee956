// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Units of the kernel: sysconf(3).

use nix::time::{ClockId, clock_gettime};
use std::io;

const NANOSECONDS: u64 = 1_000_000_000;

/// The start time that a process would have that was created now, in clock ticks since boot. `None` if that is not known.
pub fn start_time_now() -> Option<u64> {
    let hertz = ticks_per_second().ok()?;
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    let seconds = u64::try_from(now.tv_sec()).ok()?;
    let nanoseconds = u64::try_from(now.tv_nsec()).ok()?;
    // Otherwise, the kernel rounds in another way.
    let is_whole = NANOSECONDS % hertz == 0;
    is_whole.then(|| seconds * hertz + nanoseconds / (NANOSECONDS / hertz))
}

/// How many clock ticks of `/proc` a second has.
pub fn ticks_per_second() -> io::Result<u64> {
    positive(libc::_SC_CLK_TCK)
}

pub fn page_bytes() -> io::Result<u64> {
    positive(libc::_SC_PAGESIZE)
}

fn positive(name: libc::c_int) -> io::Result<u64> {
    // SAFETY: takes no pointer.
    let value = unsafe { libc::sysconf(name) };
    let positive = u64::try_from(value).ok().filter(|&value| value > 0);
    positive.ok_or_else(|| io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::start_time_now;
    use crate::sys::Process;
    use std::process::Command;

    #[test]
    fn a_process_has_the_start_time_of_the_tick_in_which_it_was_created() {
        let mut in_one_tick = 0;
        while in_one_tick < 200 {
            let before = start_time_now().unwrap();
            let mut child = Command::new("true").spawn().unwrap();
            let after = start_time_now().unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            let started = Process::find(pid).unwrap().started;
            child.wait().unwrap();
            assert!((before..=after).contains(&started));
            in_one_tick += usize::from(before == after);
        }
    }
}
