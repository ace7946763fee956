// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The control stream between a fork server and its client.

use super::counts::Counts;
use crate::error::{Failure, Step};
use crate::sys;
use crate::wire::environment::{self, Given};
use crate::wire::fields::{Field, Row, decode, malformed, one, set, set_some};
use crate::wire::frame::{Frame, encode};
use crate::wire::message::{PROTOCOL, check_protocol};
use crate::wire::payload::{push_bytes, push_field, push_text, unsigned};
use crate::wire::start::CLIENT_DIRECTORY;
use crate::wire::violation::Violation;
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

/// A frame from the client.
#[derive(Debug)]
pub enum Command {
    /// The first frame.
    Config(Config),
    /// The environment of sessions from now on.
    Environment(Given),
    /// Report the end of a session.
    Watch(Watch),
    /// Report the counters.
    Count,
}

/// Who may connect.
#[derive(Debug, Default)]
pub struct Config {
    /// What every connection has to present.
    pub token: Vec<u8>,
    /// The pid of the client.
    pub client: i32,
    /// A fork server that did not answer, and may be stopped.
    pub predecessor: Option<i32>,
}

/// A session whose end is to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The number of its connection.
    pub connection: u64,
    /// Its pid, or 0.
    pub pid: i32,
    /// After this many milliseconds the session is killed; 0 for no limit.
    pub limit_ms: u32,
}

impl Watch {
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
    /// How many processes it left that were killed.
    pub swept: usize,
    /// How many processes it left that could not be killed.
    pub survivors: usize,
}

impl Ended {
    /// The end of a session that is not there.
    pub fn unknown(connection: u64, pid: i32) -> Self {
        Self {
            connection,
            pid,
            how: 2,
            code: 0,
            swept: 0,
            survivors: 0,
        }
    }
}

pub fn parse(frame: Frame<'_>) -> Result<Command, Failure> {
    let Frame { tag, payload } = frame;
    match (tag, payload) {
        (CONFIG, [a, b, fields @ ..]) => {
            check_protocol(u16::from_be_bytes([*a, *b]))?;
            Ok(Command::Config(config(fields)?))
        }
        (ENVIRONMENT, payload) => {
            let given = sys::allocate_from_heap(|| Given::decode(payload))?;
            Ok(Command::Environment(given))
        }
        (WATCH, payload) => watch(payload)
            .map(Command::Watch)
            .ok_or_else(|| Violation::BadPayload(tag).into()),
        (COUNT, []) => Ok(Command::Count),
        (CONFIG | COUNT, _) => Err(Violation::BadPayload(tag).into()),
        _ => Err(Violation::UnknownTag(tag).into()),
    }
}

fn config(fields: &[u8]) -> Result<Config, Failure> {
    const TABLE: [Row<Config>; 3] = [
        one(1, "token", |config, field| {
            set(&mut config.token, Ok(field.value.to_owned()))
        }),
        one(2, "client", |config, field| {
            set(&mut config.client, pid(field))
        }),
        one(3, "predecessor", |config, field| {
            set_some(&mut config.predecessor, pid(field))
        }),
    ];
    let mut config = Config::default();
    decode(fields, &TABLE, &mut config)?;
    if config.token.len() != TOKEN_SIZE {
        return Err(malformed("token", "it does not have 32 bytes"));
    }
    if config.client == 0 {
        return Err(malformed("client", "it is missing"));
    }
    Ok(config)
}

fn pid(field: Field<'_>) -> Result<i32, Failure> {
    let pid = i32::try_from(field.u32()?).ok().filter(|&pid| pid > 0);
    pid.ok_or_else(|| malformed(field.name, "it is no pid"))
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
pub fn ready(address: &[u8], finds_client_directory: bool) -> Vec<u8> {
    let mut payload = PROTOCOL.to_be_bytes().to_vec();
    let me = nix::unistd::getpid().as_raw();
    payload.extend_from_slice(&unsigned(me).to_be_bytes());
    push_text(&mut payload, env!("CARGO_PKG_VERSION"));
    push_bytes(&mut payload, address);
    let finds = u32::from(finds_client_directory).to_be_bytes();
    push_field(&mut payload, CLIENT_DIRECTORY, &finds);
    environment::push_own(&mut payload);
    encode(READY, &payload)
}

/// A `SESSION_ENDED` frame.
pub fn session_ended(ended: &Ended) -> Vec<u8> {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let mut payload = ended.connection.to_be_bytes().to_vec();
    payload.extend_from_slice(&unsigned(ended.pid).to_be_bytes());
    payload.extend_from_slice(&[ended.how, ended.code]);
    payload.extend_from_slice(&count(ended.swept));
    payload.extend_from_slice(&count(ended.survivors));
    encode(SESSION_ENDED, &payload)
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
        push_field(&mut payload, number, &value.to_be_bytes());
    }
    encode(COUNTS, &payload)
}

/// The error for a CONFIG that is missing or comes twice.
pub fn out_of_place() -> Failure {
    Failure::new(
        Step::Protocol,
        "protocol error: CONFIG has to come first, and only once",
    )
}

pub fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Step::Spawn, format!("the fork server cannot {what}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(tag: u8, payload: &[u8]) -> Result<Command, Failure> {
        parse(Frame { tag, payload })
    }

    fn config_payload(protocol: u16, fields: &[(u16, &[u8])]) -> Vec<u8> {
        let mut payload = protocol.to_be_bytes().to_vec();
        for (number, value) in fields {
            push_field(&mut payload, *number, value);
        }
        payload
    }

    #[test]
    fn a_configuration_has_a_token_and_a_client() {
        let client = (2, &7_u32.to_be_bytes()[..]);
        let token = (1, &[9; 32][..]);
        match parsed(CONFIG, &config_payload(PROTOCOL, &[token, client])).unwrap() {
            Command::Config(config) => assert_eq!((config.client, config.predecessor), (7, None)),
            other => panic!("{other:?}"),
        }
        for fields in [&[token][..], &[client], &[client, (1, &[9; 31])]] {
            let failure = parsed(CONFIG, &config_payload(PROTOCOL, fields)).unwrap_err();
            assert_eq!(failure.step, Step::Options);
        }
    }

    #[test]
    fn the_error_about_another_version_names_both_versions() {
        let failure = parsed(CONFIG, &config_payload(3, &[])).unwrap_err();
        assert_eq!(failure.step, Step::Version);
        assert!(failure.message.contains("protocol 2") && failure.message.contains("protocol 3"));
    }

    #[test]
    fn nonsense_is_a_protocol_error() {
        for (tag, payload) in [
            (0x40, &[][..]),
            (WATCH, &[]),
            (WATCH, &[0; 17]),
            (COUNT, &[0]),
            (CONFIG, &[0]),
        ] {
            let failure = parsed(tag, payload).unwrap_err();
            assert_eq!(failure.step, Step::Protocol, "{tag:#x} {payload:?}");
        }
    }

    #[test]
    fn a_watch_names_a_connection() {
        let payload = [&[0, 0, 0, 0, 0, 0, 0, 5][..], &[0, 0, 0, 6], &[0, 0, 0, 7]].concat();
        let expected = Watch {
            connection: 5,
            pid: 6,
            limit_ms: 7,
        };
        match parsed(WATCH, &payload).unwrap() {
            Command::Watch(watch) => assert_eq!(watch, expected),
            other => panic!("{other:?}"),
        }
    }
}
