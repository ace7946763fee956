// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Listing a directory: `getdents64(2)`.

use nix::errno::Errno;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Lists the entries of an open directory whose names are numbers. Unlike readdir(3), it needs no new descriptor.
pub fn numbers_in(directory: BorrowedFd<'_>) -> io::Result<Vec<i32>> {
    let fd = directory.as_raw_fd();
    let mut buffer = [0_u8; 16 * 1024];
    let mut found = Vec::new();
    // SAFETY: lseek takes no pointers.
    Errno::result(unsafe { libc::lseek(fd, 0, libc::SEEK_SET) })?;
    loop {
        let room = buffer.len();
        // SAFETY: the kernel writes at most `room` bytes, which the buffer has.
        let result = unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), room) };
        let filled = usize::try_from(Errno::result(result)?).unwrap_or(0);
        if filled == 0 {
            return Ok(found);
        }
        numbers_of_entries(&buffer[..filled], &mut found);
    }
}

/// Parses records of `getdents64(2)`: inode and offset (8 bytes each), length of the record (2 bytes), type
/// (1 byte), null-terminated name.
fn numbers_of_entries(mut records: &[u8], found: &mut Vec<i32>) {
    while let Some(&[low, high]) = records.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some(name) = records.get(19..length) else {
            return;
        };
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let number = std::str::from_utf8(name).ok();
        found.extend(number.and_then(|name| name.parse::<i32>().ok()));
        records = &records[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    #[test]
    fn a_directory_can_be_listed_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..2000 {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
            fs::write(folder.path().join(format!("x{number}")), "").unwrap();
        }
        let directory = File::open(folder.path()).unwrap();
        for _ in 0..2 {
            let mut numbers = numbers_in(directory.as_fd()).unwrap();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..2000).collect::<Vec<i32>>());
        }
    }

    proptest! {
        #[test]
        fn no_records_make_it_panic_or_hang(records in proptest::collection::vec(any::<u8>(), 0..200)) {
            numbers_of_entries(&records, &mut Vec::new());
        }
    }
}
