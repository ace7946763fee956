// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::config::StopStep;
use crate::error::Step;
use crate::sys::{Capabilities, ResourceLimit};
use crate::wire::payload::push_field;
use std::time::Duration;

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
    let rows: Vec<_> = TABLE.iter().chain(&NUMBERS).collect();
    for (index, row) in rows.iter().enumerate() {
        for other in &rows[index + 1..] {
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
fn a_session_finds_out_the_directory_or_is_told() {
    let one = &1_u32.to_be_bytes()[..];
    assert!(
        config(&[(1, b"a"), (12, one)])
            .unwrap()
            .uses_client_directory
    );
    let failure = config(&[(1, b"a"), (4, b"/"), (12, one)]).unwrap_err();
    assert_eq!(failure.path.to_str(), Some("client_directory"));
}

#[test]
fn steps_take_the_place_of_the_stop_signal() {
    let step = |signal, ms| StopStep {
        signal,
        wait: Duration::from_millis(ms),
    };
    let simple = config(&[(1, b"a"), (33, &7_u32.to_be_bytes())]).unwrap();
    assert_eq!(simple.stop_steps(), [step(15, 7)]);
    assert_eq!(simple.stop_scope, StopScope::Program);
    let several = config(&[
        (1, b"a"),
        (35, b"SIGINT 5000"),
        (35, b"15 0"),
        (36, b"group"),
    ])
    .unwrap();
    assert_eq!(several.stop_steps(), [step(2, 5000), step(15, 0)]);
    assert_eq!(several.stop_scope, StopScope::Group);
}

#[test]
fn with_a_socket_for_notifications_the_environment_is_known() {
    let config = config(&[(1, b"a"), (37, &1_u32.to_be_bytes())]).unwrap();
    assert!(config.notify && config.environment.is_some());
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
fn attributes_arrive() {
    let config = config(&[
        (1, b"a"),
        (6, b"A=1"),
        (10, &1_u32.to_be_bytes()),
        (11, &1_u32.to_be_bytes()),
        (48, b"nobody"),
        (51, b"nofile 8 unlimited,core 0 0"),
        (52, b"-20"),
        (53, &0o27_u32.to_be_bytes()),
        (54, b"-5"),
        (55, &1_u32.to_be_bytes()),
        (56, b"chown,setpcap"),
    ])
    .unwrap();
    assert_eq!(config.environment, Some(Vec::new()));
    assert_eq!(config.user.login, crate::user::LOGIN_VARIABLES);
    let attributes = config.attributes;
    let limits = [("nofile", 8, u64::MAX), ("core", 0, 0)];
    let limits = limits.map(|(name, soft, hard)| ResourceLimit::new(name, soft, hard).unwrap());
    assert_eq!(attributes.rlimits, limits);
    let numbers = attributes.numbers.iter();
    let mut numbers: Vec<_> = numbers.map(|(row, number)| (row.name, *number)).collect();
    numbers.sort_unstable();
    let expected = [
        ("nice", -20),
        ("no_new_privs", 1),
        ("oom_score_adj", -5),
        ("umask", 0o27),
    ];
    assert_eq!(numbers, expected);
    assert_eq!(attributes.capabilities, Some(Capabilities(0x101)));
}

#[test]
fn a_terminal_is_all_three_streams() {
    const PTY: &[u8] = &[0, 24, 1, 4, 1];
    let settings = |given: &[u8], fields: &[(u16, &[u8])]| {
        let fields = [&[(1, &b"a"[..]), (27, given)], fields].concat();
        let config = config(&fields).map_err(|failure| failure.path.to_str().unwrap().to_owned());
        config.map(|config| config.pty.unwrap())
    };
    let expected = PtySettings {
        rows: 24,
        cols: 260,
        echo: true,
    };
    assert_eq!(settings(PTY, &[(18, b"stdout")]), Ok(expected));
    let captured = [(17, &b"capture"[..]), (18, b"stdout")];
    assert_eq!(settings(PTY, &captured), Ok(expected));
    let error = |fields: &[(u16, &[u8])]| settings(PTY, fields).unwrap_err();
    assert_eq!(error(&[]), "stderr");
    assert_eq!(error(&[(18, b"capture")]), "stderr");
    assert_eq!(error(&[(16, b"null"), (18, b"stdout")]), "stdin");
    assert_eq!(error(&[(17, b"inherit"), (18, b"stdout")]), "stdout");
    assert_eq!(settings(&PTY[1..], &captured).unwrap_err(), "pty");
    assert_eq!(settings(&[0, 24, 0, 80, 2], &captured).unwrap_err(), "pty");
}

#[test]
fn what_is_wrong_is_named() {
    type Case = (&'static [(u16, &'static [u8])], &'static str);
    const CASES: [Case; 47] = [
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
        (&[(1, b"a"), (35, b"SIGINT")], "stop_step"),
        (&[(1, b"a"), (35, b"SIGINT -1")], "stop_step"),
        (&[(1, b"a"), (35, b"SIGNOPE 1")], "stop_step"),
        (&[(1, b"a"), (35, b"SIGINT 4294967296")], "stop_step"),
        (&[(1, b"a"), (36, b"everything")], "stop_scope"),
        (&[(1, b"a"), (37, &[0, 0, 0, 2])], "notify"),
        (&[(1, b"a"), (48, b"\xff")], "uid"),
        (&[(1, b"a"), (10, &[0, 0, 0, 2])], "clear_env"),
        (&[(1, b"a"), (11, &[0, 0, 0, 1])], "login_env"),
        (&[(1, b"a"), (51, b"nofile 1")], "rlimits"),
        (&[(1, b"a"), (51, b"nofiles 1 1")], "rlimits"),
        (&[(1, b"a"), (51, b"nofile 2 1")], "rlimits"),
        (&[(1, b"a"), (51, b"nofile 1 -1")], "rlimits"),
        (&[(1, b"a"), (51, b"nofile 1 1,")], "rlimits"),
        (&[(1, b"a"), (52, b"20")], "nice"),
        (&[(1, b"a"), (52, b"")], "nice"),
        (&[(1, b"a"), (53, &[0, 0, 2, 0])], "umask"),
        (&[(1, b"a"), (54, b"-1001")], "oom_score_adj"),
        (&[(1, b"a"), (55, b"1")], "no_new_privs"),
        (&[(1, b"a"), (56, b"cap_chown")], "capabilities"),
        (&[(1, b"a"), (56, b"chown,")], "capabilities"),
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
