// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Bytes that were read from a pipe and wait to be sent.
//!
//! A pipe is read until it is empty, not one frame at a time, unless the owner is quick. Each read from a full pipe
//! wakes the program, which would fill the little room that a frame leaves, and sleep again.

use crate::sys;
use nix::Result;
use std::os::fd::AsFd;

/// The capacity of a pipe, unless it is changed: pipe(7).
const PIPE_SIZE: usize = 64 * 1024;

/// The capacity of the pipe of a program that fills the usual one twice in a row.
///
/// Not of all: what one user's pipes may hold together is limited (64 MiB, pipe(7)), and few programs
/// write that much.
const LARGE_PIPE_SIZE: usize = 256 * 1024;

/// The largest packet of a pipe that a program has opened with `O_DIRECT`, which cannot be seen at this end. What a read has
/// no room for is lost: pipe(2).
pub(super) const PACKET_SIZE: usize = 4096;

/// The buffer until this much has come at once. Few programs write more, and a large buffer costs a small program
/// page faults.
const SMALL_SIZE: usize = PACKET_SIZE;

#[derive(Debug)]
pub(super) struct ReadAhead {
    bytes: Vec<u8>,
    taken: usize,
    capacity: usize,
    /// Whether the last read found a full pipe.
    was_full: bool,
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            taken: 0,
            capacity: PIPE_SIZE,
            was_full: false,
        }
    }
}

impl ReadAhead {
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// How many bytes `fill` would read at the most.
    pub(super) fn room(&self) -> usize {
        self.capacity - self.waiting().len()
    }

    /// Whether no packet would be cut.
    pub(super) fn has_room(&self) -> bool {
        self.room() >= PACKET_SIZE
    }

    /// Reads at most `limit` bytes behind those that wait, and returns how many came: 0 at the end of file, if
    /// neither `limit` nor the room was 0.
    pub(super) fn fill(&mut self, fd: &impl AsFd, limit: usize) -> Result<usize> {
        let count = self.read(fd, limit)?;
        let is_full = count >= PIPE_SIZE;
        if is_full && self.was_full && self.capacity < LARGE_PIPE_SIZE {
            self.capacity = LARGE_PIPE_SIZE;
            // It is refused when the user has too many pipes. Then output is slower.
            let _ = sys::resize_pipe(fd, LARGE_PIPE_SIZE);
        }
        self.was_full = is_full;
        Ok(count)
    }

    fn read(&mut self, fd: &impl AsFd, limit: usize) -> Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let limit = limit.min(self.room());
        let mut count = 0;
        if self.bytes.capacity() < PIPE_SIZE && self.bytes.is_empty() {
            self.bytes.reserve_exact(SMALL_SIZE);
            count = sys::read_to_spare(fd, &mut self.bytes, limit.min(SMALL_SIZE))?;
            if count < SMALL_SIZE {
                return Ok(count);
            }
        }
        self.bytes.reserve_exact(self.capacity - self.bytes.len());
        match sys::read_to_spare(fd, &mut self.bytes, limit - count) {
            // The bytes that were read are returned first. The next read fails again.
            Err(_) if count > 0 => Ok(count),
            result => Ok(count + result?),
        }
    }

    /// Drops the first `count` bytes.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        debug_assert!(self.taken <= self.bytes.len());
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
    }

    /// Frees the buffer once it is empty, if it is larger than usual.
    pub(super) fn shrink(&mut self) {
        if self.waiting().is_empty() && self.bytes.capacity() > PIPE_SIZE {
            self.bytes = Vec::new();
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::File;
    use std::io::Write;

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let (reader, writer) = sys::pipe().unwrap();
        let mut writer = File::from(writer);
        let mut read_ahead = ReadAhead::default();
        writer.write_all(&vec![1; 60_000]).unwrap();
        assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(60_000));
        assert_eq!(read_ahead.room(), PIPE_SIZE - 60_000);
        read_ahead.take(10);
        writer.write_all(&[2; 6_000]).unwrap();
        assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(PIPE_SIZE - 59_990));
        assert_eq!(read_ahead.room(), 0);
        read_ahead.clear();
        drop(writer);
        assert_eq!(
            read_ahead.fill(&reader, usize::MAX),
            Ok(6_000 - (PIPE_SIZE - 59_990))
        );
        assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_that_is_full_twice_becomes_a_large_one_and_its_memory_is_given_back() {
        let (reader, writer) = sys::pipe().unwrap();
        let mut writer = File::from(writer);
        let mut read_ahead = ReadAhead::default();
        for _ in 0..2 {
            assert_eq!(read_ahead.room(), PIPE_SIZE);
            writer.write_all(&vec![1; PIPE_SIZE]).unwrap();
            assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(PIPE_SIZE));
            read_ahead.take(PIPE_SIZE);
        }
        writer.write_all(&vec![2; LARGE_PIPE_SIZE]).unwrap();
        assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(LARGE_PIPE_SIZE));
        read_ahead.shrink();
        assert_eq!(read_ahead.waiting().len(), LARGE_PIPE_SIZE);
        read_ahead.take(LARGE_PIPE_SIZE);
        read_ahead.shrink();
        assert_eq!(read_ahead.bytes.capacity(), 0);
    }

    proptest! {
        #[test]
        fn whatever_the_steps_the_bytes_stay_in_order(
            steps in proptest::collection::vec((0usize..3000, 1usize..5000, 0usize..4000), 1..60),
        ) {
            let (reader, writer) = sys::pipe().unwrap();
            crate::reactor::set_nonblocking(&reader).unwrap();
            let mut writer = File::from(writer);
            let (mut read_ahead, mut written, mut taken) = (ReadAhead::default(), 0usize, 0usize);
            let byte = |position: usize| u8::try_from(position % 251).unwrap();
            for (write, limit, take) in steps {
                // More than this might block.
                if written - taken < 50_000 {
                    let bytes: Vec<u8> = (written..written + write).map(byte).collect();
                    writer.write_all(&bytes).unwrap();
                    written += write;
                }
                let _ = read_ahead.fill(&reader, limit);
                let take = take.min(read_ahead.waiting().len());
                prop_assert!(read_ahead.waiting().iter().copied().eq((taken..).map(byte).take(read_ahead.waiting().len())));
                read_ahead.take(take);
                taken += take;
            }
        }
    }
}
