// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Bytes that were read from a pipe and wait to be sent.
//!
//! A pipe is read until it is empty, not one frame at a time. Each read from a full pipe wakes the program, which would
//! fill the little room that a frame leaves, and sleep again.

use crate::sys;
use nix::Result;
use nix::sys::uio::readv;
use std::io::IoSliceMut;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

/// The capacity of a pipe, unless it is changed: pipe(7).
const PIPE_SIZE: usize = 64 * 1024;

/// The capacity of the pipe of a program that fills the usual one twice in a row.
///
/// Not of all: what one user's pipes may hold together is limited (64 MiB, pipe(7)), and few programs
/// write that much. Nor with a small window: while a program on the session's processor fills a large pipe, the owner waits
/// for the next frame.
const LARGE_PIPE_SIZE: usize = 256 * 1024;

/// The buffer until more than this has come at once. Few programs write more, and a large buffer costs a small program
/// page faults.
const SMALL_SIZE: usize = 4096;

/// What does not fit into such a buffer, until there is a larger one. No page of it exists before that.
static SPILL: Mutex<[u8; PIPE_SIZE]> = Mutex::new([0; PIPE_SIZE]);

/// Each read has room for all that the pipe can hold: if the program has opened it with `O_DIRECT`, which cannot be seen at
/// this end, the kernel throws away what a read has no room for, also of a packet that is behind other bytes: pipe(2).
#[derive(Debug)]
pub(super) struct ReadAhead {
    bytes: Vec<u8>,
    taken: usize,
    pipe_size: usize,
    /// How many reads in a row have found a full pipe.
    full_reads: u32,
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            taken: 0,
            pipe_size: PIPE_SIZE,
            full_reads: 0,
        }
    }
}

impl ReadAhead {
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Whether the last read found a full pipe.
    pub(super) fn was_full(&self) -> bool {
        self.full_reads > 0
    }

    /// Reads what is in the pipe behind the bytes that wait, and returns how many came: 0 at the end of file, if
    /// `limit` is not 0.
    ///
    /// A limit has to be where a write ends.
    pub(super) fn fill(&mut self, fd: &impl AsFd, limit: usize) -> Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let has_buffer = !self.bytes.is_empty() || self.bytes.capacity() > SMALL_SIZE;
        let count = if has_buffer || self.pipe_size > PIPE_SIZE {
            self.bytes.reserve_exact(self.pipe_size);
            sys::read_to_spare(fd, &mut self.bytes, limit)?
        } else {
            self.fill_small(fd, limit)?
        };
        self.full_reads = if count >= self.pipe_size {
            self.full_reads.saturating_add(1)
        } else {
            0
        };
        Ok(count)
    }

    fn fill_small(&mut self, fd: &impl AsFd, limit: usize) -> Result<usize> {
        self.bytes.reserve_exact(SMALL_SIZE);
        self.bytes.resize(limit.min(SMALL_SIZE), 0);
        let mut spill = SPILL.lock().unwrap_or_else(PoisonError::into_inner);
        let spill_size = (limit - self.bytes.len()).min(PIPE_SIZE);
        let mut parts = [&mut self.bytes[..], &mut spill[..spill_size]].map(IoSliceMut::new);
        let result = readv(fd, &mut parts);
        let count = *result.as_ref().unwrap_or(&0);
        if let Some(spilled) = count.checked_sub(self.bytes.len()) {
            self.bytes.extend_from_slice(&spill[..spilled]);
            sys::release_pages(&mut spill[..spilled]);
        } else {
            self.bytes.truncate(count);
        }
        result
    }

    /// Makes the pipe a large one if the last two reads found a full one.
    pub(super) fn enlarge_pipe(&mut self, fd: &impl AsFd) {
        if self.full_reads > 1 {
            self.resize_pipe(fd, LARGE_PIPE_SIZE);
        }
    }

    /// The kernel refuses more when the user has too many pipes, and less than is in the pipe.
    fn resize_pipe(&mut self, fd: &impl AsFd, size: usize) {
        if size != self.pipe_size && sys::resize_pipe(fd, size).is_ok() {
            self.pipe_size = size;
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

    /// Frees the buffer once it is empty, if it is larger than usual, and makes the pipe a usual one.
    pub(super) fn shrink(&mut self, fd: Option<&impl AsFd>) {
        if !self.waiting().is_empty() {
            return;
        }
        if self.bytes.capacity() > PIPE_SIZE {
            self.bytes = Vec::new();
            self.taken = 0;
        }
        if let Some(fd) = fd {
            self.resize_pipe(fd, PIPE_SIZE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::File;
    use std::io::Write;

    /// The capacity of a pipe.
    #[cfg(target_os = "linux")]
    fn capacity(fd: &impl AsFd) -> usize {
        let bytes = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETPIPE_SZ).unwrap();
        usize::try_from(bytes).unwrap()
    }

    #[test]
    fn all_that_is_in_the_pipe_is_read_whatever_waits() {
        let (reader, writer) = sys::pipe().unwrap();
        let mut writer = File::from(writer);
        let mut read_ahead = ReadAhead::default();
        for waiting in [0, 60_000] {
            assert_eq!(read_ahead.waiting().len(), waiting);
            writer.write_all(&vec![1; 60_000]).unwrap();
            assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(60_000));
        }
        writer.write_all(&[2; 6_000]).unwrap();
        assert_eq!(read_ahead.fill(&reader, 1_000), Ok(1_000));
        read_ahead.clear();
        drop(writer);
        assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(5_000));
        assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_that_is_full_twice_becomes_a_large_one_and_memory_is_given_back() {
        let (reader, writer) = sys::pipe().unwrap();
        let mut writer = File::from(writer);
        let mut read_ahead = ReadAhead::default();
        for size in [PIPE_SIZE, PIPE_SIZE, LARGE_PIPE_SIZE] {
            assert_eq!(capacity(&reader), size);
            writer.write_all(&vec![1; size]).unwrap();
            assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(size));
            read_ahead.enlarge_pipe(&reader);
            read_ahead.take(size - 1);
            read_ahead.shrink(Some(&reader));
            assert_eq!(read_ahead.waiting(), [1]);
            read_ahead.take(1);
        }
        assert_eq!(capacity(&reader), LARGE_PIPE_SIZE);
        read_ahead.shrink(Some(&reader));
        assert_eq!(read_ahead.bytes.capacity(), 0);
        assert_eq!(capacity(&reader), PIPE_SIZE);
    }

    /// Of a packet, the kernel throws away what a read has no room for.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_packet_is_cut_behind_other_bytes() {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};

        let set = |writer: &File, flags| fcntl(writer, FcntlArg::F_SETFL(flags)).unwrap();
        for others in [1, 4_090, 4_096, 10_000, 12_288, 50_000] {
            let (reader, writer) = sys::pipe().unwrap();
            crate::reactor::set_nonblocking(&reader).unwrap();
            let mut writer = File::from(writer);
            let mut read_ahead = ReadAhead::default();
            let mut written = Vec::new();
            for _ in 0..4 {
                for (flags, size) in [(OFlag::empty(), others), (OFlag::O_DIRECT, 4_096)] {
                    set(&writer, flags);
                    let bytes = vec![u8::try_from(written.len() % 251).unwrap(); size];
                    writer.write_all(&bytes).unwrap();
                    written.extend_from_slice(&bytes);
                }
                while read_ahead.fill(&reader, usize::MAX).is_ok() {}
            }
            assert!(read_ahead.waiting() == written, "{others} bytes");
        }
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
