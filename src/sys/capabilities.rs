// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Capabilities: capabilities(7).

#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(not(target_os = "linux"))]
pub use other::*;

/// The names of capabilities(7), in lower case and without `CAP_`, in the order of their numbers.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// A set of capabilities, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// The capability of this name, in lower case and without `CAP_`.
    pub fn named(name: &str) -> Option<Self> {
        let number = NAMES.iter().position(|known| *known == name)?;
        Some(Self(1 << number))
    }

    /// This set and another one.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[cfg(target_os = "linux")]
    fn has(self, number: u32) -> bool {
        1_u64
            .checked_shl(number)
            .is_some_and(|bit| self.0 & bit != 0)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Capabilities;
    use crate::sys::check;
    use std::ffi::{c_int, c_ulong};
    use std::io;

    /// The version of capget(2) and capset(2) with 64 bits.
    const VERSION_3: u32 = 0x2008_0522;
    /// One more than the kernel can have.
    const END: u32 = 64;

    /// The effective capabilities of this process, one bit each: capget(2).
    pub fn effective_capabilities() -> io::Result<u64> {
        let mut header = [VERSION_3, 0];
        // Effective, permitted and inheritable: the low halves of the three, then the high ones.
        let mut sets = [0_u32; 6];
        // SAFETY: both arrays have the size that the kernel reads and writes for this version.
        let result =
            unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
        check(c_int::try_from(result).unwrap_or(-1))?;
        Ok(u64::from(sets[0]) | u64::from(sets[3]) << 32)
    }

    /// Drops all others from the bounding set, which takes `CAP_SETPCAP` if it has others. For the child.
    pub fn limit_bounding_set(kept: Capabilities) -> io::Result<()> {
        for number in 0..END {
            // SAFETY: these prctls take no pointers.
            let held =
                unsafe { libc::prctl(libc::PR_CAPBSET_READ, c_ulong::from(number), 0, 0, 0) };
            match held {
                // The kernel has no more.
                -1 => break,
                1 if !kept.has(number) => {
                    // SAFETY: as above.
                    let result = unsafe {
                        libc::prctl(libc::PR_CAPBSET_DROP, c_ulong::from(number), 0, 0, 0)
                    };
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
        for number in (0..END).filter(|number| set.has(*number)) {
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
}

/// There are no capabilities elsewhere.
#[cfg(not(target_os = "linux"))]
mod other {
    use super::Capabilities;
    use std::io;

    pub fn limit_bounding_set(_kept: Capabilities) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::ENOSYS))
    }

    pub fn keep_capabilities() -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::ENOSYS))
    }

    pub fn set_capabilities(_set: Capabilities) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::ENOSYS))
    }

    pub fn drop_ambient_capabilities() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_names_and_numbers() {
        let named = |name| Capabilities::named(name).map(|set| set.0);
        assert_eq!(named("chown"), Some(1));
        assert_eq!(named("kill"), Some(1 << 5));
        assert_eq!(named("sys_admin"), Some(1 << 21));
        assert_eq!(named("checkpoint_restore"), Some(1 << 40));
        assert_eq!(named("cap_chown"), None);
    }
}
