// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The control stream between a fork server and its client.

use super::counts::Counts;
use crate::error::{Failure, Step};
use crate::session::opening::{check_version, violated};
use crate::wire::environment::{self, Given};
use crate::wire::fields::{Row, malformed, one, read};
use crate::wire::frame::{PROTOCOL, Violation, frame, push_bytes, push_text, unsigned};
use std::time::{Duration, Instant};

const CONFIG: u8 = 0x41;
const ENVIRONMENT: u8 = 0x42;
const WATCH: u8 = 0x43;
const COUNT: u8 = 0x44;
const READY: u8 = 0xc1;
const SESSION_ENDED: u8 = 0xc2;
const COUNTS: u8 = 0xc3;

/// Bytes of the token.
pub const TOKEN_SIZE: usize = 32;

/// What the client wants.
#[derive(Debug)]
pub enum Command {
    /// Begin.
    Config(Config),
    /// The environment of sessions from now on.
    Environment(Given),
    /// Say when a session is gone.
    Watch(Watch),
    /// Say how many of everything there were.
    Count,
}

/// Who may connect.
#[derive(Debug, Default)]
pub struct Config {
    /// What clients have to show.
    pub token: Vec<u8>,
    /// The pid of the client.
    pub client: i32,
    /// A fork server that does not answer.
    pub predecessor: Option<i32>,
}

/// A session to say the end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The number of its connection.
    pub connection: u64,
    /// Its pid, or 0.
    pub pid: i32,
    /// How long it may take, in milliseconds; 0 for as long as it likes.
    pub limit_ms: u32,
}

impl Watch {
    /// When the time is up.
    pub fn deadline(&self) -> Option<Instant> {
        let limit = Duration::from_millis(self.limit_ms.into());
        (self.limit_ms > 0)
            .then(|| Instant::now().checked_add(limit))
            .flatten()
    }
}

/// A session that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The number of its connection.
    pub connection: u64,
    /// Its pid, or 0.
    pub pid: i32,
    /// 0: it exited, 1: a signal ended it, 2: that is not known.
    pub how: u8,
    /// Exit status or signal.
    pub code: u8,
    /// Processes that it left and that were killed.
    pub swept: usize,
    /// Processes that it left and that could not be killed.
    pub survivors: usize,
}

/// Reads a frame, of which the first byte is the tag.
pub fn parse(frame: &[u8]) -> Result<Command, Failure> {
    let (&tag, payload) = frame
        .split_first()
        .ok_or_else(|| violated(&Violation::EmptyFrame))?;
    match (tag, payload) {
        (CONFIG, [a, b, fields @ ..]) => {
            check_version(u16::from_be_bytes([*a, *b]))?;
            Ok(Command::Config(config(fields)?))
        }
        (ENVIRONMENT, payload) => Ok(Command::Environment(Given::decode(payload)?)),
        (WATCH, payload) => watch(payload)
            .map(Command::Watch)
            .ok_or_else(|| violated(&Violation::BadPayload(tag))),
        (COUNT, []) => Ok(Command::Count),
        (CONFIG | COUNT, _) => Err(violated(&Violation::BadPayload(tag))),
        _ => Err(violated(&Violation::UnknownTag(tag))),
    }
}

fn config(fields: &[u8]) -> Result<Config, Failure> {
    const TABLE: [Row; 3] = [one(1, "token"), one(2, "client"), one(3, "predecessor")];
    let mut config = Config::default();
    read(fields, &TABLE, |field| {
        let pid = || {
            let number = field.number()?;
            let pid = i32::try_from(number).ok().filter(|&pid| pid > 0);
            pid.ok_or_else(|| malformed(field.name, "it is no pid"))
        };
        match field.name {
            "token" => field.value.clone_into(&mut config.token),
            "client" => config.client = pid()?,
            _ => config.predecessor = Some(pid()?),
        }
        Ok(())
    })?;
    if config.token.len() != TOKEN_SIZE {
        return Err(malformed("token", "it does not have 32 bytes"));
    }
    if config.client == 0 {
        return Err(malformed("client", "it is missing"));
    }
    Ok(config)
}

fn watch(payload: &[u8]) -> Option<Watch> {
    let (connection, rest) = payload.split_first_chunk()?;
    let (pid, rest) = rest.split_first_chunk()?;
    let limit = rest.try_into().ok()?;
    Some(Watch {
        connection: u64::from_be_bytes(*connection),
        pid: i32::try_from(u32::from_be_bytes(*pid)).ok()?,
        limit_ms: u32::from_be_bytes(limit),
    })
}

/// A READY frame, with the environment of this process.
pub fn ready(address: &[u8]) -> Vec<u8> {
    let mut payload = PROTOCOL.to_be_bytes().to_vec();
    let me = nix::unistd::getpid().as_raw();
    payload.extend_from_slice(&unsigned(me).to_be_bytes());
    push_text(&mut payload, env!("CARGO_PKG_VERSION"));
    push_bytes(&mut payload, address);
    environment::push_own(&mut payload);
    frame(READY, &payload)
}

/// A `SESSION_ENDED` frame.
pub fn session_ended(ended: &Ended) -> Vec<u8> {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let mut payload = ended.connection.to_be_bytes().to_vec();
    payload.extend_from_slice(&unsigned(ended.pid).to_be_bytes());
    payload.extend_from_slice(&[ended.how, ended.code]);
    payload.extend_from_slice(&count(ended.swept));
    payload.extend_from_slice(&count(ended.survivors));
    frame(SESSION_ENDED, &payload)
}

/// A COUNTS frame.
pub fn counts(counts: &Counts, sessions: usize) -> Vec<u8> {
    let values = [
        counts.accepted,
        counts.refused_pid,
        counts.refused_uid,
        sessions as u64,
        counts.lost,
        counts.swept,
        counts.continued,
    ];
    let mut payload = Vec::new();
    for (number, value) in (1_u16..).zip(values) {
        payload.extend_from_slice(&number.to_be_bytes());
        payload.extend_from_slice(&8_u32.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame(COUNTS, &payload)
}

/// A frame that may not come now.
pub fn out_of_place() -> Failure {
    Failure::new(
        Step::Protocol,
        "protocol error: CONFIG has to come first, and only once",
    )
}

/// Says that the fork server cannot do its work.
pub fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Step::Spawn, format!("the fork server cannot {what}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config_frame(protocol: u16, fields: &[(u16, &[u8])]) -> Vec<u8> {
        let mut frame = vec![CONFIG];
        frame.extend_from_slice(&protocol.to_be_bytes());
        for (number, value) in fields {
            frame.extend_from_slice(&number.to_be_bytes());
            frame.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            frame.extend_from_slice(value);
        }
        frame
    }

    #[test]
    fn a_configuration_has_a_token_and_a_client() {
        let client = (2, &7_u32.to_be_bytes()[..]);
        let token = (1, &[9; 32][..]);
        match parse(&config_frame(PROTOCOL, &[token, client])).unwrap() {
            Command::Config(config) => assert_eq!((config.client, config.predecessor), (7, None)),
            other => panic!("{other:?}"),
        }
        for fields in [&[token][..], &[client], &[client, (1, &[9; 31])]] {
            let failure = parse(&config_frame(PROTOCOL, fields)).unwrap_err();
            assert_eq!(failure.step, Step::Options);
        }
    }

    #[test]
    fn another_version_is_told_both_numbers() {
        let failure = parse(&config_frame(3, &[])).unwrap_err();
        assert_eq!(failure.step, Step::Version);
        assert!(failure.message.contains("protocol 2") && failure.message.contains("protocol 3"));
    }

    #[test]
    fn nonsense_is_a_protocol_error() {
        for frame in [
            &[][..],
            &[0x40],
            &[WATCH],
            &[WATCH; 18],
            &[COUNT, 0],
            &[CONFIG, 0],
        ] {
            assert_eq!(parse(frame).unwrap_err().step, Step::Protocol, "{frame:?}");
        }
    }

    #[test]
    fn a_watch_names_a_connection() {
        let frame = [
            &[WATCH][..],
            &[0, 0, 0, 0, 0, 0, 0, 5],
            &[0, 0, 0, 6],
            &[0, 0, 0, 7],
        ]
        .concat();
        let expected = Watch {
            connection: 5,
            pid: 6,
            limit_ms: 7,
        };
        match parse(&frame).unwrap() {
            Command::Watch(watch) => assert_eq!(watch, expected),
            other => panic!("{other:?}"),
        }
    }
}
