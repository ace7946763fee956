// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Bytes that were read from a pipe and wait to be sent.
//!
//! A pipe is read until it is empty, not one frame at a time: each read from a full pipe wakes the
//! program, which then fills the little room there is and sleeps again. With a whole pipe read at
//! once, both work for longer at a stretch.

use crate::sys;
use nix::Result;
use std::os::fd::AsFd;

/// The capacity of a pipe: pipe(7). Memory is only used up to the most that ever waited.
const CAPACITY: usize = 64 * 1024;

/// What was read and not taken yet.
#[derive(Debug, Default)]
pub struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
}

impl Ahead {
    /// The bytes that wait.
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// How many bytes `fill` would read at the most.
    pub fn room(&self) -> usize {
        CAPACITY - self.waiting().len()
    }

    /// Reads at most `limit` bytes behind those that wait, and tells how many came: 0 at the end of
    /// the file, when neither `limit` nor the room was 0.
    pub fn fill(&mut self, fd: &impl AsFd, limit: usize) -> Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.reserve_exact(CAPACITY - self.bytes.len());
        sys::read_to_spare(fd, &mut self.bytes, limit)
    }

    /// Drops the first `count` bytes, which were dealt with.
    pub fn take(&mut self, count: usize) {
        self.taken += count;
        debug_assert!(self.taken <= self.bytes.len());
    }

    /// Drops all that waits.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
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
        let mut ahead = Ahead::default();
        writer.write_all(&vec![1; CAPACITY]).unwrap();
        assert_eq!(ahead.fill(&reader, usize::MAX), Ok(CAPACITY));
        assert_eq!(ahead.room(), 0);
        ahead.take(10);
        writer.write_all(&[2; 11]).unwrap();
        drop(writer);
        assert_eq!(ahead.fill(&reader, usize::MAX), Ok(10));
        assert_eq!(
            ahead.waiting()[CAPACITY - 11..],
            [[1].as_slice(), &[2; 10]].concat()
        );
        ahead.clear();
        assert_eq!(ahead.fill(&reader, usize::MAX), Ok(1));
        assert_eq!(ahead.fill(&reader, usize::MAX), Ok(0));
        assert_eq!(ahead.waiting(), [2]);
    }

    proptest! {
        #[test]
        fn whatever_the_steps_the_bytes_stay_in_order(
            steps in proptest::collection::vec((0usize..3000, 1usize..5000, 0usize..4000), 1..60),
        ) {
            let (reader, writer) = sys::pipe().unwrap();
            crate::reactor::set_nonblocking(&reader).unwrap();
            let mut writer = File::from(writer);
            let (mut ahead, mut written, mut taken) = (Ahead::default(), 0usize, 0usize);
            let byte = |position: usize| u8::try_from(position % 251).unwrap();
            for (write, limit, take) in steps {
                // More than this might block.
                if written - taken < 50_000 {
                    let bytes: Vec<u8> = (written..written + write).map(byte).collect();
                    writer.write_all(&bytes).unwrap();
                    written += write;
                }
                let _ = ahead.fill(&reader, limit);
                let take = take.min(ahead.waiting().len());
                prop_assert!(ahead.waiting().iter().copied().eq((taken..).map(byte).take(ahead.waiting().len())));
                ahead.take(take);
                taken += take;
            }
        }
    }
}
