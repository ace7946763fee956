// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The one error type: why a program never ran.
//!
//! Every failure before the program's first instruction becomes a [`Failure`], which says which
//! step failed, on what, with which errno, and what to do about it. It travels to the BEAM in a
//! FAILED frame, or to stderr when muontrap is used from a shell.

use nix::errno::Errno;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Exit status when muontrap itself could not do its part, as with `timeout(1)` and `env(1)`.
pub const EXIT_SETUP: u8 = 125;
/// Exit status when the program exists but cannot be executed, as in POSIX shells.
pub const EXIT_NOT_EXECUTABLE: u8 = 126;
/// Exit status when there is no such program, as in POSIX shells.
pub const EXIT_NOT_FOUND: u8 = 127;

/// The step of the set-up that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The owner speaks another protocol.
    Version,
    /// The owner sent what the protocol does not allow.
    Protocol,
    /// A flag has a value that cannot be used.
    Options,
    /// The control descriptors (stdin and stdout) are not usable.
    Stdio,
    /// Finding or switching to the user.
    Uid,
    /// Finding or switching to the group.
    Gid,
    /// Finding or setting the supplementary groups.
    Groups,
    /// Creating, configuring or entering the cgroup.
    Cgroup,
    /// Changing the working directory.
    Cd,
    /// Creating pipes or the process.
    Spawn,
    /// Executing the program.
    Exec,
    /// None of them: muontrap was told to stop before the program was started.
    Stopped,
}

impl Step {
    /// The name used in FAILED frames; the Elixir side makes an atom of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Protocol => "protocol",
            Self::Options => "options",
            Self::Stdio => "stdio",
            Self::Uid => "uid",
            Self::Gid => "gid",
            Self::Groups => "groups",
            Self::Cgroup => "cgroup",
            Self::Cd => "cd",
            Self::Spawn => "spawn",
            Self::Exec => "exec",
            Self::Stopped => "stopped",
        }
    }
}

/// Why the program never ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed.
    pub step: Step,
    /// The exit status of muontrap: 125, 126 or 127.
    pub exit_status: u8,
    /// The errno, or 0 where no system call failed.
    pub errno: i32,
    /// The file, directory, program or name that it is about; empty when there is none.
    pub path: PathBuf,
    /// What failed, as a sentence without a full stop, errno text not included.
    pub message: String,
    /// What the reader can do about it, as a sentence without a full stop; may be empty.
    pub advice: String,
}

impl Failure {
    /// A failure of `step`, with exit status 125, no errno and no path.
    pub fn new(step: Step, message: impl Into<String>) -> Self {
        Self {
            step,
            exit_status: EXIT_SETUP,
            errno: 0,
            path: PathBuf::new(),
            message: message.into(),
            advice: String::new(),
        }
    }

    /// A system call failed that has no step of its own: "cannot `what`".
    pub fn cannot(what: &str, error: &io::Error) -> Self {
        Self::new(Step::Spawn, format!("cannot {what}")).caused_by(error)
    }

    /// Sets the errno.
    #[must_use]
    pub fn errno(mut self, errno: i32) -> Self {
        self.errno = errno;
        self
    }

    /// Takes the errno of an I/O error.
    #[must_use]
    pub fn caused_by(self, error: &io::Error) -> Self {
        self.errno(error.raw_os_error().unwrap_or(0))
    }

    /// Sets what the failure is about.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets what to do about it.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// Sets the exit status of muontrap.
    #[must_use]
    pub fn exit_status(mut self, status: u8) -> Self {
        self.exit_status = status;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if self.errno != 0 {
            // The same words with every C library: those of errno(3).
            let text = Errno::from_raw(self.errno).desc();
            write!(f, ": {text} (os error {})", self.errno)?;
        }
        if !self.advice.is_empty() {
            write!(f, " ({})", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
