// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Frames of any kind: a 4-byte length, a 1-byte tag, a payload.

use super::violation::Violation;

/// How many bytes of handled frames to keep in front of an unfinished one. More would not stay in the cache.
const COMPACTED: usize = 64 * 1024;

/// The longest frame that is accepted, in bytes, tag included, length excluded.
pub(crate) const MAX_FRAME: usize = 1 << 20;

/// The same until START: more than the 6 MiB that the arguments and the environment of a program may have
/// (execve(2)).
pub(crate) const MAX_START: usize = 8 << 20;

/// Bytes of the length and the tag.
pub(crate) const HEADER: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub tag: u8,
    pub payload: &'a [u8],
}

/// Encodes a frame. Its payload has less than 4 GiB.
pub(crate) fn encode(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&header(tag, length));
    bytes.extend_from_slice(payload);
    bytes
}

/// What comes in front of `length` bytes of payload.
pub(crate) fn header(tag: u8, length: u32) -> [u8; HEADER] {
    let [a, b, c, d] = length.saturating_add(1).to_be_bytes();
    [a, b, c, d, tag]
}

/// Cuts bytes, as they come, into frames.
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
    /// Accepts frames of at most `limit` bytes.
    pub(crate) fn limited(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            limit,
        }
    }

    /// Changes the limit from the next frame on, and gives back memory that larger frames needed.
    pub(crate) fn limit(&mut self, limit: usize) {
        self.buffer.drain(..self.start);
        self.buffer.shrink_to_fit();
        self.start = 0;
        self.limit = limit;
    }

    /// Gives back all memory. No bytes may wait.
    pub(crate) fn release(&mut self) {
        self.buffer = Vec::new();
        self.start = 0;
    }

    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > COMPACTED {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes wait.
    pub(crate) fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Whether a frame with this tag and an empty payload is among the whole ones that wait.
    pub(crate) fn has_empty(&self, tag: u8) -> bool {
        let mut rest = &self.buffer[self.start..];
        while let Some((header, frames)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*header) as usize;
            match frames.split_at_checked(length) {
                Some((frame, _)) if frame == [tag] => return true,
                Some((_, frames)) => rest = frames,
                None => return false,
            }
        }
        false
    }

    /// The next whole frame, or `None` until more bytes were pushed.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Violation> {
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
        match self.buffer[from..self.start].split_first() {
            Some((&tag, payload)) => Ok(Some(Frame { tag, payload })),
            None => Err(Violation::EmptyFrame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAG: u8 = 0x77;

    fn decode_all(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Violation> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        let mut payloads = Vec::new();
        while let Some(frame) = decoder.next_frame()? {
            payloads.push(frame.payload.to_vec());
        }
        Ok(payloads)
    }

    #[test]
    fn a_frame_has_a_length_that_counts_its_tag() {
        assert_eq!(encode(TAG, b"ab"), b"\0\0\0\x03\x77ab");
        assert_eq!(header(TAG, 2), *b"\0\0\0\x03\x77");
        assert_eq!(decode_all(&encode(TAG, b"ab")).unwrap(), [b"ab"]);
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let cases = [
            ([0, 0, 0, 0], Violation::EmptyFrame),
            (
                [0, 16, 0, 1],
                Violation::FrameTooLong(MAX_FRAME + 1, MAX_FRAME),
            ),
            (
                [0xff; 4],
                Violation::FrameTooLong(u32::MAX as usize, MAX_FRAME),
            ),
        ];
        for (bytes, violation) in cases {
            assert_eq!(decode_all(&bytes), Err(violation), "{bytes:?}");
        }
        let longest = encode(TAG, &vec![7; MAX_FRAME - 1]);
        assert_eq!(decode_all(&longest).unwrap().len(), 1);
    }

    #[test]
    fn an_empty_frame_is_found_behind_others() {
        let mut decoder = Decoder::default();
        decoder.push(&encode(1, b"\0\0\0\x01\x77"));
        decoder.push(&encode(TAG, b"not empty"));
        assert!(!decoder.has_empty(TAG));
        let empty = encode(TAG, b"");
        decoder.push(&empty[..4]);
        assert!(!decoder.has_empty(TAG));
        decoder.push(&empty[4..]);
        assert!(decoder.has_empty(TAG));
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_frames(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20),
            sizes in proptest::collection::vec(1usize..17, 1..200),
        ) {
            let all: Vec<u8> = payloads.iter().flat_map(|payload| encode(TAG, payload)).collect();
            let mut decoder = Decoder::default();
            let mut seen: Vec<Vec<u8>> = Vec::new();
            let mut rest = &all[..];
            for size in sizes.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*size).min(rest.len()));
                rest = later;
                decoder.push(now);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame.payload.to_vec());
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
