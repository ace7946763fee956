// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! START, from the words of a command line.

use crate::frames::{field, number};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

const PROGRAM: u16 = 1;
const ARGUMENT: u16 = 2;
const STDIN: u16 = 16;
const STDOUT: u16 = 17;
const STDERR: u16 = 18;

/// What a flag becomes.
#[derive(Clone, Copy)]
enum Meaning {
    Text(u16),
    Number(u16),
    /// A switch for an output stream.
    Capture,
    /// A flag of the command line also with `--framed`.
    Descriptors,
}

use Meaning::{Capture, Descriptors, Number, Text};

const FLAGS: [(&str, &str, Meaning); 36] = [
    ("--arg0", "-0", Text(3)),
    ("--cd", "", Text(5)),
    ("--stdio-window", "-l", Number(19)),
    ("--stdin-path", "", Text(20)),
    ("--stdout-path", "", Text(21)),
    ("--stderr-path", "", Text(22)),
    ("--stdout-append", "", Number(23)),
    ("--stderr-append", "", Number(24)),
    ("--stdout-mode", "", Number(25)),
    ("--stderr-mode", "", Number(26)),
    ("--stop-signal", "", Text(32)),
    ("--delay-to-sigkill", "-k", Number(33)),
    ("--orphans", "", Text(34)),
    ("--stop-step", "", Text(35)),
    ("--stop-scope", "", Text(36)),
    ("--notify", "", Number(37)),
    ("--variable", "", Text(8)),
    ("--clear-env", "", Number(10)),
    ("--login-env", "", Number(11)),
    ("--uid", "-u", Text(48)),
    ("--gid", "-a", Text(49)),
    ("--groups", "", Text(50)),
    ("--rlimits", "", Text(51)),
    ("--nice", "", Text(52)),
    ("--umask", "", Number(53)),
    ("--oom-score-adj", "", Text(54)),
    ("--no-new-privs", "", Number(55)),
    ("--capabilities", "", Text(56)),
    ("--group", "-g", Text(64)),
    ("--controller", "-c", Text(65)),
    ("--set", "-s", Text(66)),
    ("--capture-output", "-o", Capture),
    ("--capture-stderr", "-e", Capture),
    ("--capture-stderr-only", "", Capture),
    ("--capture-stderr-apart", "", Capture),
    ("--fds", "", Descriptors),
];

/// Each flag with its value, which is empty for a switch.
fn parse(words: &[OsString]) -> Vec<(&'static str, Meaning, &OsStr)> {
    let mut words = words.iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let word = word.as_bytes();
        let equals = word.iter().position(|&byte| byte == b'=');
        let (name, value) = word.split_at(equals.unwrap_or(word.len()));
        let flag = FLAGS
            .iter()
            .find(|(long, short, _)| long.as_bytes() == name || short.as_bytes() == name);
        let &(long, _, meaning) = flag.unwrap_or_else(|| panic!("{word:?} is no flag"));
        let value = match (meaning, value.split_first()) {
            (Capture, _) => OsStr::new(""),
            (_, Some((_, value))) => OsStr::from_bytes(value),
            (_, None) => words.next().expect("a value"),
        };
        found.push((long, meaning, value));
    }
    found
}

/// The flag that stays on the command line.
pub fn descriptors(flags: &[OsString]) -> Option<OsString> {
    let flags = parse(flags);
    let (_, _, fds) = flags.iter().find(|(name, ..)| *name == "--fds")?;
    Some([OsStr::new("--fds="), *fds].into_iter().collect())
}

/// The payload of START. Without fields for variables, the program has the environment of the helper.
pub fn fields(flags: &[OsString], program: &[OsString]) -> Vec<u8> {
    let mut payload = field(PROGRAM, program[0].as_bytes());
    for argument in &program[1..] {
        payload.extend(field(ARGUMENT, argument.as_bytes()));
    }
    for (_, meaning, value) in parse(flags) {
        match meaning {
            Text(row) => payload.extend(field(row, value.as_bytes())),
            Number(row) => {
                let value = value.to_str().unwrap().parse().unwrap();
                payload.extend(number(row, value));
            }
            Capture | Descriptors => {}
        }
    }
    payload.extend(streams(&parse(flags)));
    payload
}

fn streams(flags: &[(&str, Meaning, &OsStr)]) -> Vec<u8> {
    let has = |wanted: &str| flags.iter().any(|(name, ..)| *name == wanted);
    let (stdin, uncaptured): (&[u8], &[u8]) = if has("--stdin-path") {
        (b"file", b"null")
    } else if has("--fds") {
        (b"inherit", b"inherit")
    } else {
        (b"pipe", b"null")
    };
    let only_stderr = has("--capture-stderr-only");
    let stdout = if has("--stdout-path") {
        b"file"
    } else if has("--capture-output") && !only_stderr {
        b"capture"
    } else {
        uncaptured
    };
    let is_apart = only_stderr || has("--capture-stderr-apart");
    let stderr: &[u8] = match (is_apart, has("--capture-stderr")) {
        _ if has("--stderr-path") => b"file",
        (true, _) => b"capture",
        (false, true) => b"stdout",
        (false, false) => b"inherit",
    };
    [
        field(STDIN, stdin),
        field(STDOUT, stdout),
        field(STDERR, stderr),
    ]
    .concat()
}
