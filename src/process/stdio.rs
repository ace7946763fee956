// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Where the program's standard descriptors lead.

use crate::sys;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use std::ffi::CString;
use std::os::fd::OwnedFd;

/// Where one of the program's standard descriptors leads.
#[derive(Debug)]
pub enum Stdio {
    /// Where muontrap's own leads.
    Inherit,
    /// To this descriptor.
    Fd(OwnedFd),
    /// To this file, which the child opens.
    File(FileToOpen),
    /// stderr only: where stdout leads.
    Stdout,
}

/// A file to open with the program's permissions, relative to its working directory.
#[derive(Debug)]
pub struct FileToOpen {
    pub path: CString,
    pub flags: OFlag,
    pub mode: Mode,
}

impl FileToOpen {
    /// A file to read.
    pub fn input(path: CString) -> Self {
        Self {
            path,
            flags: OFlag::O_RDONLY,
            mode: Mode::empty(),
        }
    }

    /// Whether each write goes to the end of the file.
    pub fn appends(&self) -> bool {
        self.flags.contains(OFlag::O_APPEND)
    }

    /// A file to write, which is created with these permission bits, less the umask, if it does not exist.
    pub fn output(path: CString, append: bool, mode: u32) -> Self {
        let how = if append {
            OFlag::O_APPEND
        } else {
            OFlag::O_TRUNC
        };
        Self {
            path,
            flags: OFlag::O_WRONLY | OFlag::O_CREAT | how,
            mode: sys::permissions(mode),
        }
    }
}
