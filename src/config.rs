// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Turns the words of the command line into settings, and refuses what makes no sense.

use crate::cgroup;
use crate::cli::flags::Flags;
use crate::error::{Failure, Step};
use crate::number::number;
use crate::process::find::Lookup;
use crate::process::step::Attributes;
use crate::user;
use crate::wire::notice::Notices;
use crate::wire::transport::Transport;
use nix::sys::signal::Signal;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::str::FromStr as _;
use std::time::Duration;

pub(crate) const DEFAULT_DELAY: Duration = Duration::from_millis(500);
pub(crate) const DEFAULT_WINDOW: u32 = 10_240;
const MAX_SIGNAL: i32 = 64;

/// Where the program's stdin comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// A pipe that the session writes to.
    Pipe,
    /// `/dev/null`.
    Null,
    /// muontrap's own.
    Inherit,
}

/// Where one of the program's output streams goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A pipe that the session reads and sends to the owner.
    Capture,
    /// `/dev/null`.
    Null,
    /// muontrap's own of this number.
    Inherit,
    /// stderr only: wherever the program's stdout goes.
    Stdout,
    /// stderr only: muontrap's own stdout.
    OwnStdout,
}

/// The program's standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Streams {
    pub stdin: Stdin,
    pub stdout: Output,
    pub stderr: Output,
}

/// Validated settings.
#[derive(Debug)]
pub struct Config {
    /// The program, as given.
    pub program: OsString,
    /// Its arguments, `argv[0]` included.
    pub argv: Vec<CString>,
    /// How it is found.
    pub lookup: Lookup,
    /// Its environment (`NAME=value`), when it is not muontrap's own.
    pub environment: Option<Vec<CString>>,
    /// The owner's working directory, when it is not muontrap's own. `cd` is relative to it.
    pub directory: Option<CString>,
    /// What is set in the program's process as it is.
    pub attributes: Attributes,
    /// The user and groups asked for.
    pub identity: user::Request,
    /// The cgroup asked for.
    pub cgroup: Option<cgroup::Request>,
    /// Output that may be in flight, bytes.
    pub window: u32,
    /// From the stop signal to SIGKILL.
    pub delay_to_sigkill: Duration,
    /// The signal that stops the program.
    pub stop_signal: i32,
    /// Leave what the program leaves behind.
    pub leave_orphans: bool,
    /// Its standard streams.
    pub streams: Streams,
    /// Where the owner is.
    pub transport: Transport,
    /// Whom to tell of the group and of orphans that stay.
    pub notices: Notices,
}

impl Config {
    /// Validates the flags.
    pub fn new(flags: &Flags, transport: Transport) -> Result<Self, Failure> {
        let mut words = flags.program.iter();
        let program = words.next().cloned().unwrap_or_default();
        let name = flags.last("arg0").unwrap_or(&program);
        let argv = std::iter::once(name).chain(words);
        let argv = argv.map(|word| c_string("argument", word));
        Ok(Self {
            argv: argv.collect::<Result<_, _>>()?,
            attributes: Attributes { cd: cd(flags)? },
            identity: user::Request {
                uid: text(flags, "uid")?,
                gid: text(flags, "gid")?,
                groups: text(flags, "groups")?,
            },
            cgroup: new_cgroup(flags)?,
            window: window(flags)?,
            delay_to_sigkill: delay(flags)?,
            stop_signal: stop_signal(flags)?,
            leave_orphans: leave_orphans(flags)?,
            streams: streams(flags, transport),
            transport,
            program,
            lookup: Lookup::Shell,
            environment: None,
            directory: None,
            notices: Notices::default(),
        })
    }

    /// Drops what is not needed any more once the program runs.
    pub fn forget_program(&mut self) {
        self.program = OsString::new();
        self.argv = Vec::new();
        self.environment = None;
    }
}

fn streams(flags: &Flags, transport: Transport) -> Streams {
    let merged = if flags.has("capture-stderr") {
        Output::Stdout
    } else {
        Output::Inherit
    };
    let is_plain = !transport.is_acknowledged();
    let (stdout, stderr) = if flags.has("capture-stderr-only") {
        // Without frames, what would be sent to the owner goes to muontrap's own stdout.
        let captured = if is_plain {
            Output::OwnStdout
        } else {
            Output::Capture
        };
        (Output::Null, captured)
    } else if flags.has("capture-output") && !is_plain {
        (Output::Capture, merged)
    } else if is_plain || transport.spares_stdio() {
        (Output::Inherit, merged)
    } else {
        (Output::Null, merged)
    };
    let stdin = if transport.spares_stdio() {
        Stdin::Inherit
    } else {
        Stdin::Pipe
    };
    Streams {
        stdin,
        stdout,
        stderr,
    }
}

pub(crate) fn refused(flag: &str, given: &str, wanted: &str) -> Failure {
    Failure::new(
        Step::Options,
        format!("--{flag} cannot be {given:?}: it takes {wanted}"),
    )
    .path(given)
}

pub(crate) fn utf8(flag: &str, value: &OsStr) -> Result<String, Failure> {
    let text = value.to_str().map(str::to_owned);
    text.ok_or_else(|| refused(flag, &value.to_string_lossy(), "valid UTF-8"))
}

pub(crate) fn text(flags: &Flags, flag: &str) -> Result<Option<String>, Failure> {
    flags.last(flag).map(|v| utf8(flag, v)).transpose()
}

fn c_string(what: &str, value: &OsStr) -> Result<CString, Failure> {
    CString::new(value.as_bytes())
        .map_err(|_| Failure::new(Step::Options, format!("the {what} has a null byte in it")))
}

fn cd(flags: &Flags) -> Result<Option<CString>, Failure> {
    match flags.last("cd") {
        Some(directory) if directory.is_empty() => Err(refused("cd", "", "a directory")),
        Some(directory) => c_string("directory", directory).map(Some),
        None => Ok(None),
    }
}

fn window(flags: &Flags) -> Result<u32, Failure> {
    match text(flags, "stdio-window")? {
        None => Ok(DEFAULT_WINDOW),
        Some(given) => match number(&given) {
            Some(bytes) if bytes > 0 => Ok(bytes),
            _ => Err(refused(
                "stdio-window",
                &given,
                "bytes, from 1 to 4294967295",
            )),
        },
    }
}

fn delay(flags: &Flags) -> Result<Duration, Failure> {
    match text(flags, "delay-to-sigkill")? {
        None => Ok(DEFAULT_DELAY),
        Some(given) => match number::<u32>(&given) {
            Some(ms) => Ok(Duration::from_millis(ms.into())),
            None => Err(refused(
                "delay-to-sigkill",
                &given,
                "milliseconds, from 0 to 4294967295",
            )),
        },
    }
}

fn stop_signal(flags: &Flags) -> Result<i32, Failure> {
    let Some(given) = text(flags, "stop-signal")? else {
        return Ok(Signal::SIGTERM as i32);
    };
    signal_number(&given).ok_or_else(|| refused("stop-signal", &given, A_SIGNAL))
}

/// What `stop_signal` takes.
pub(crate) const A_SIGNAL: &str = "a name such as SIGINT or a number from 1 to 64";

/// The number of a signal, which is given by name, with or without `SIG`, or by number.
pub(crate) fn signal_number(given: &str) -> Option<i32> {
    if let Some(known @ 1..=MAX_SIGNAL) = number(given) {
        return Some(known);
    }
    let upper = given.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let signal = Signal::from_str(&format!("SIG{name}"));
    signal.map(|signal| signal as i32).ok()
}

fn leave_orphans(flags: &Flags) -> Result<bool, Failure> {
    match text(flags, "orphans")?.as_deref() {
        None | Some("kill") => Ok(false),
        Some("leave") => Ok(true),
        Some(other) => Err(refused("orphans", other, "kill or leave")),
    }
}

/// `--group`, `--controller` and `--set`, of which a sub-command may lack the last two.
pub(crate) fn cgroup_request(flags: &Flags) -> Result<Option<cgroup::Request>, Failure> {
    let controllers = flags.all("controller").map(|name| utf8("controller", name));
    let controllers: Vec<String> = controllers.collect::<Result<_, _>>()?;
    let settings = flags.all("set").map(|given| setting(given));
    let settings: Vec<(String, String)> = settings.collect::<Result<_, _>>()?;
    let Some(group) = text(flags, "group")? else {
        if let Some(name) = controllers.first() {
            return Err(refused("controller", name, "a --group beside it"));
        }
        if let Some((key, _)) = settings.first() {
            return Err(refused("set", key, "a --group beside it"));
        }
        return Ok(None);
    };
    let request = cgroup::Request {
        group,
        controllers,
        settings,
    };
    request.validate()?;
    Ok(Some(request))
}

fn new_cgroup(flags: &Flags) -> Result<Option<cgroup::Request>, Failure> {
    let Some(request) = cgroup_request(flags)? else {
        return Ok(None);
    };
    request.refuse_empty()?;
    if let Some(setting) = freezing(&request) {
        return Err(refused("set", &setting, NO_FREEZING));
    }
    Ok(Some(request))
}

/// What a setting of a new group must be.
pub(crate) const NO_FREEZING: &str = "nothing that freezes the program before it has started";

/// The setting that would freeze a program which has not started yet.
pub(crate) fn freezing(request: &cgroup::Request) -> Option<String> {
    let mut settings = request.settings.iter();
    let (name, value) = settings.find(|setting| freezes(setting))?;
    Some(format!("{name}={value}"))
}

fn freezes((name, value): &(String, String)) -> bool {
    match name.as_str() {
        "cgroup.freeze" => value.trim() != "0",
        "freezer.state" => value.trim() != "THAWED",
        _ => false,
    }
}

fn setting(given: &OsStr) -> Result<(String, String), Failure> {
    let given = utf8("set", given)?;
    match given.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(refused("set", &given, "key=value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn config(flags: &[&str]) -> Result<Config, Failure> {
        let line = ["muontrap"].iter().chain(flags).chain(&["true"]);
        let flags = cli::parse(line.map(OsString::from).collect()).unwrap();
        Config::new(&flags, Transport::choose(&flags))
    }

    #[test]
    fn defaults() {
        let config = config(&[]).unwrap();
        assert_eq!(config.window, 10_240);
        assert_eq!(config.delay_to_sigkill, Duration::from_millis(500));
        assert_eq!(config.stop_signal, 15);
        assert!(!config.leave_orphans);
        assert!(!config.transport.is_acknowledged());
    }

    #[test]
    fn numbers_are_plain_decimal_and_nothing_else() {
        let bad = [
            "+1000",
            " 1000",
            "1000 ",
            "0x3e8",
            "01750",
            "-1",
            "4294968296",
            "abc",
            "",
            "1e3",
            "١",
        ];
        for flag in ["delay-to-sigkill", "stdio-window"] {
            for value in bad {
                let failure = config(&[&format!("--{flag}={value}")]).unwrap_err();
                assert!(failure.message.contains(flag), "{failure}");
            }
            config(&[&format!("--{flag}"), "1000"]).unwrap();
        }
        assert!(config(&["--stdio-window", "0"]).is_err());
        assert!(config(&["--delay-to-sigkill", "0"]).is_ok());
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for (given, number) in [("SIGINT", 2), ("int", 2), ("Term", 15), ("64", 64)] {
            assert_eq!(
                config(&["--stop-signal", given]).unwrap().stop_signal,
                number
            );
        }
        for given in ["0", "65", "SIGNOPE", "", "SIGSIGINT", "-9"] {
            assert!(config(&["--stop-signal", given]).is_err(), "{given}");
        }
    }

    #[test]
    fn cgroup_flags_belong_together() {
        let config = config(&["-g", "a/b", "-c", "memory", "-s", "memory.max=1=2"]).unwrap();
        let request = config.cgroup.unwrap();
        assert_eq!(request.group, "a/b");
        assert_eq!(request.controllers, ["memory"]);
        assert_eq!(
            request.settings,
            [("memory.max".to_owned(), "1=2".to_owned())]
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (flags, flag) in [
            (&["--set", "a=1"][..], "set"),
            (&["--controller", "memory"], "controller"),
            (&["--group", "g", "--set", "a"], "set"),
            (&["--group", "g", "--set", "=1"], "set"),
            (&["--group", "g", "--set", "cgroup.freeze=1"], "set"),
            (&["--group", "g", "--set", "freezer.state=FROZEN"], "set"),
            (&["--orphans", "maybe"], "orphans"),
            (&["--cd", ""], "cd"),
        ] {
            let failure = config(flags).unwrap_err();
            assert!(
                failure.message.starts_with(&format!("--{flag} ")),
                "{failure}"
            );
        }
    }

    #[test]
    fn arg0_replaces_only_the_first_argument() {
        let config = config(&["-0", "zero"]).unwrap();
        assert_eq!(config.program, "true");
        assert_eq!(config.argv, [c"zero".to_owned()]);
    }
}
