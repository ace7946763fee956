// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frames to a client of a fork server, from sessions and from the fork server itself.

use crate::frames::{self, Failed, Frame};
use std::io::Read;

/// A frame from a session or a fork server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ended {
        connection: u64,
        pid: i32,
        how: u8,
        code: u8,
        swept: u32,
        survivors: u32,
    },
    Counts(Vec<u64>),
    Reply(u32, Vec<(String, String)>),
    Refused(u32, Failed),
    EnvironmentWanted,
    Frame(Frame),
}

/// The next frame, tag first; `None` at the end of the stream. `bytes` keeps what was read too much.
pub fn read_frame(stream: &mut impl Read, bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(header) = bytes.first_chunk::<4>() {
            let end = 4 + u32::from_be_bytes(*header) as usize;
            if bytes.len() >= end {
                let rest = bytes.split_off(end);
                return Some(std::mem::replace(bytes, rest).split_off(4));
            }
        }
        let mut buffer = [0; 16_384];
        // A reset connection has ended, too.
        let count = stream.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            assert!(bytes.is_empty(), "the last frame is cut short");
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

pub fn parse(whole: &[u8]) -> Answer {
    let mut fields = frames::Fields(&whole[1..]);
    match whole[0] {
        0x87 => {
            let request = fields.u32();
            let mut values = Vec::new();
            while !fields.0.is_empty() {
                values.push((fields.text(), fields.long_text()));
            }
            Answer::Reply(request, values)
        }
        0x88 => Answer::Refused(fields.u32(), fields.failed()),
        0x89 => Answer::EnvironmentWanted,
        0xc2 => Answer::Ended {
            connection: fields.u64(),
            pid: fields.u32().try_into().unwrap(),
            how: fields.u8(),
            code: fields.u8(),
            swept: fields.u32(),
            survivors: fields.u32(),
        },
        0xc3 => {
            let counts = fields.0.chunks(14).zip(1_u16..).map(|(count, number)| {
                assert_eq!(
                    count[..6],
                    [&number.to_be_bytes()[..], &[0, 0, 0, 8]].concat()
                );
                u64::from_be_bytes(count[6..].try_into().unwrap())
            });
            Answer::Counts(counts.collect())
        }
        tag => Answer::Frame(frames::parse(tag, &whole[1..])),
    }
}
