// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The bytes of the framed protocol: `docs/protocol.md`. No other file of the helper knows them.

use crate::error::Failure;
use crate::process::reap::Ending;
use crate::wire::cgroup::Action;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// The number of the protocol.
pub const PROTOCOL: u16 = 2;

/// The longest frame, in bytes, that the helper accepts; tag included, length excluded.
pub const MAX_FRAME: usize = 1 << 20;

/// The same until START: more than the arguments and the environment of a program may have, which is
/// 6 MiB at the most (execve(2)).
pub const MAX_START: usize = 8 << 20;

/// INPUT bytes that may be unacknowledged at any time.
pub const INPUT_WINDOW: usize = 1 << 20;

/// Room that a STDOUT or STDERR frame needs in front of its payload.
pub const DATA_HEADER: usize = 5;

const ACK: u8 = 0x01;
const SIGNAL: u8 = 0x02;
const STOP: u8 = 0x03;
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
const STARTED: u8 = 0x81;
const STDOUT: u8 = 0x82;
const STDERR: u8 = 0x83;
const INPUT_ACK: u8 = 0x84;
const EXITED: u8 = 0x85;
const FAILED: u8 = 0x86;
const ANSWER: u8 = 0x87;
const REFUSED: u8 = 0x88;
const ENVIRONMENT_WANTED: u8 = 0x89;

const MAX_SIGNAL: u8 = 64;

/// What the owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// This many output bytes were handled.
    Ack(u32),
    /// Send this signal number to the program.
    Signal(u8),
    /// Stop the program.
    Stop,
    /// Bytes for the program's stdin.
    Input(&'a [u8]),
    /// No more input.
    InputEof,
    /// Throw away all further output.
    Discard,
    /// The owner's protocol and what it has to show.
    Hello {
        /// The number of its protocol.
        protocol: u16,
        /// The token.
        token: &'a [u8],
    },
    /// Run a program, with these fields.
    Start(&'a [u8]),
    /// Do something to a cgroup.
    Cgroup {
        /// What to do.
        action: Action,
        /// The number that the owner gave to it.
        request: u32,
        /// About which, and how.
        fields: &'a [u8],
    },
}

/// The owner sent what the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A frame of this many bytes, and the limit.
    FrameTooLong(usize, usize),
    /// A frame without a tag.
    EmptyFrame,
    /// A tag nobody knows.
    UnknownTag(u8),
    /// A payload of the wrong size or with a value out of range.
    BadPayload(u8),
    /// An ACK of more than what is in flight.
    AckOverrun(crate::stream::window::Overrun),
    /// More unacknowledged INPUT than [`INPUT_WINDOW`].
    InputOverrun,
    /// INPUT after `INPUT_EOF`.
    InputAfterEof,
    /// A frame that may not come now.
    Unexpected(u8),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameTooLong(bytes, limit) => {
                write!(f, "a frame of {bytes} bytes; the limit is {limit}")
            }
            Self::EmptyFrame => write!(f, "a frame without a tag"),
            Self::UnknownTag(tag) => write!(f, "a frame with the unknown tag {tag:#04x}"),
            Self::BadPayload(tag) => write!(f, "a frame {tag:#04x} with a malformed payload"),
            Self::AckOverrun(overrun) => write!(
                f,
                "an acknowledgement of {} bytes while {} were in flight",
                overrun.acked, overrun.in_flight
            ),
            Self::InputOverrun => {
                write!(f, "more than {INPUT_WINDOW} bytes of unacknowledged input")
            }
            Self::InputAfterEof => write!(f, "input after the end of input"),
            Self::Unexpected(tag) => write!(f, "a frame {tag:#04x}, which may not come now"),
        }
    }
}

/// Takes bytes as they come and gives whole frames.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::limited(MAX_FRAME)
    }
}

impl Decoder {
    /// For frames of at most this many bytes.
    pub fn limited(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            limit,
        }
    }

    /// From here on, frames have at most this many bytes. Gives back memory that larger ones needed.
    pub fn limit(&mut self, limit: usize) {
        self.buffer.drain(..self.start);
        self.buffer.shrink_to_fit();
        self.start = 0;
        self.limit = limit;
    }

    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > MAX_FRAME {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes wait.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Whether STOP is among the whole commands that wait.
    pub fn asks_to_stop(&self) -> bool {
        let mut rest = &self.buffer[self.start..];
        while let Some((header, frames)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*header) as usize;
            match frames.split_at_checked(length) {
                Some(([STOP], _)) => return true,
                Some((_, frames)) => rest = frames,
                None => return false,
            }
        }
        false
    }

    /// The next whole command, or `None` until more bytes were pushed.
    pub fn next_command(&mut self) -> Result<Option<Command<'_>>, Violation> {
        self.next_frame()?.map(parse).transpose()
    }

    /// The next whole frame, its tag first, or `None` until more bytes were pushed.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, Violation> {
        let rest = &self.buffer[self.start..];
        let Some((header, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > self.limit {
            return Err(Violation::FrameTooLong(length, self.limit));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let from = self.start + header.len();
        self.start = from + length;
        Ok(Some(&self.buffer[from..self.start]))
    }
}

fn parse(frame: &[u8]) -> Result<Command<'_>, Violation> {
    let (&tag, payload) = frame.split_first().ok_or(Violation::EmptyFrame)?;
    match (tag, payload) {
        (ACK, &[a, b, c, d]) => Ok(Command::Ack(u32::from_be_bytes([a, b, c, d]))),
        (SIGNAL, &[number @ 1..=MAX_SIGNAL]) => Ok(Command::Signal(number)),
        (STOP, []) => Ok(Command::Stop),
        (INPUT, bytes) => Ok(Command::Input(bytes)),
        (INPUT_EOF, []) => Ok(Command::InputEof),
        (DISCARD, []) => Ok(Command::Discard),
        (HELLO, [a, b, token @ ..]) => Ok(Command::Hello {
            protocol: u16::from_be_bytes([*a, *b]),
            token,
        }),
        (START, fields) => Ok(Command::Start(fields)),
        (ACK | SIGNAL | STOP | INPUT_EOF | DISCARD | HELLO, _) => Err(Violation::BadPayload(tag)),
        _ => parse_cgroup(tag, payload),
    }
}

fn parse_cgroup(tag: u8, payload: &[u8]) -> Result<Command<'_>, Violation> {
    let action = match tag {
        CGROUP_GET => Action::Get,
        CGROUP_SET => Action::Set,
        CGROUP_STATISTICS => Action::Statistics,
        CGROUP_CONFIG => Action::Config,
        CGROUP_CLEAN => Action::Clean,
        _ => return Err(Violation::UnknownTag(tag)),
    };
    let (request, fields) = payload
        .split_first_chunk()
        .ok_or(Violation::BadPayload(tag))?;
    Ok(Command::Cgroup {
        action,
        request: u32::from_be_bytes(*request),
        fields,
    })
}

impl Command<'_> {
    /// The violation that this is where it may not come.
    pub fn out_of_place(self) -> Violation {
        Violation::Unexpected(match self {
            Self::Ack(_) => ACK,
            Self::Signal(_) => SIGNAL,
            Self::Stop => STOP,
            Self::Input(_) => INPUT,
            Self::InputEof => INPUT_EOF,
            Self::Discard => DISCARD,
            Self::Hello { .. } => HELLO,
            Self::Start(_) => START,
            Self::Cgroup { action, .. } => match action {
                Action::Get => CGROUP_GET,
                Action::Set => CGROUP_SET,
                Action::Statistics => CGROUP_STATISTICS,
                Action::Config => CGROUP_CONFIG,
                Action::Clean => CGROUP_CLEAN,
            },
        })
    }
}

/// Which of the program's output streams a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Its stdout.
    Stdout,
    /// Its stderr.
    Stderr,
}

/// Fills in the header of an output frame with `length` payload bytes.
pub fn data_header(stream: OutputStream, length: u32) -> [u8; DATA_HEADER] {
    let [a, b, c, d] = (length + 1).to_be_bytes();
    let tag = match stream {
        OutputStream::Stdout => STDOUT,
        OutputStream::Stderr => STDERR,
    };
    [a, b, c, d, tag]
}

/// Everything an EXITED frame says. Times in microseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, clippy::struct_excessive_bools)] // one line each in docs/protocol.md
pub struct Report {
    pub ending: Ending,
    pub core_dumped: bool,
    pub oom_killed: bool,
    pub stopped: bool,
    pub needed_sigkill: bool,
    pub cgroup_left: bool,
    pub user_us: u64,
    pub system_us: u64,
    pub peak_rss: u64,
    pub wall_us: u64,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub swept: u32,
    pub survivors: u32,
    pub cgroup_peak: Option<u64>,
}

/// An EXITED frame.
pub fn exited(report: &Report) -> Vec<u8> {
    let (how, code) = match report.ending {
        Ending::Exited(code) => (0, code),
        Ending::Signaled(number) => (1, number),
    };
    let flags = [
        report.core_dumped,
        report.oom_killed,
        report.stopped,
        report.needed_sigkill,
        report.cgroup_left,
    ];
    let flags = flags
        .iter()
        .rev()
        .fold(0u8, |bits, &flag| bits << 1 | u8::from(flag));
    let mut payload = vec![how, code, flags];
    for number in [
        report.user_us,
        report.system_us,
        report.peak_rss,
        report.wall_us,
        report.stdout_bytes,
        report.stderr_bytes,
    ] {
        payload.extend_from_slice(&number.to_be_bytes());
    }
    payload.extend_from_slice(&report.swept.to_be_bytes());
    payload.extend_from_slice(&report.survivors.to_be_bytes());
    payload.extend_from_slice(&report.cgroup_peak.unwrap_or(u64::MAX).to_be_bytes());
    frame(EXITED, &payload)
}

/// What STARTED says.
#[derive(Clone, Copy, Debug)]
pub struct Started<'a> {
    /// The session's own pid.
    pub session: i32,
    /// The program's.
    pub program: i32,
    /// When the program started, in clock ticks since boot; 0 if that is not known.
    pub start_time: u64,
    /// Pairs of controllers and path.
    pub directories: &'a [(String, String)],
}

/// A STARTED frame.
pub fn started(started: &Started<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend_from_slice(&unsigned(started.session).to_be_bytes());
    payload.extend_from_slice(&unsigned(started.program).to_be_bytes());
    payload.extend_from_slice(&started.start_time.to_be_bytes());
    for (controllers, path) in started.directories {
        push_text(&mut payload, controllers);
        push_text(&mut payload, path);
    }
    frame(STARTED, &payload)
}

/// An `INPUT_ACK` frame.
pub fn input_ack(written: u32, dropped: u32) -> Vec<u8> {
    let payload = [written.to_be_bytes(), dropped.to_be_bytes()].concat();
    frame(INPUT_ACK, &payload)
}

/// A FAILED frame.
pub fn failed(failure: &Failure) -> Vec<u8> {
    let mut payload = Vec::new();
    push_failure(&mut payload, failure);
    frame(FAILED, &payload)
}

fn push_failure(payload: &mut Vec<u8>, failure: &Failure) {
    payload.push(failure.exit_status);
    payload.extend_from_slice(&unsigned(failure.errno).to_be_bytes());
    push_text(payload, failure.step.name());
    push_bytes(payload, failure.path.as_os_str().as_bytes());
    push_text(payload, &failure.message);
    push_text(payload, &failure.advice);
}

/// What became of the CGROUP frame with this number: ANSWER or REFUSED.
pub fn reply(request: u32, result: &Result<Vec<(String, String)>, Failure>) -> Vec<u8> {
    let mut payload = request.to_be_bytes().to_vec();
    match result {
        Ok(values) => {
            for (name, value) in values {
                push_text(&mut payload, name);
                push_long(&mut payload, value);
            }
            frame(ANSWER, &payload)
        }
        Err(failure) => {
            push_failure(&mut payload, failure);
            frame(REFUSED, &payload)
        }
    }
}

/// An `ENVIRONMENT_WANTED` frame.
pub fn environment_wanted() -> Vec<u8> {
    frame(ENVIRONMENT_WANTED, &[])
}

/// Pids and errnos are never negative.
pub fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// A whole frame. Its payload has less than 4 GiB.
pub fn frame(tag: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(4 + payload.len() + 1);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.push(tag);
    bytes.extend_from_slice(payload);
    bytes
}

/// Appends a text that may be longer than a `str`.
fn push_long(payload: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(text.as_bytes());
}

/// Appends a `str`: texts over 65,535 bytes are cut, at a character's edge.
pub fn push_text(payload: &mut Vec<u8>, text: &str) {
    let mut length = text.len().min(u16::MAX.into());
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    push_bytes(payload, &text.as_bytes()[..length]);
}

/// Appends a `str` of any bytes.
pub fn push_bytes(payload: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    payload.extend_from_slice(&length.to_be_bytes());
    payload.extend_from_slice(&bytes[..length.into()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Step;
    use proptest::prelude::*;

    fn bytes_of(tag: u8, payload: &[u8]) -> Vec<u8> {
        frame(tag, payload)
    }

    fn decode_all(bytes: &[u8]) -> Result<Vec<String>, Violation> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        let mut commands = Vec::new();
        while let Some(command) = decoder.next_command()? {
            commands.push(format!("{command:?}"));
        }
        Ok(commands)
    }

    #[test]
    fn every_command_is_understood() {
        let all = [
            bytes_of(ACK, &[0, 0, 1, 2]),
            bytes_of(SIGNAL, &[10]),
            bytes_of(STOP, &[]),
            bytes_of(INPUT, b"hi"),
            bytes_of(INPUT, b""),
            bytes_of(INPUT_EOF, &[]),
            bytes_of(DISCARD, &[]),
        ]
        .concat();
        assert_eq!(
            decode_all(&all).unwrap(),
            [
                "Ack(258)",
                "Signal(10)",
                "Stop",
                "Input([104, 105])",
                "Input([])",
                "InputEof",
                "Discard"
            ]
        );
    }

    #[test]
    fn malformed_frames_are_refused() {
        let cases: [(Vec<u8>, Violation); 9] = [
            (vec![0, 0, 0, 0], Violation::EmptyFrame),
            (bytes_of(0x00, &[]), Violation::UnknownTag(0)),
            (bytes_of(0x81, &[]), Violation::UnknownTag(0x81)),
            (bytes_of(ACK, &[1, 2, 3]), Violation::BadPayload(ACK)),
            (bytes_of(SIGNAL, &[0]), Violation::BadPayload(SIGNAL)),
            (bytes_of(SIGNAL, &[65]), Violation::BadPayload(SIGNAL)),
            (bytes_of(STOP, &[0]), Violation::BadPayload(STOP)),
            (
                vec![0, 16, 0, 1, ACK],
                Violation::FrameTooLong(MAX_FRAME + 1, MAX_FRAME),
            ),
            (
                vec![0xff, 0xff, 0xff, 0xff],
                Violation::FrameTooLong(u32::MAX as usize, MAX_FRAME),
            ),
        ];
        for (bytes, violation) in cases {
            assert_eq!(decode_all(&bytes), Err(violation), "{bytes:?}");
        }
    }

    #[test]
    fn the_longest_frame_is_accepted() {
        let bytes = bytes_of(INPUT, &vec![7; MAX_FRAME - 1]);
        assert_eq!(decode_all(&bytes).unwrap().len(), 1);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut payload = Vec::new();
        push_text(&mut payload, &"é".repeat(40_000));
        assert_eq!(payload.len(), 2 + 65_534);
    }

    #[test]
    fn an_answer_has_names_and_texts() {
        let values = vec![("a".to_string(), "xy".to_string())];
        let payload = b"\0\0\0\x09\0\x01a\0\0\0\x02xy";
        assert_eq!(reply(9, &Ok(values)), bytes_of(ANSWER, payload));
        assert_eq!(reply(9, &Ok(vec![])), bytes_of(ANSWER, &payload[..4]));
    }

    #[test]
    fn failed_says_all() {
        let failure = Failure::new(Step::Cd, "m").errno(2).path("/p").advice("a");
        assert_eq!(
            failed(&failure),
            b"\0\0\0\x14\x86\x7d\0\0\0\x02\0\x02cd\0\x02/p\0\x01m\0\x01a"
        );
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_commands(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20),
            sizes in proptest::collection::vec(1usize..17, 1..200),
        ) {
            let all: Vec<u8> = payloads.iter().flat_map(|p| bytes_of(INPUT, p)).collect();
            let mut decoder = Decoder::default();
            let mut seen: Vec<Vec<u8>> = Vec::new();
            let mut rest = &all[..];
            for size in sizes.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*size).min(rest.len()));
                rest = later;
                decoder.push(now);
                while let Some(Command::Input(bytes)) = decoder.next_command().unwrap() {
                    seen.push(bytes.to_vec());
                }
            }
            prop_assert_eq!(seen, payloads);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_all(&bytes);
        }
    }
}
