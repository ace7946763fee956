// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Attributes of the program's process.
//!
//! One that is a number and a call of its own is a row of [`ATTRIBUTES`], which is all there is to it in the helper,
//! but for the call in `sys`.

use crate::error::{Failure, Step};
use crate::sys::{self, Capabilities, ResourceLimit};
use nix::sys::stat::umask;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;

/// What is not muontrap's own.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// The working directory.
    pub cd: Option<CString>,
    /// Those of the table that are given, with their values.
    pub numbers: Vec<(&'static Attribute, i32)>,
    /// Limits on resources.
    pub rlimits: Vec<ResourceLimit>,
    /// The capabilities that remain, in all five sets.
    pub capabilities: Option<Capabilities>,
}

impl Attributes {
    /// The defaults, in this working directory.
    pub fn in_directory(cd: Option<CString>) -> Self {
        Self {
            cd,
            ..Self::default()
        }
    }
}

/// An attribute that is a number.
pub struct Attribute {
    /// The number of its field in START.
    pub field: u16,
    /// The name of the field and of the option, and what [`Failure::step`] says.
    pub name: &'static str,
    pub values: Values,
    pub moment: Moment,
    /// Sets it. For the child.
    pub set: fn(i32) -> io::Result<()>,
    /// Whether that may be done in memory that the child shares with muontrap.
    pub may_share_memory: bool,
    /// What may not be done without this capability, where there is one.
    pub privilege: Option<(&'static str, &'static str)>,
}

/// The values of an attribute, and how START has them.
#[derive(Clone, Debug)]
pub enum Values {
    /// A decimal number as text.
    Decimal(RangeInclusive<i32>),
    /// A u32 with permission bits.
    Permissions,
    /// A u32 that is 0, or 1 to set the attribute.
    Flag,
}

/// When the child sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// With the privileges that the change of user drops.
    BeforeUser,
    AfterUser,
    /// After all files were opened.
    AfterFiles,
}

pub static ATTRIBUTES: [Attribute; 4] = [
    Attribute {
        field: 52,
        name: "nice",
        values: Values::Decimal(-20..=19),
        moment: Moment::BeforeUser,
        set: sys::set_niceness,
        may_share_memory: true,
        privilege: Some(("lower the niceness", "SYS_NICE")),
    },
    Attribute {
        field: 53,
        name: "umask",
        values: Values::Permissions,
        moment: Moment::AfterUser,
        set: |mask| {
            umask(sys::permissions(mask.unsigned_abs()));
            Ok(())
        },
        may_share_memory: true,
        privilege: None,
    },
    Attribute {
        field: 54,
        name: "oom_score_adj",
        values: Values::Decimal(-1000..=1000),
        moment: Moment::BeforeUser,
        set: sys::set_oom_score_adj,
        may_share_memory: false,
        privilege: Some((
            "set it below the value that a privileged process has set",
            "SYS_RESOURCE",
        )),
    },
    Attribute {
        field: 55,
        name: "no_new_privs",
        values: Values::Flag,
        moment: Moment::AfterFiles,
        set: |_| sys::set_no_new_privs(),
        may_share_memory: true,
        privilege: None,
    },
];

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Attribute {
    /// Why it was not set to `number`.
    pub fn explain(&self, number: i32, errno: i32) -> Failure {
        let name = self.name;
        let what = match self.values {
            Values::Decimal(_) => format!("set {name} to {number}"),
            Values::Permissions => format!("set {name} to {number:03o}"),
            Values::Flag => format!("set {name}"),
        };
        match self.privilege {
            Some((why, capability)) => privileged(name, &what, errno, why, capability),
            None => Failure::new(Step::Attribute(name), format!("cannot {what}")),
        }
    }
}

/// Why the attribute `name` was not set: a process without this capability may not do it.
pub(super) fn privileged(
    name: &'static str,
    what: &str,
    errno: i32,
    why: &str,
    capability: &str,
) -> Failure {
    let failure = Failure::new(Step::Attribute(name), format!("cannot {what}"));
    if [libc::EPERM, libc::EACCES].contains(&errno) {
        failure.advice(format!(
            "only root may {why}, and in a container only with CAP_{capability}"
        ))
    } else {
        failure
    }
}
