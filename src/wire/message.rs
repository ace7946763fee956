// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Every frame between a client and a session, in both directions: `docs/protocol.md`.
//!
//! A new frame from the client is a tag, a variant of [`Command`] and a row in [`Command::parse`]; one to the
//! client is a tag and a function that encodes it.

use super::frame::{self, Frame, HEADER};
use super::payload::{push_bytes, push_long, push_text, unsigned};
use super::report::Report;
use super::violation::Violation;
use crate::cgroup::{Action, Values};
use crate::error::{Failure, Step};
use std::os::unix::ffi::OsStrExt as _;

/// The number of the protocol.
pub(crate) const PROTOCOL: u16 = 2;

/// INPUT bytes that may be unacknowledged at any time.
pub(crate) const INPUT_WINDOW: usize = 1 << 20;

const MAX_SIGNAL: u8 = 64;

// From the client

const ACK: u8 = 0x01;
const SIGNAL: u8 = 0x02;
pub(super) const STOP: u8 = 0x03;
const INPUT: u8 = 0x04;
const INPUT_EOF: u8 = 0x05;
const DISCARD: u8 = 0x06;
const HELLO: u8 = 0x07;
const START: u8 = 0x08;
const CGROUP_GET: u8 = 0x09;
const CGROUP_SET: u8 = 0x0a;
const CGROUP_STATISTICS: u8 = 0x0b;
const CGROUP_CONFIG: u8 = 0x0c;
const CGROUP_CLEAN: u8 = 0x0d;
const KILL_LEFTOVERS: u8 = 0x0e;
const USAGE: u8 = 0x0f;
const RESIZE: u8 = 0x10;
const NOTIFY_ACK: u8 = 0x11;
const ACK_BY_READING: u8 = 0x12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// This many output bytes were handled.
    Ack(u32),
    /// From now on, output counts as handled once it was read from the stream.
    AckByReading,
    /// Send this signal to the program.
    Signal(u8),
    /// Stop the program.
    Stop,
    /// Bytes for the program's stdin.
    Input(&'a [u8]),
    InputEof,
    /// Throw away all further output.
    Discard,
    /// NOTIFY was handled.
    NotifyAck,
    Hello(Hello<'a>),
    /// Run a program, with these fields.
    Start(&'a [u8]),
    Cgroup(CgroupCommand<'a>),
    /// Kill what another helper has left behind.
    KillLeftovers {
        /// The number that the client gave to it.
        request: u32,
        fields: &'a [u8],
    },
    /// Read what the programs of other sessions use.
    Usage {
        /// The number that the client gave to it.
        request: u32,
        fields: &'a [u8],
    },
    /// Change the size of the program's terminal.
    Resize {
        rows: u16,
        cols: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello<'a> {
    pub protocol: u16,
    pub token: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CgroupCommand<'a> {
    pub action: Action,
    /// The number that the client gave to it.
    pub request: u32,
    pub fields: &'a [u8],
}

impl<'a> Command<'a> {
    pub(crate) fn parse(frame: Frame<'a>) -> Result<Self, Violation> {
        let Frame { tag, payload } = frame;
        let command = match tag {
            ACK => exactly(payload).map(|bytes| Self::Ack(u32::from_be_bytes(bytes))),
            SIGNAL => match payload {
                &[number @ 1..=MAX_SIGNAL] => Some(Self::Signal(number)),
                _ => None,
            },
            STOP => exactly(payload).map(|[]| Self::Stop),
            INPUT => Some(Self::Input(payload)),
            INPUT_EOF => exactly(payload).map(|[]| Self::InputEof),
            DISCARD => exactly(payload).map(|[]| Self::Discard),
            NOTIFY_ACK => exactly(payload).map(|[]| Self::NotifyAck),
            ACK_BY_READING => exactly(payload).map(|[]| Self::AckByReading),
            HELLO => hello(payload),
            START => Some(Self::Start(payload)),
            CGROUP_GET => cgroup(Action::Get, payload),
            CGROUP_SET => cgroup(Action::Set, payload),
            CGROUP_STATISTICS => cgroup(Action::Statistics, payload),
            CGROUP_CONFIG => cgroup(Action::Config, payload),
            CGROUP_CLEAN => cgroup(Action::Clean, payload),
            KILL_LEFTOVERS => {
                request(payload).map(|(request, fields)| Self::KillLeftovers { request, fields })
            }
            USAGE => request(payload).map(|(request, fields)| Self::Usage { request, fields }),
            RESIZE => exactly(payload).map(|[a, b, c, d]| Self::Resize {
                rows: u16::from_be_bytes([a, b]),
                cols: u16::from_be_bytes([c, d]),
            }),
            _ => return Err(Violation::UnknownTag(tag)),
        };
        command.ok_or(Violation::BadPayload(tag))
    }
}

fn exactly<const N: usize>(payload: &[u8]) -> Option<[u8; N]> {
    payload.try_into().ok()
}

fn hello(payload: &[u8]) -> Option<Command<'_>> {
    let (protocol, token) = payload.split_first_chunk()?;
    let protocol = u16::from_be_bytes(*protocol);
    Some(Command::Hello(Hello { protocol, token }))
}

fn cgroup(action: Action, payload: &[u8]) -> Option<Command<'_>> {
    let (request, fields) = request(payload)?;
    Some(Command::Cgroup(CgroupCommand {
        action,
        request,
        fields,
    }))
}

/// The number of a request, and its fields.
fn request(payload: &[u8]) -> Option<(u32, &[u8])> {
    let (request, fields) = payload.split_first_chunk()?;
    Some((u32::from_be_bytes(*request), fields))
}

/// Refuses a client that speaks another version.
pub(crate) fn check_protocol(protocol: u16) -> Result<(), Failure> {
    if protocol == PROTOCOL {
        return Ok(());
    }
    let version = env!("CARGO_PKG_VERSION");
    let message = format!(
        "muontrap {version} speaks protocol {PROTOCOL}, and its caller protocol {protocol}"
    );
    let failure = Failure::new(Step::Version, message);
    Err(failure.advice("rebuild the helper with mix deps.compile muontrap --force, and restart"))
}

// To the client

const STARTED: u8 = 0x81;
const STDOUT: u8 = 0x82;
const STDERR: u8 = 0x83;
const INPUT_ACK: u8 = 0x84;
const EXITED: u8 = 0x85;
const FAILED: u8 = 0x86;
const ANSWER: u8 = 0x87;
const REFUSED: u8 = 0x88;
const ENVIRONMENT_WANTED: u8 = 0x89;
const NOTIFY: u8 = 0x8a;
const ACKED_BY_READING: u8 = 0x8b;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Started<'a> {
    /// The session's own pid.
    pub session: i32,
    pub program: i32,
    /// When the program started, in clock ticks since boot; 0 if that is not known.
    pub start_time: u64,
    /// Pairs of controllers and path.
    pub directories: &'a [(String, String)],
}

pub(crate) fn started(started: &Started<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend_from_slice(&unsigned(started.session).to_be_bytes());
    payload.extend_from_slice(&unsigned(started.program).to_be_bytes());
    payload.extend_from_slice(&started.start_time.to_be_bytes());
    for (controllers, path) in started.directories {
        push_text(&mut payload, controllers);
        push_text(&mut payload, path);
    }
    frame::encode(STARTED, &payload)
}

/// One of the program's output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    #[allow(missing_docs)]
    Stdout,
    #[allow(missing_docs)]
    Stderr,
}

/// What comes in front of `length` bytes of output.
pub fn output_header(stream: OutputStream, length: u32) -> [u8; HEADER] {
    let tag = match stream {
        OutputStream::Stdout => STDOUT,
        OutputStream::Stderr => STDERR,
    };
    frame::header(tag, length)
}

pub(crate) fn input_ack(written: u32, dropped: u32) -> Vec<u8> {
    let payload = [written.to_be_bytes(), dropped.to_be_bytes()].concat();
    frame::encode(INPUT_ACK, &payload)
}

pub(crate) fn exited(report: &Report) -> Vec<u8> {
    frame::encode(EXITED, &report.payload())
}

pub(crate) fn failed(failure: &Failure) -> Vec<u8> {
    let mut payload = Vec::new();
    push_failure(&mut payload, failure);
    frame::encode(FAILED, &payload)
}

/// ANSWER or REFUSED, for the CGROUP frame with the number `request`.
pub(crate) fn reply(request: u32, result: &Result<Values, Failure>) -> Vec<u8> {
    let mut payload = request.to_be_bytes().to_vec();
    match result {
        Ok(values) => {
            for (name, value) in values {
                push_text(&mut payload, name);
                push_long(&mut payload, value.as_bytes());
            }
            frame::encode(ANSWER, &payload)
        }
        Err(failure) => {
            push_failure(&mut payload, failure);
            frame::encode(REFUSED, &payload)
        }
    }
}

pub(crate) fn environment_wanted() -> Vec<u8> {
    frame::encode(ENVIRONMENT_WANTED, &[])
}

/// A datagram of the program.
pub(crate) fn notify(bytes: &[u8]) -> Vec<u8> {
    frame::encode(NOTIFY, bytes)
}

/// The answer to [`Command::AckByReading`].
pub(crate) fn acked_by_reading() -> Vec<u8> {
    frame::encode(ACKED_BY_READING, &[])
}

fn push_failure(payload: &mut Vec<u8>, failure: &Failure) {
    payload.push(failure.exit_status);
    payload.extend_from_slice(&unsigned(failure.errno).to_be_bytes());
    push_text(payload, failure.step.name());
    push_bytes(payload, failure.path.as_os_str().as_bytes());
    push_text(payload, &failure.message);
    push_text(payload, &failure.advice);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(tag: u8, payload: &[u8]) -> Result<Command<'_>, Violation> {
        Command::parse(Frame { tag, payload })
    }

    #[test]
    fn every_command_is_understood() {
        let cgroup = |action| {
            Command::Cgroup(CgroupCommand {
                action,
                request: 9,
                fields: b"x",
            })
        };
        let hello = Hello {
            protocol: 2,
            token: b"token",
        };
        let request = &[0, 0, 0, 9, b'x'];
        let usage = Command::Usage {
            request: 9,
            fields: b"x",
        };
        let all: [(u8, &[u8], Command<'_>); 16] = [
            (ACK, &[0, 0, 1, 2], Command::Ack(258)),
            (SIGNAL, &[10], Command::Signal(10)),
            (STOP, &[], Command::Stop),
            (INPUT, b"hi", Command::Input(b"hi")),
            (INPUT, b"", Command::Input(b"")),
            (INPUT_EOF, &[], Command::InputEof),
            (DISCARD, &[], Command::Discard),
            (ACK_BY_READING, &[], Command::AckByReading),
            (HELLO, b"\0\x02token", Command::Hello(hello)),
            (
                RESIZE,
                &[0, 24, 1, 4],
                Command::Resize {
                    rows: 24,
                    cols: 260,
                },
            ),
            (CGROUP_GET, request, cgroup(Action::Get)),
            (CGROUP_SET, request, cgroup(Action::Set)),
            (CGROUP_STATISTICS, request, cgroup(Action::Statistics)),
            (CGROUP_CONFIG, request, cgroup(Action::Config)),
            (CGROUP_CLEAN, request, cgroup(Action::Clean)),
            (USAGE, request, usage),
        ];
        for (tag, payload, command) in all {
            assert_eq!(parse(tag, payload), Ok(command));
        }
    }

    #[test]
    fn malformed_frames_are_refused() {
        for tag in [0x00, 0x81] {
            assert_eq!(parse(tag, &[]), Err(Violation::UnknownTag(tag)));
        }
        let bad: [(u8, &[u8]); 11] = [
            (ACK, &[1, 2, 3]),
            (ACK, &[1, 2, 3, 4, 5]),
            (SIGNAL, &[0]),
            (SIGNAL, &[65]),
            (STOP, &[0]),
            (INPUT_EOF, &[0]),
            (DISCARD, &[0]),
            (ACK_BY_READING, &[0]),
            (HELLO, &[0]),
            (RESIZE, &[0, 24, 1]),
            (CGROUP_GET, &[0, 0, 0]),
        ];
        for (tag, payload) in bad {
            assert_eq!(parse(tag, payload), Err(Violation::BadPayload(tag)));
        }
    }

    #[test]
    fn an_answer_has_names_and_texts() {
        let values = vec![("a".to_string(), "xy".to_string())];
        let payload = b"\0\0\0\x09\0\x01a\0\0\0\x02xy";
        assert_eq!(reply(9, &Ok(values)), frame::encode(ANSWER, payload));
        assert_eq!(reply(9, &Ok(vec![])), frame::encode(ANSWER, &payload[..4]));
    }

    #[test]
    fn failed_says_all() {
        let failure = Failure::new(Step::Cd, "m").errno(2).path("/p").advice("a");
        assert_eq!(
            failed(&failure),
            b"\0\0\0\x14\x86\x7d\0\0\0\x02\0\x02cd\0\x02/p\0\x01m\0\x01a"
        );
    }

    #[test]
    fn another_version_is_told_both_numbers() {
        let failure = check_protocol(3).unwrap_err();
        assert_eq!(failure.step, Step::Version);
        assert!(failure.message.contains("protocol 2") && failure.message.contains("protocol 3"));
    }
}
