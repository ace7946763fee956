// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Protocol errors.

use crate::error::{Failure, Step};
use std::fmt;

/// What a client sent and the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// With the length, and the limit.
    FrameTooLong(usize, usize),
    /// A frame without a tag.
    EmptyFrame,
    UnknownTag(u8),
    /// A frame with this tag has a payload of the wrong size, or a value out of range.
    BadPayload(u8),
    /// A frame with this tag may not come now.
    Unexpected(u8),
    /// An ACK of more bytes than were in flight.
    AckOverrun {
        acked: u32,
        in_flight: u32,
    },
    /// More unacknowledged INPUT than this many bytes.
    InputOverrun(usize),
    /// INPUT after `INPUT_EOF`.
    InputAfterEof,
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
            Self::Unexpected(tag) => write!(f, "a frame {tag:#04x}, which may not come now"),
            Self::AckOverrun { acked, in_flight } => write!(
                f,
                "an acknowledgement of {acked} bytes while {in_flight} were in flight"
            ),
            Self::InputOverrun(limit) => {
                write!(f, "more than {limit} bytes of unacknowledged input")
            }
            Self::InputAfterEof => write!(f, "input after the end of input"),
        }
    }
}

/// Before the program runs, a violation is answered with FAILED.
impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        let message = format!("protocol error: the owner sent {violation}");
        Self::new(Step::Protocol, message)
    }
}
