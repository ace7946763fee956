// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Limits on resources by their names: setrlimit(2).

use super::system::{MORE_RESOURCES, get_limits as get, nr_open, set_limits as set};
use std::ffi::c_int;
use std::io;

/// No limit.
pub const UNLIMITED: u64 = u64::MAX;

/// The names of setrlimit(2), in lower case and without `RLIMIT_`. The type of the numbers differs between C libraries.
#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
const COMMON: [(&str, c_int); 10] = [
    ("as", libc::RLIMIT_AS as c_int),
    ("core", libc::RLIMIT_CORE as c_int),
    ("cpu", libc::RLIMIT_CPU as c_int),
    ("data", libc::RLIMIT_DATA as c_int),
    ("fsize", libc::RLIMIT_FSIZE as c_int),
    ("memlock", libc::RLIMIT_MEMLOCK as c_int),
    ("nofile", libc::RLIMIT_NOFILE as c_int),
    ("nproc", libc::RLIMIT_NPROC as c_int),
    ("rss", libc::RLIMIT_RSS as c_int),
    ("stack", libc::RLIMIT_STACK as c_int),
];

/// A limit on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    /// The name in setrlimit(2), in lower case and without `RLIMIT_`.
    pub name: &'static str,
    resource: c_int,
    limits: Limits,
}

/// A soft and a hard limit, as prlimit(2) takes them on all machines.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub soft: u64,
    pub hard: u64,
}

impl ResourceLimit {
    /// `None` when there is no resource of this name.
    pub fn new(name: &str, soft: u64, hard: u64) -> Option<Self> {
        let &(name, resource) = COMMON
            .iter()
            .chain(MORE_RESOURCES)
            .find(|(known, _)| *known == name)?;
        let limits = Limits { soft, hard };
        Some(Self {
            name,
            resource,
            limits,
        })
    }

    pub fn soft(&self) -> u64 {
        self.limits.soft
    }

    pub fn hard(&self) -> u64 {
        self.limits.hard
    }

    /// With what the kernel accepts in place of [`UNLIMITED`], which it never does for `nofile`.
    #[must_use]
    pub fn accepted(self) -> Self {
        let Limits { soft, hard } = self.limits;
        if self.name != "nofile" || hard != UNLIMITED {
            return self;
        }
        let Some(most) = nr_open() else { return self };
        let limits = Limits {
            soft: soft.min(most),
            hard: most,
        };
        Self { limits, ..self }
    }

    /// Raises the hard limit of this process, if it is lower, which takes privileges. For the child.
    pub fn raise(&self) -> io::Result<()> {
        let Limits { soft, hard } = get(self.resource)?;
        if self.limits.hard <= hard {
            return Ok(());
        }
        let hard = self.limits.hard;
        set(self.resource, Limits { soft, hard })
    }

    /// Sets the limit of this process. For the child.
    pub fn set(&self) -> io::Result<()> {
        set(self.resource, self.limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_have_names() {
        assert_eq!(ResourceLimit::new("nofiles", 1, 1), None);
        let limit = ResourceLimit::new("nofile", 1, UNLIMITED).unwrap();
        assert_eq!(
            (limit.name, limit.soft(), limit.hard()),
            ("nofile", 1, UNLIMITED)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn descriptors_are_never_unlimited() {
        let limit = ResourceLimit::new("nofile", 1, UNLIMITED)
            .unwrap()
            .accepted();
        assert_eq!((limit.soft(), Some(limit.hard())), (1, nr_open()));
        let other = ResourceLimit::new("core", 1, UNLIMITED).unwrap();
        assert_eq!(other.accepted(), other);
    }

    #[test]
    fn a_limit_that_is_no_more_is_set_without_privileges() {
        let Limits { soft, hard } = get(libc::RLIMIT_CORE.try_into().unwrap()).unwrap();
        let same = ResourceLimit::new("core", soft, hard).unwrap();
        same.raise().unwrap();
        same.set().unwrap();
    }
}
