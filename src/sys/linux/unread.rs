// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the other end of a Unix socket has not read.

use nix::sys::socket::{UnixAddr, getsockname};
use std::ffi::c_int;
use std::os::fd::AsRawFd;

/// Whether this is a Unix socket, for which [`memory_of_unread`] is meant.
pub fn is_unix_socket(fd: &impl AsRawFd) -> bool {
    getsockname::<UnixAddr>(fd.as_raw_fd()).is_ok()
}

/// How many bytes of memory hold what was written to this Unix socket and was not read yet. This is more than the bytes that
/// were not read, and 0 once all were. `None`: the kernel does not tell.
///
/// This is `SIOCOUTQ`, whose number is that of `TIOCOUTQ`. For Unix sockets it is in no manual page: see `unix_outq_len` in
/// `net/unix/af_unix.c`. ss(8) shows it as `Send-Q`. When the kernel says that the socket has room, it has not yet subtracted the last byte of the piece that
/// was read (`sock_wfree` in `net/core/sock.c`). Pieces are read one after the other, and each takes hundreds of bytes more than
/// its contents. So one byte less is still more than what was not read.
pub fn memory_of_unread(fd: &impl AsRawFd) -> Option<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: TIOCOUTQ writes one int.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    let known = (result == 0).then(|| usize::try_from(bytes).ok());
    Some(known.flatten()?.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_was_read_takes_no_memory() {
        let (mut writer, mut reader) = UnixStream::pair().unwrap();
        assert!(is_unix_socket(&writer));
        assert_eq!(memory_of_unread(&writer), Some(0));
        for size in [1, 10_000, 100_000] {
            writer.write_all(&vec![1; size]).unwrap();
            let mut bytes = vec![0; size];
            reader.read_exact(&mut bytes[1..]).unwrap();
            assert!(memory_of_unread(&writer).unwrap() >= 1);
            writer.write_all(&vec![1; size]).unwrap();
            assert!(memory_of_unread(&writer).unwrap() > size);
            reader.read_exact(&mut bytes).unwrap();
            reader.read_exact(&mut bytes[..1]).unwrap();
            assert_eq!(memory_of_unread(&writer), Some(0));
        }
    }

    #[test]
    fn of_other_descriptors_it_is_not_known() {
        let (reader, writer) = crate::sys::pipe().unwrap();
        assert!(!is_unix_socket(&writer));
        assert_eq!(memory_of_unread(&writer), None);
        drop(reader);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_unix_socket(&listener));
    }
}
