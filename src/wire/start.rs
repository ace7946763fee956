// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! START: everything about one program.

use super::cgroup::{self, Group};
use super::environment::{self, Environment, Given};
use super::fields::{
    Field, Row, decode as decode_fields, malformed, many, one, push, set, set_some,
};
use super::transport::Transport;
use crate::config::{self, Config, Output, OutputFile, Stdin};
use crate::error::Failure;
use crate::process::find::Lookup;
use std::ffi::CString;
use std::time::Duration;

/// Every field: its number, its name in `docs/protocol.md`, the type of its value, and where the value goes.
#[rustfmt::skip]
const TABLE: [Row<Draft>; 29] = {
    let [variable, environment, set_variable, unset_variable] = environment::rows();
    let [cgroup_path, cgroup_controller, cgroup_set] = cgroup::rows();
    [
        one(1, "program", |d, f| set(&mut d.config.program, f.text())),
        many(2, "argument", |d, f| push(&mut d.arguments, f.c_string())),
        one(3, "arg0", |d, f| set_some(&mut d.arg0, f.c_string())),
        one(4, "directory", |d, f| set_some(&mut d.config.directory, absolute(f))),
        one(5, "cd", |d, f| set_some(&mut d.config.attributes.cd, not_empty(f))),
        variable,
        environment,
        set_variable,
        unset_variable,
        one(16, "stdin", |d, f| set(&mut d.config.streams.stdin, f.choice(&STDIN))),
        one(17, "stdout", |d, f| set(&mut d.config.streams.stdout, f.choice(&STDOUT))),
        one(18, "stderr", |d, f| set(&mut d.config.streams.stderr, f.choice(&STDERR))),
        one(19, "stdio_window", |d, f| set(&mut d.config.window, window(f))),
        one(20, "stdin_path", |d, f| set_some(&mut d.config.stdin_path, not_empty(f))),
        one(21, "stdout_path", |d, f| set_some(&mut d.config.stdout_file.path, not_empty(f))),
        one(22, "stderr_path", |d, f| set_some(&mut d.config.stderr_file.path, not_empty(f))),
        one(23, "stdout_append", |d, f| set(&mut d.config.stdout_file.append, flag(f))),
        one(24, "stderr_append", |d, f| set(&mut d.config.stderr_file.append, flag(f))),
        one(25, "stdout_mode", |d, f| set_some(&mut d.config.stdout_file.mode, permissions(f))),
        one(26, "stderr_mode", |d, f| set_some(&mut d.config.stderr_file.mode, permissions(f))),
        one(32, "stop_signal", |d, f| set(&mut d.config.stop_signal, signal(f))),
        one(33, "delay_to_sigkill", |d, f| set(&mut d.config.delay_to_sigkill, milliseconds(f))),
        one(34, "orphans", |d, f| set(&mut d.config.leave_orphans, f.choice(&ORPHANS))),
        one(48, "uid", |d, f| set_some(&mut d.config.user.uid, f.string())),
        one(49, "gid", |d, f| set_some(&mut d.config.user.gid, f.string())),
        one(50, "groups", |d, f| set_some(&mut d.config.user.groups, f.string())),
        cgroup_path,
        cgroup_controller,
        cgroup_set,
    ]
};

const STDIN: [(&str, Stdin); 4] = [
    ("pipe", Stdin::Pipe),
    ("null", Stdin::Null),
    ("file", Stdin::File),
    ("inherit", Stdin::Inherit),
];

const STDOUT: [(&str, Output); 4] = [
    ("capture", Output::Capture),
    ("null", Output::Null),
    ("file", Output::File),
    ("inherit", Output::Inherit),
];

const STDERR: [(&str, Output); 5] = {
    let [capture, null, file, inherit] = STDOUT;
    [capture, null, file, inherit, ("stdout", Output::Stdout)]
};

const ORPHANS: [(&str, bool); 2] = [("kill", false), ("leave", true)];

fn absolute(field: Field<'_>) -> Result<CString, Failure> {
    if !field.value.starts_with(b"/") {
        return Err(malformed(field.name, "it is not an absolute path"));
    }
    field.c_string()
}

fn not_empty(field: Field<'_>) -> Result<CString, Failure> {
    if field.value.is_empty() {
        return Err(malformed(field.name, "it is empty"));
    }
    field.c_string()
}

fn window(field: Field<'_>) -> Result<u32, Failure> {
    match field.u32()? {
        0 => Err(malformed(field.name, "it is 0")),
        bytes => Ok(bytes),
    }
}

fn flag(field: Field<'_>) -> Result<bool, Failure> {
    match field.u32()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(malformed(field.name, "it is neither 0 nor 1")),
    }
}

fn permissions(field: Field<'_>) -> Result<u32, Failure> {
    match field.u32()? {
        bits @ 0..=0o777 => Ok(bits),
        _ => Err(malformed(field.name, "it has other bits than 0777")),
    }
}

fn signal(field: Field<'_>) -> Result<i32, Failure> {
    field.checked(config::stop_signal(field.utf8()?))
}

fn milliseconds(field: Field<'_>) -> Result<Duration, Failure> {
    field.u32().map(|ms| Duration::from_millis(ms.into()))
}

/// What the fields came to, before it is put together.
#[derive(Default)]
struct Draft {
    config: Config,
    arg0: Option<CString>,
    arguments: Vec<CString>,
    environment: Environment,
    group: Group,
}

impl AsMut<Environment> for Draft {
    fn as_mut(&mut self) -> &mut Environment {
        &mut self.environment
    }
}

impl AsMut<Group> for Draft {
    fn as_mut(&mut self) -> &mut Group {
        &mut self.group
    }
}

#[derive(Debug)]
pub(crate) enum Start {
    Config(Box<Config>),
    /// START names an environment that is not here.
    EnvironmentWanted,
}

/// Decodes the payload of START. `given` is the environment that came by ENVIRONMENT.
pub(crate) fn decode(
    payload: &[u8],
    transport: Transport,
    given: Option<&Given>,
) -> Result<Start, Failure> {
    let mut draft = Draft::default();
    decode_fields(payload, &TABLE, &mut draft)?;
    let Some(environment) = draft.environment.resolve(given)? else {
        return Ok(Start::EnvironmentWanted);
    };
    let mut config = draft.config;
    check_streams(&config, transport)?;
    check_files(&config)?;
    if config.program.is_empty() {
        return Err(malformed("program", "it is missing or empty"));
    }
    let program = || CString::new(config.program.as_encoded_bytes()).unwrap_or_default();
    let arg0 = draft.arg0.unwrap_or_else(program);
    config.argv = [vec![arg0], draft.arguments].concat();
    config.lookup = Lookup::Path(environment.path);
    config.environment = environment.variables;
    config.cgroup = draft.group.into_request()?;
    Ok(Start::Config(Box::new(config)))
}

/// The program cannot have what is the stream of frames.
fn check_streams(config: &Config, transport: Transport) -> Result<(), Failure> {
    if transport.spares_stdio() {
        return Ok(());
    }
    let why = "muontrap's own is the stream of frames";
    if config.streams.stdin == Stdin::Inherit {
        return Err(malformed("stdin", why));
    }
    if config.streams.stdout == Output::Inherit {
        return Err(malformed("stdout", why));
    }
    Ok(())
}

/// A stream that is a file has a path, and no other stream has anything to do with files.
fn check_files(config: &Config) -> Result<(), Failure> {
    let streams = config.streams;
    let is_stdin = streams.stdin == Stdin::File;
    check_file("stdin", is_stdin, config.stdin_path.is_some(), false)?;
    for (name, output, file) in [
        ("stdout", streams.stdout, &config.stdout_file),
        ("stderr", streams.stderr, &config.stderr_file),
    ] {
        let has_more = *file != OutputFile::default();
        check_file(name, output == Output::File, file.path.is_some(), has_more)?;
    }
    Ok(())
}

fn check_file(stream: &str, is_file: bool, has_path: bool, has_more: bool) -> Result<(), Failure> {
    let why = match is_file {
        true if !has_path => "it is missing".to_owned(),
        false if has_path || has_more => format!("{stream} is not \"file\""),
        _ => return Ok(()),
    };
    Err(malformed(&format!("{stream}_path"), &why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Step;
    use crate::wire::payload::push_field;

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
            push_field(&mut payload, *number, value);
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
        assert_eq!(config.user.uid.as_deref(), Some("nobody"));
        assert_eq!(config.user.gid.as_deref(), Some("7"));
        assert_eq!(config.user.groups.as_deref(), Some(""));
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
    fn streams_may_be_files() {
        let config = config(&[
            (1, b"a"),
            (16, b"file"),
            (17, b"file"),
            (18, b"file"),
            (20, b"in"),
            (21, b"out"),
            (22, b"/err"),
            (23, &1_u32.to_be_bytes()),
            (24, &0_u32.to_be_bytes()),
            (25, &0o640_u32.to_be_bytes()),
        ])
        .unwrap();
        let file = |path: &std::ffi::CStr, append, mode| OutputFile {
            path: Some(path.to_owned()),
            append,
            mode,
        };
        assert_eq!(config.streams.stdin, Stdin::File);
        assert_eq!(config.streams.stdout, Output::File);
        assert_eq!(config.streams.stderr, Output::File);
        assert_eq!(config.stdin_path.as_deref(), Some(c"in"));
        assert_eq!(config.stdout_file, file(c"out", true, Some(0o640)));
        assert_eq!(config.stderr_file, file(c"/err", false, None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        type Case = (&'static [(u16, &'static [u8])], &'static str);
        const CASES: [Case; 27] = [
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
            (&[(1, b"a"), (16, b"file")], "stdin_path"),
            (&[(1, b"a"), (16, b"file"), (20, b"")], "stdin_path"),
            (&[(1, b"a"), (16, b"null"), (20, b"x")], "stdin_path"),
            (&[(1, b"a"), (17, b"file")], "stdout_path"),
            (&[(1, b"a"), (18, b"file"), (22, b"a\0")], "stderr_path"),
            (&[(1, b"a"), (17, b"capture"), (21, b"x")], "stdout_path"),
            (&[(1, b"a"), (23, &[0, 0, 0, 1])], "stdout_path"),
            (&[(1, b"a"), (24, &[0, 0, 0, 2])], "stderr_append"),
            (&[(1, b"a"), (26, &[0, 0, 1, 0x80])], "stderr_path"),
            (&[(1, b"a"), (26, &[0, 0, 2, 0])], "stderr_mode"),
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
            // Not in the words of the command line.
            assert!(!failure.to_string().contains("--"), "{failure}");
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
