// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Capabilities of this process: capget(2), prctl(2).

use crate::sys::{Capabilities, check};
use std::ffi::{c_int, c_ulong};
use std::io;

/// The version of capget(2) and capset(2) with 64 bits.
const VERSION_3: u32 = 0x2008_0522;
/// One more than the kernel can have.
const END: u32 = 64;

/// Bits of capabilities(7).
const CAP_KILL: u64 = 1 << 5;
const CAP_SETUID: u64 = 1 << 7;

/// Whether this process may send signals to programs of other users, if it may start them. Without `CAP_SETUID`, the
/// switch of the user fails, with its own error.
pub fn may_signal_others() -> bool {
    !effective_capabilities().is_ok_and(|held| held & CAP_KILL == 0 && held & CAP_SETUID != 0)
}

/// The effective capabilities of this process, one bit each: capget(2).
fn effective_capabilities() -> io::Result<u64> {
    let mut header = [VERSION_3, 0];
    // Effective, permitted and inheritable: the low halves of the three, then the high ones.
    let mut sets = [0_u32; 6];
    // SAFETY: both arrays have the size that the kernel reads and writes for this version.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    check(c_int::try_from(result).unwrap_or(-1))?;
    Ok(u64::from(sets[0]) | u64::from(sets[3]) << 32)
}

/// Drops all others from the bounding set, which takes `CAP_SETPCAP` if it has others. For the child.
pub fn limit_bounding_set(kept: Capabilities) -> io::Result<()> {
    for number in 0..END {
        // SAFETY: these prctls take no pointers.
        let held = unsafe { libc::prctl(libc::PR_CAPBSET_READ, c_ulong::from(number), 0, 0, 0) };
        match held {
            // The kernel has no more.
            -1 => break,
            1 if !has(kept, number) => {
                // SAFETY: as above.
                let result =
                    unsafe { libc::prctl(libc::PR_CAPBSET_DROP, c_ulong::from(number), 0, 0, 0) };
                check(result)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Has this process keep its permitted capabilities when its uid changes: `PR_SET_KEEPCAPS(2const)`. For the
/// child; the exec resets it.
pub fn keep_capabilities() -> io::Result<()> {
    // SAFETY: this prctl takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }).map(drop)
}

/// Sets the permitted, effective, inheritable and ambient capabilities. They have to be permitted. For the child.
pub fn set_capabilities(set: Capabilities) -> io::Result<()> {
    let [low, high] = [set.0 & u64::from(u32::MAX), set.0 >> 32].map(|half| {
        // Both fit.
        u32::try_from(half).unwrap_or(0)
    });
    let header = [VERSION_3, 0];
    let sets = [low, low, low, high, high, high];
    // SAFETY: both arrays have the size that the kernel reads for this version.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    check(c_int::try_from(result).unwrap_or(-1))?;
    drop_ambient_capabilities();
    for number in (0..END).filter(|number| has(set, *number)) {
        // SAFETY: this prctl takes no pointers.
        check(unsafe {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE,
                c_ulong::from(number),
                0,
                0,
            )
        })?;
    }
    Ok(())
}

/// Clears the ambient set, which Linux has since 4.3. For the child.
pub fn drop_ambient_capabilities() {
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

fn has(set: Capabilities, number: u32) -> bool {
    1_u64
        .checked_shl(number)
        .is_some_and(|bit| set.0 & bit != 0)
}
