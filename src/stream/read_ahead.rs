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

/// The capacity of a pipe with pages of the usual size, unless it is changed: pipe(7).
const PIPE_SIZE: usize = 64 * 1024;

/// The buffer until more than this has come at once. Few programs write more, and a large buffer costs a small program
/// page faults.
const SMALL_SIZE: usize = 4096;

/// What does not fit into such a buffer, until there is a larger one. No page of it exists before that.
static SPILL: Mutex<[u8; PIPE_SIZE]> = Mutex::new([0; PIPE_SIZE]);

/// Each read has room for all that the pipe can hold: if the program has opened it with `O_DIRECT`, which cannot be seen at
/// this end, the kernel throws away what a read has no room for, also of a packet that is behind other bytes: pipe(2).
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    bytes: Vec<u8>,
    taken: usize,
    /// Whether the last read found a full pipe.
    was_full: bool,
}

impl ReadAhead {
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Whether the last read found a full pipe.
    pub(super) fn was_full(&self) -> bool {
        self.was_full
    }

    /// Reads what is in the pipe behind the bytes that wait, and returns how many came: 0 at the end of file, if
    /// `limit` is not 0.
    ///
    /// A limit has to be where a write ends.
    pub(super) fn fill(&mut self, fd: &impl AsFd, limit: usize) -> Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let pipe_size = sys::pipe_size(fd).unwrap_or(PIPE_SIZE);
        let has_buffer = !self.bytes.is_empty() || self.bytes.capacity() > SMALL_SIZE;
        let count = if has_buffer || pipe_size > PIPE_SIZE {
            self.bytes.reserve_exact(pipe_size);
            sys::read_to_spare(fd, &mut self.bytes, limit)?
        } else {
            self.fill_small(fd, limit)?
        };
        self.was_full = count >= pipe_size;
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

    /// Drops the first `count` bytes.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        debug_assert!(self.taken <= self.bytes.len());
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
    }

    /// Frees the buffer once it is empty, if it is larger than a usual pipe.
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

    #[test]
    fn memory_is_given_back() {
        let (reader, writer) = sys::pipe().unwrap();
        let mut writer = File::from(writer);
        let mut read_ahead = ReadAhead::default();
        for _ in 0..2 {
            writer.write_all(&vec![1; PIPE_SIZE]).unwrap();
            assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(PIPE_SIZE));
        }
        read_ahead.take(2 * PIPE_SIZE - 1);
        read_ahead.shrink();
        assert_eq!(read_ahead.waiting(), [1]);
        read_ahead.take(1);
        read_ahead.shrink();
        assert_eq!(read_ahead.bytes.capacity(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_may_enlarge_its_pipe() {
        use nix::fcntl::{FcntlArg, fcntl};

        let (reader, writer) = sys::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(128 * 1024)).unwrap();
        File::from(writer).write_all(&vec![1; 128 * 1024]).unwrap();
        let mut read_ahead = ReadAhead::default();
        assert_eq!(read_ahead.fill(&reader, usize::MAX), Ok(128 * 1024));
        assert!(read_ahead.was_full());
    }

    /// Of a packet, the kernel throws away what a read has no room for.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_packet_is_cut_behind_other_bytes() {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};

        let set = |writer: &File, flags| fcntl(writer, FcntlArg::F_SETFL(flags)).unwrap();
        let usual = [1, 4_090, 4_096, 10_000, 12_288, 50_000].map(|others| (others, false));
        for (others, is_large) in usual.into_iter().chain([(63_000, true)]) {
            let (reader, writer) = sys::pipe().unwrap();
            crate::reactor::set_nonblocking(&reader).unwrap();
            if is_large {
                fcntl(&writer, FcntlArg::F_SETPIPE_SZ(1024 * 1024)).unwrap();
            }
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
                while !is_large && read_ahead.fill(&reader, usize::MAX).is_ok() {}
            }
            while read_ahead.fill(&reader, usize::MAX).is_ok() {}
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
