// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Names and values of one version that the other cannot express.

use std::io;

use super::version::Version;

/// A name or value without a counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum Mismatch {
    Controller {
        name: String,
        version: Version,
    },
    Setting {
        name: String,
        version: Version,
    },
    Value {
        setting: String,
        value: String,
        /// The file that it would be written to.
        file: String,
        /// What the kernel gives for such a value.
        errno: i32,
        reason: &'static str,
    },
}

/// Why a file could not be read under a name of the other version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum ReadError {
    /// There is no such file.
    Missing,
    /// A file is not in the format that the kernel documents.
    Format,
    /// A system call failed with this errno.
    Errno(i32),
}

impl ReadError {
    pub fn errno(self) -> i32 {
        match self {
            Self::Missing => libc::ENOENT,
            Self::Format => libc::EIO,
            Self::Errno(errno) => errno,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            // ENODEV: the group was removed while the file was open.
            Some(libc::ENOENT | libc::ENODEV) => Self::Missing,
            Some(errno) => Self::Errno(errno),
            None => Self::Format,
        }
    }
}
