// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The settings of one program, and the checks that a command line and START share.
//!
//! An error of a check says what is wrong with a value. Whoever read the value adds what its user calls it.

use crate::cgroup;
use crate::number::parse_decimal;
use crate::process::attributes::Attributes;
use crate::process::find::Lookup;
use crate::user;
use nix::sys::signal::Signal;
use std::ffi::{CString, OsString};
use std::str::FromStr as _;
use std::time::Duration;

const MAX_SIGNAL: i32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// A pipe that the session writes to.
    Pipe,
    /// `/dev/null`.
    Null,
    /// The file at `stdin_path`.
    File,
    /// muontrap's own.
    Inherit,
}

/// Where one of the program's output streams goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A pipe that the session reads and sends to the owner.
    Capture,
    /// `/dev/null`.
    Null,
    /// The file in `stdout_file` or `stderr_file`.
    File,
    /// muontrap's descriptor of the same number.
    Inherit,
    /// stderr only: wherever the program's stdout goes.
    Stdout,
    /// stderr only: muontrap's stdout.
    OwnStdout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Streams {
    pub stdin: Stdin,
    pub stdout: Output,
    pub stderr: Output,
}

/// A terminal of the program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PtySettings {
    pub rows: u16,
    pub cols: u16,
    /// Whether input appears in the output.
    pub echo: bool,
}

/// The file that an output stream goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutputFile {
    /// Relative to the program's working directory.
    pub path: Option<CString>,
    /// Whether output is added to the file, which is truncated otherwise.
    pub append: bool,
    /// Permission bits of a new file, less the umask; `None` for 0666.
    pub mode: Option<u32>,
}

/// A signal on the way to SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopStep {
    pub signal: i32,
    /// Until the next step.
    pub wait: Duration,
}

/// Which processes get the signals of a stop, and have to end before the rest is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopScope {
    Program,
    /// The program's process group.
    Group,
    /// The program and all its descendants.
    All,
}

/// The settings of one program.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// A path or a name, as given.
    pub program: OsString,
    pub argv: Vec<CString>,
    pub lookup: Lookup,
    /// `NAME=value`; `None` for muontrap's own environment.
    pub environment: Option<Vec<CString>>,
    /// The owner's working directory, where the program is looked for; `None` for muontrap's own.
    pub directory: Option<CString>,
    /// Whether it is the working directory of the client's process.
    pub uses_client_directory: bool,
    pub attributes: Attributes,
    pub user: user::Request,
    pub cgroup: Option<cgroup::Request>,
    /// Bytes of output that may be in flight, 1 or more.
    pub window: u32,
    /// From the stop signal to SIGKILL.
    pub delay_to_sigkill: Duration,
    pub stop_signal: i32,
    /// In place of these two, when there are any.
    pub given_stop_steps: Vec<StopStep>,
    pub stop_scope: StopScope,
    /// Whether the program gets a socket for notifications.
    pub notify: bool,
    /// Whether what the program leaves behind lives on when it exits by itself.
    pub leave_orphans: bool,
    pub streams: Streams,
    /// The file that the program reads from stdin, relative to its working directory.
    pub stdin_path: Option<CString>,
    pub stdout_file: OutputFile,
    pub stderr_file: OutputFile,
    /// The terminal that is stdin, stdout and stderr of the program.
    pub pty: Option<PtySettings>,
}

/// The defaults of START.
impl Default for Config {
    fn default() -> Self {
        Self {
            program: OsString::new(),
            argv: Vec::new(),
            lookup: Lookup::Shell,
            environment: None,
            directory: None,
            uses_client_directory: false,
            attributes: Attributes::default(),
            user: user::Request::default(),
            cgroup: None,
            window: 10_240,
            delay_to_sigkill: Duration::from_millis(500),
            stop_signal: Signal::SIGTERM as i32,
            given_stop_steps: Vec::new(),
            stop_scope: StopScope::Program,
            notify: false,
            leave_orphans: false,
            streams: Streams {
                stdin: Stdin::Pipe,
                stdout: Output::Null,
                stderr: Output::Inherit,
            },
            stdin_path: None,
            stdout_file: OutputFile::default(),
            stderr_file: OutputFile::default(),
            pty: None,
        }
    }
}

impl Config {
    /// The signals of a stop, in order. SIGKILL follows the last.
    pub(crate) fn stop_steps(&self) -> Vec<StopStep> {
        if self.given_stop_steps.is_empty() {
            let (signal, wait) = (self.stop_signal, self.delay_to_sigkill);
            vec![StopStep { signal, wait }]
        } else {
            self.given_stop_steps.clone()
        }
    }

    /// Frees what only the start of the program needs, except an environment, which is leaked: it is memory that a
    /// session shares with the fork server until it is changed, as freeing it would.
    pub(crate) fn forget_program(&mut self) {
        self.program = OsString::new();
        self.argv = Vec::new();
        std::mem::forget(self.environment.take());
    }
}

/// The number of a signal, which is given by name, with or without `SIG`, or by number.
pub(crate) fn stop_signal(given: &str) -> Result<i32, String> {
    if let Some(known @ 1..=MAX_SIGNAL) = parse_decimal(given) {
        return Ok(known);
    }
    let upper = given.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let signal = Signal::from_str(&format!("SIG{name}"));
    signal
        .map(|signal| signal as i32)
        .map_err(|_| format!("{given:?} is not a name such as SIGINT or a number from 1 to 64"))
}

/// A step of a stop, which is given as a signal and milliseconds.
pub(crate) fn stop_step(given: &str) -> Result<StopStep, String> {
    let wrong = || format!("{given:?} is not a signal, a space and a number of milliseconds");
    let (signal, ms) = given.split_once(' ').ok_or_else(wrong)?;
    let ms: u32 = parse_decimal(ms).ok_or_else(wrong)?;
    Ok(StopStep {
        signal: stop_signal(signal)?,
        wait: Duration::from_millis(ms.into()),
    })
}

/// A setting of a cgroup, which is given as `file=value`.
pub(crate) fn cgroup_setting(given: &str) -> Result<(String, String), String> {
    match given.split_once('=') {
        Some((file, value)) if !file.is_empty() => Ok((file.to_owned(), value.to_owned())),
        _ => Err(format!("{given:?} is not file=value")),
    }
}

/// Refuses a setting that would freeze a program before it has started.
pub(crate) fn check_thawed(settings: &[(String, String)]) -> Result<(), String> {
    let freezes = |(file, value): &&(String, String)| match file.as_str() {
        "cgroup.freeze" => value.trim() != "0",
        "freezer.state" => value.trim() != "THAWED",
        _ => false,
    };
    match settings.iter().find(freezes) {
        Some((file, value)) => {
            let setting = format!("{file}={value}");
            Err(format!(
                "{setting:?} would freeze the program before it has started"
            ))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (given, number) in [("SIGINT", 2), ("int", 2), ("Term", 15), ("64", 64)] {
            assert_eq!(stop_signal(given), Ok(number));
        }
        for given in ["0", "65", "SIGNOPE", "", "SIGSIGINT", "-9", "09"] {
            assert!(stop_signal(given).is_err(), "{given}");
        }
    }

    #[test]
    fn a_setting_has_a_file_and_a_value() {
        let setting = |file: &str, value: &str| Ok((file.to_owned(), value.to_owned()));
        assert_eq!(
            cgroup_setting("memory.max=1=2"),
            setting("memory.max", "1=2")
        );
        assert_eq!(cgroup_setting("a="), setting("a", ""));
        assert!(cgroup_setting("a").is_err() && cgroup_setting("=1").is_err());
    }

    #[test]
    fn a_new_group_is_not_frozen() {
        let check = |file: &str, value: &str| check_thawed(&[(file.into(), value.into())]);
        assert!(check("cgroup.freeze", "1").is_err());
        assert!(check("freezer.state", "FROZEN").is_err());
        assert!(check("cgroup.freeze", "0\n").is_ok());
        assert!(check("memory.max", "1").is_ok());
    }
}
