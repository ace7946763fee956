// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! START: everything about one program.

use super::cgroup::{self, Group};
use super::environment::{Environment, Given, VARIABLE};
use super::fields::{Field, Row, malformed, many, one, read};
use super::notice::Notices;
use crate::config::{self, Config, Output, Stdin, Streams};
use crate::error::Failure;
use crate::process::find::Lookup;
use crate::process::step::Attributes;
use crate::user;
use crate::wire::transport::Transport;
use nix::sys::signal::Signal;
use std::ffi::{CString, OsString};
use std::time::Duration;

/// All fields: `docs/protocol.md`.
const TABLE: [Row; 22] = [
    one(1, "program"),
    many(2, "argument"),
    one(3, "arg0"),
    one(4, "directory"),
    one(5, "cd"),
    VARIABLE,
    one(7, "environment"),
    many(8, "set"),
    many(9, "unset"),
    one(16, "stdin"),
    one(17, "stdout"),
    one(18, "stderr"),
    one(19, "stdio_window"),
    one(32, "stop_signal"),
    one(33, "delay_to_sigkill"),
    one(34, "orphans"),
    one(48, "uid"),
    one(49, "gid"),
    one(50, "groups"),
    cgroup::PATH,
    cgroup::CONTROLLER,
    cgroup::SET,
];

/// What START came to.
#[derive(Debug)]
pub enum Start {
    /// The settings of a session.
    Config(Box<Config>),
    /// It names an environment that is not here.
    EnvironmentWanted,
}

/// Everything that a START said, before it is put together.
struct Fields {
    program: Option<OsString>,
    arg0: Option<CString>,
    arguments: Vec<CString>,
    directory: Option<CString>,
    attributes: Attributes,
    environment: Environment,
    streams: Streams,
    window: u32,
    delay_to_sigkill: Duration,
    stop_signal: i32,
    leave_orphans: bool,
    identity: user::Request,
    group: Group,
}

/// Reads the payload of START. `given` is the environment that came by ENVIRONMENT.
pub fn decode(
    payload: &[u8],
    transport: Transport,
    given: Option<&Given>,
) -> Result<Start, Failure> {
    let mut fields = Fields::default();
    read(payload, &TABLE, |field| fields.take(field))?;
    fields.check_streams(transport)?;
    let Some(environment) = fields.environment.resolve(given)? else {
        return Ok(Start::EnvironmentWanted);
    };
    let program = fields.program.unwrap_or_default();
    if program.is_empty() {
        return Err(malformed("program", "it is missing or empty"));
    }
    let arg0 = match fields.arg0 {
        Some(arg0) => arg0,
        None => CString::new(program.as_encoded_bytes()).unwrap_or_default(),
    };
    Ok(Start::Config(Box::new(Config {
        program,
        argv: std::iter::once(arg0).chain(fields.arguments).collect(),
        lookup: Lookup::Path(environment.path),
        environment: environment.variables,
        directory: fields.directory,
        attributes: fields.attributes,
        identity: fields.identity,
        cgroup: fields.group.to_make()?,
        window: fields.window,
        delay_to_sigkill: fields.delay_to_sigkill,
        stop_signal: fields.stop_signal,
        leave_orphans: fields.leave_orphans,
        streams: fields.streams,
        transport,
        notices: Notices::default(),
    })))
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            program: None,
            arg0: None,
            arguments: Vec::new(),
            directory: None,
            attributes: Attributes::default(),
            environment: Environment::default(),
            streams: Streams {
                stdin: Stdin::Pipe,
                stdout: Output::Null,
                stderr: Output::Inherit,
            },
            window: config::DEFAULT_WINDOW,
            delay_to_sigkill: config::DEFAULT_DELAY,
            stop_signal: Signal::SIGTERM as i32,
            leave_orphans: false,
            identity: user::Request::default(),
            group: Group::default(),
        }
    }
}

const STDIN: [(&str, Stdin); 3] = [
    ("pipe", Stdin::Pipe),
    ("null", Stdin::Null),
    ("inherit", Stdin::Inherit),
];

const OUTPUT: [(&str, Output); 4] = [
    ("capture", Output::Capture),
    ("null", Output::Null),
    ("inherit", Output::Inherit),
    // For stderr only.
    ("stdout", Output::Stdout),
];

const ORPHANS: [(&str, bool); 2] = [("kill", false), ("leave", true)];

impl Fields {
    fn take(&mut self, field: Field<'_>) -> Result<(), Failure> {
        match field.name {
            "program" => self.program = Some(field.text()?),
            "argument" => self.arguments.push(field.c_string()?),
            "arg0" => self.arg0 = Some(field.c_string()?),
            "directory" if !field.value.starts_with(b"/") => {
                return Err(malformed(field.name, "it is not an absolute path"));
            }
            "directory" => self.directory = Some(field.c_string()?),
            "cd" if field.value.is_empty() => return Err(malformed(field.name, "it is empty")),
            "cd" => self.attributes.cd = Some(field.c_string()?),
            "variable" | "environment" | "set" | "unset" => self.environment.take(field)?,
            "stdin" => self.streams.stdin = field.choice(&STDIN)?,
            "stdout" => self.streams.stdout = field.choice(&OUTPUT[..3])?,
            "stderr" => self.streams.stderr = field.choice(&OUTPUT)?,
            "stdio_window" => self.window = window(field)?,
            "stop_signal" => self.stop_signal = stop_signal(field)?,
            "delay_to_sigkill" => {
                self.delay_to_sigkill = Duration::from_millis(field.number()?.into());
            }
            "orphans" => self.leave_orphans = field.choice(&ORPHANS)?,
            "uid" => self.identity.uid = Some(field.name()?.to_owned()),
            "gid" => self.identity.gid = Some(field.name()?.to_owned()),
            "groups" => self.identity.groups = Some(field.name()?.to_owned()),
            _ => self.group.take(field)?,
        }
        Ok(())
    }

    /// What is the stream of frames cannot be the program's.
    fn check_streams(&self, transport: Transport) -> Result<(), Failure> {
        if transport.spares_stdio() {
            return Ok(());
        }
        let why = "muontrap's own is the stream of frames";
        if self.streams.stdin == Stdin::Inherit {
            return Err(malformed("stdin", why));
        }
        if self.streams.stdout == Output::Inherit {
            return Err(malformed("stdout", why));
        }
        Ok(())
    }
}

fn window(field: Field<'_>) -> Result<u32, Failure> {
    match field.number()? {
        0 => Err(malformed(field.name, "it is 0")),
        bytes => Ok(bytes),
    }
}

fn stop_signal(field: Field<'_>) -> Result<i32, Failure> {
    let given = field.name()?;
    let refused = || {
        malformed(
            field.name,
            &format!("{given:?} is not {}", config::A_SIGNAL),
        )
    };
    config::signal_number(given).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Step;

    const PIPES: Transport = Transport::Framed {
        input: 0,
        output: 1,
    };
    const SOCKET: Transport = Transport::Framed {
        input: 5,
        output: 6,
    };

    fn payload(fields: &[(u16, &[u8])]) -> Vec<u8> {
        let mut payload = Vec::new();
        for (number, value) in fields {
            payload.extend_from_slice(&number.to_be_bytes());
            payload.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            payload.extend_from_slice(value);
        }
        payload
    }

    fn config(fields: &[(u16, &[u8])]) -> Result<Config, Failure> {
        match decode(&payload(fields), SOCKET, None)? {
            Start::Config(config) => Ok(*config),
            Start::EnvironmentWanted => panic!("an environment is wanted"),
        }
    }

    #[test]
    fn the_numbers_and_names_of_the_fields_are_their_own() {
        for (index, row) in TABLE.iter().enumerate() {
            for other in &TABLE[index + 1..] {
                assert!(row.number != other.number && row.name != other.name);
            }
        }
    }

    #[test]
    fn a_program_is_all_that_is_needed() {
        let config = config(&[(1, b"true")]).unwrap();
        assert_eq!(config.argv, [c"true".to_owned()]);
        assert_eq!(config.environment, None);
        assert_eq!((config.window, config.stop_signal), (10_240, 15));
        assert_eq!(config.delay_to_sigkill, Duration::from_millis(500));
        assert_eq!(config.streams.stdin, Stdin::Pipe);
        assert_eq!(config.streams.stdout, Output::Null);
        assert_eq!(config.streams.stderr, Output::Inherit);
        assert!(!config.leave_orphans && config.cgroup.is_none());
    }

    #[test]
    fn all_fields_arrive() {
        let config = config(&[
            (1, b"/bin/sh"),
            (2, b"-c"),
            (2, b""),
            (3, b"zero"),
            (4, b"/tmp"),
            (5, b"below"),
            (6, b"PATH=/usr/bin"),
            (6, b"A=1"),
            (8, b"A=2"),
            (9, b"PATH"),
            (16, b"null"),
            (17, b"capture"),
            (18, b"stdout"),
            (19, &7_u32.to_be_bytes()),
            (32, b"int"),
            (33, &0_u32.to_be_bytes()),
            (34, b"leave"),
            (48, b"nobody"),
            (49, b"7"),
            (50, b""),
            (64, b"a/b"),
            (65, b"memory"),
            (66, b"memory.max=1=2"),
        ])
        .unwrap();
        assert_eq!(config.program, "/bin/sh");
        let argv: Vec<_> = config
            .argv
            .iter()
            .map(|word| word.to_str().unwrap())
            .collect();
        assert_eq!(argv, ["zero", "-c", ""]);
        assert_eq!(config.directory.as_deref(), Some(c"/tmp"));
        assert_eq!(config.attributes.cd.as_deref(), Some(c"below"));
        assert_eq!(config.environment, Some(vec![c"A=2".to_owned()]));
        assert_eq!(config.lookup, Lookup::Path(Some("/usr/bin".into())));
        assert_eq!(config.streams.stdin, Stdin::Null);
        assert_eq!(config.streams.stdout, Output::Capture);
        assert_eq!(config.streams.stderr, Output::Stdout);
        assert_eq!((config.window, config.stop_signal), (7, 2));
        assert_eq!(config.delay_to_sigkill, Duration::ZERO);
        assert!(config.leave_orphans);
        assert_eq!(config.identity.uid.as_deref(), Some("nobody"));
        assert_eq!(config.identity.gid.as_deref(), Some("7"));
        assert_eq!(config.identity.groups.as_deref(), Some(""));
        let group = config.cgroup.unwrap();
        assert_eq!(
            (group.group.as_str(), &group.controllers[..]),
            ("a/b", &["memory".to_owned()][..])
        );
        assert_eq!(
            group.settings,
            [("memory.max".to_owned(), "1=2".to_owned())]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        type Case = (&'static [(u16, &'static [u8])], &'static str);
        const CASES: [Case; 17] = [
            (&[], "program"),
            (&[(1, b"")], "program"),
            (&[(1, b"a\0")], "program"),
            (&[(1, b"a"), (1, b"b")], "program"),
            (&[(1, b"a"), (4, b"tmp")], "directory"),
            (&[(1, b"a"), (5, b"")], "cd"),
            (&[(1, b"a"), (8, b"=x")], "set"),
            (&[(1, b"a"), (9, b"x=")], "unset"),
            (&[(1, b"a"), (16, b"capture")], "stdin"),
            (&[(1, b"a"), (17, b"stdout")], "stdout"),
            (&[(1, b"a"), (19, &[0; 4])], "stdio_window"),
            (&[(1, b"a"), (19, b"10240")], "stdio_window"),
            (&[(1, b"a"), (32, b"SIGNOPE")], "stop_signal"),
            (&[(1, b"a"), (34, b"maybe")], "orphans"),
            (&[(1, b"a"), (48, b"\xff")], "uid"),
            (&[(1, b"a"), (66, b"memory.max")], "cgroup_set"),
            (&[(1, b"a"), (999, b"x")], "999"),
        ];
        for (fields, name) in CASES {
            let failure = config(fields).unwrap_err();
            assert_eq!(failure.step, Step::Options);
            assert_eq!(failure.path.to_str(), Some(name));
        }
    }

    #[test]
    fn the_stream_of_frames_is_not_inherited() {
        for (number, name) in [(16, "stdin"), (17, "stdout")] {
            let payload = payload(&[(1, b"a"), (number, b"inherit")]);
            let failure = decode(&payload, PIPES, None).unwrap_err();
            assert_eq!(failure.path.to_str(), Some(name));
            decode(&payload, SOCKET, None).unwrap();
        }
    }
}
