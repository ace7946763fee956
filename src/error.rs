// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Why a program was not started.
//!
//! Every error before the program's first instruction becomes a [`Failure`], which goes to the BEAM in a FAILED frame,
//! or to stderr when muontrap is used from a shell.

use nix::errno::Errno;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Exit status when muontrap itself failed, as with `timeout(1)` and `env(1)`.
pub const EXIT_SETUP: u8 = 125;
/// Exit status when the program exists but cannot be executed, as in POSIX shells.
pub const EXIT_NOT_EXECUTABLE: u8 = 126;
/// Exit status when there is no such program, as in POSIX shells.
pub const EXIT_NOT_FOUND: u8 = 127;

/// The step of the set-up that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The owner has another version of the protocol.
    Version,
    /// The owner violated the protocol.
    Protocol,
    /// A field of START or a flag has an invalid value.
    Options,
    /// The descriptors of the stream to the owner are unusable.
    Stdio,
    /// Looking up or switching to the user.
    Uid,
    /// Looking up or switching to the group.
    Gid,
    /// Looking up or setting the supplementary groups.
    Groups,
    /// Finding the user whose variables a login would set.
    LoginEnv,
    /// Setting the attribute of this name, or executing the program with it.
    Attribute(&'static str),
    /// Creating, configuring or entering the cgroup.
    Cgroup,
    /// Changing the working directory.
    Cd,
    /// Opening the file that is the program's stdin.
    Input,
    /// Opening the file that is the program's stdout or stderr.
    Output,
    /// Creating pipes or the process.
    Spawn,
    /// Executing the program.
    Exec,
    /// muontrap was told to stop before the program was started.
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
            Self::LoginEnv => "login_env",
            Self::Attribute(name) => name,
            Self::Cgroup => "cgroup",
            Self::Cd => "cd",
            Self::Input => "input",
            Self::Output => "output",
            Self::Spawn => "spawn",
            Self::Exec => "exec",
            Self::Stopped => "stopped",
        }
    }
}

/// Why the program was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed.
    pub step: Step,
    /// The exit status of muontrap: 125, 126 or 127.
    pub exit_status: u8,
    /// The errno, or 0 when no system call failed.
    pub errno: i32,
    /// The file, directory, program or name concerned; may be empty.
    pub path: PathBuf,
    /// What failed, without the text of the errno and without a full stop.
    pub message: String,
    /// How to fix it, without a full stop; may be empty.
    pub advice: String,
}

impl Failure {
    /// A failure of `step` with exit status 125, and with neither errno, path nor advice.
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

    /// A failure of a system call that belongs to no other step: "cannot `what`".
    pub fn cannot(what: &str, error: &io::Error) -> Self {
        Self::new(Step::Spawn, format!("cannot {what}")).caused_by(error)
    }

    /// Sets the errno.
    #[must_use]
    pub fn errno(mut self, errno: i32) -> Self {
        self.errno = errno;
        self
    }

    /// Sets the errno to that of an I/O error.
    #[must_use]
    pub fn caused_by(self, error: &io::Error) -> Self {
        self.errno(error.raw_os_error().unwrap_or(0))
    }

    /// Sets the path.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets how to fix it.
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
            // The same text with every C library.
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
