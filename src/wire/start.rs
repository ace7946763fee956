// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! START: everything about one program.

use super::attributes;
use super::cgroup::{self, Group};
use super::environment::{self, Environment, Given};
use super::fields::{Field, Row, decode_by_tables, malformed, many, one, push, set, set_some};
use super::transport::Transport;
use crate::config::{self, Config, Output, OutputFile, PtySettings, Stdin, StopScope, Streams};
use crate::error::Failure;
use crate::process::attributes::Attributes;
use crate::process::find::Lookup;
use std::ffi::CString;

/// In START and READY.
pub(crate) const CLIENT_DIRECTORY: u16 = 12;

/// Every field: its number, its name in `docs/protocol.md`, the type of its value, and where the value goes.
#[rustfmt::skip]
const TABLE: [Row<Draft>; 38] = {
    let [variable, environment, set_variable, unset_variable, clear_env, login_env] = environment::rows();
    let [rlimits, capabilities] = attributes::rows();
    let [cgroup_path, cgroup_controller, cgroup_set] = cgroup::rows();
    [
        one(1, "program", |d, f| set(&mut d.config.program, f.text())),
        many(2, "argument", |d, f| push(&mut d.arguments, f.c_string())),
        one(3, "arg0", |d, f| set_some(&mut d.arg0, f.c_string())),
        one(4, "directory", |d, f| set_some(&mut d.config.directory, absolute(f))),
        one(5, "cd", |d, f| set_some(&mut d.config.attributes.cd, f.not_empty())),
        variable,
        environment,
        set_variable,
        unset_variable,
        clear_env,
        login_env,
        one(CLIENT_DIRECTORY, "client_directory", |d, f| set(&mut d.config.uses_client_directory, f.flag())),
        one(16, "stdin", |d, f| set(&mut d.config.streams.stdin, f.choice(&STDIN))),
        one(17, "stdout", |d, f| set(&mut d.config.streams.stdout, f.choice(&STDOUT))),
        one(18, "stderr", |d, f| set(&mut d.config.streams.stderr, f.choice(&STDERR))),
        one(19, "stdio_window", |d, f| set(&mut d.config.window, window(f))),
        one(20, "stdin_path", |d, f| set_some(&mut d.config.stdin_path, f.not_empty())),
        one(21, "stdout_path", |d, f| set_some(&mut d.config.stdout_file.path, f.not_empty())),
        one(22, "stderr_path", |d, f| set_some(&mut d.config.stderr_file.path, f.not_empty())),
        one(23, "stdout_append", |d, f| set(&mut d.config.stdout_file.append, f.flag())),
        one(24, "stderr_append", |d, f| set(&mut d.config.stderr_file.append, f.flag())),
        one(25, "stdout_mode", |d, f| set_some(&mut d.config.stdout_file.mode, f.permissions())),
        one(26, "stderr_mode", |d, f| set_some(&mut d.config.stderr_file.mode, f.permissions())),
        one(27, "pty", |d, f| set_some(&mut d.config.pty, pty(f))),
        one(32, "stop_signal", |d, f| set(&mut d.config.stop_signal, signal(f))),
        one(33, "delay_to_sigkill", |d, f| set(&mut d.config.delay_to_sigkill, f.milliseconds())),
        one(34, "orphans", |d, f| set(&mut d.config.leave_orphans, f.choice(&ORPHANS))),
        many(35, "stop_step", |d, f| push(&mut d.config.given_stop_steps, f.checked(config::stop_step(f.utf8()?)))),
        one(36, "stop_scope", |d, f| set(&mut d.config.stop_scope, f.choice(&STOP_SCOPE))),
        one(37, "notify", |d, f| set(&mut d.config.notify, f.flag())),
        one(48, "uid", |d, f| set_some(&mut d.config.user.uid, f.string())),
        one(49, "gid", |d, f| set_some(&mut d.config.user.gid, f.string())),
        one(50, "groups", |d, f| set_some(&mut d.config.user.groups, f.string())),
        rlimits,
        capabilities,
        cgroup_path,
        cgroup_controller,
        cgroup_set,
    ]
};

/// Those of the attributes that are numbers.
const NUMBERS: [Row<Draft>; attributes::COUNT] = attributes::rows_of_numbers();

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

const STOP_SCOPE: [(&str, StopScope); 3] = [
    ("program", StopScope::Program),
    ("group", StopScope::Group),
    ("all", StopScope::All),
];

fn absolute(field: Field<'_>) -> Result<CString, Failure> {
    if !field.value.starts_with(b"/") {
        return Err(malformed(field.name, "it is not an absolute path"));
    }
    field.c_string()
}

fn window(field: Field<'_>) -> Result<u32, Failure> {
    match field.u32()? {
        0 => Err(malformed(field.name, "it is 0")),
        bytes => Ok(bytes),
    }
}

fn pty(field: Field<'_>) -> Result<PtySettings, Failure> {
    let &[a, b, c, d, echo @ 0..=1] = field.value else {
        let why = "it is not two numbers of two bytes, and 0 or 1";
        return Err(malformed(field.name, why));
    };
    Ok(PtySettings {
        rows: u16::from_be_bytes([a, b]),
        cols: u16::from_be_bytes([c, d]),
        echo: echo == 1,
    })
}

fn signal(field: Field<'_>) -> Result<i32, Failure> {
    field.checked(config::stop_signal(field.utf8()?))
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

impl AsMut<Attributes> for Draft {
    fn as_mut(&mut self) -> &mut Attributes {
        &mut self.config.attributes
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
    given: Option<&mut Given>,
) -> Result<Start, Failure> {
    let mut draft = Draft::default();
    decode_by_tables(payload, &[&TABLE, &NUMBERS], &mut draft)?;
    let Some(environment) = draft.environment.resolve(given)? else {
        return Ok(Start::EnvironmentWanted);
    };
    let mut config = draft.config;
    check_streams(&config, transport)?;
    check_pty(&config)?;
    check_files(&config)?;
    if config.uses_client_directory && config.directory.is_some() {
        return Err(malformed("client_directory", "there is a directory, too"));
    }
    if config.program.is_empty() {
        return Err(malformed("program", "it is missing or empty"));
    }
    let program = || CString::new(config.program.as_encoded_bytes()).unwrap_or_default();
    let arg0 = draft.arg0.unwrap_or_else(program);
    config.argv = [vec![arg0], draft.arguments].concat();
    config.lookup = Lookup::Path(environment.path);
    let has_own = environment.variables.is_none() && config.notify;
    config.environment = environment
        .variables
        .or_else(|| has_own.then(environment::own));
    config.user.login = environment.login;
    if !config.user.login.is_empty() && config.user.uid.is_none() {
        return Err(malformed("login_env", "there is no uid"));
    }
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

/// A terminal is all three streams.
fn check_pty(config: &Config) -> Result<(), Failure> {
    let Streams {
        stdin,
        stdout,
        stderr,
    } = config.streams;
    let (name, why) = if config.pty.is_none() {
        return Ok(());
    } else if stdin != Stdin::Pipe {
        ("stdin", "with a pty it is \"pipe\"")
    } else if !matches!(stdout, Output::Capture | Output::Null) {
        ("stdout", "with a pty it is \"capture\" or \"null\"")
    } else if stderr != Output::Stdout {
        ("stderr", "with a pty it is \"stdout\"")
    } else {
        return Ok(());
    };
    Err(malformed(name, why))
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
#[path = "start_test.rs"]
mod tests;
