// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The socket that clients connect to.

use super::counts::Counts;
use crate::sys::{self, Rendezvous};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The only process whose connections are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
}

/// The socket of the fork server.
#[derive(Debug)]
pub struct Listener {
    socket: Rendezvous,
    peer: Peer,
}

/// A connection of the client.
#[derive(Debug)]
pub struct Connection {
    pub stream: UnixStream,
    /// The number in its name; 0 if it has none.
    pub number: u64,
    /// The pid of the client.
    pub client: i32,
}

impl Listener {
    /// Listens at a new address.
    pub fn bind(peer: Peer) -> io::Result<Self> {
        let socket = Rendezvous::bind()?;
        Ok(Self { socket, peer })
    }

    /// The address, as clients need it: the bytes in `sun_path`.
    pub fn address(&self) -> Vec<u8> {
        self.socket.address()
    }

    /// Accepts the next connection of the client, if there is one. Connections of others are closed and counted.
    pub fn accept(&self, counts: &mut Counts) -> io::Result<Option<Connection>> {
        loop {
            let (stream, suffix) = match self.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                // The peer closed it before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (pid, uid) = sys::peer_of(stream.as_fd())?;
            if uid != self.peer.uid {
                counts.refused_uid += 1;
            } else if pid != self.peer.pid {
                counts.refused_pid += 1;
            } else {
                counts.accepted += 1;
                let number = suffix.and_then(|suffix| number(&suffix)).unwrap_or(0);
                return Ok(Some(Connection {
                    stream,
                    number,
                    client: pid,
                }));
            }
        }
    }
}

/// The number at the end of the address of a client's socket: behind this socket's address, a dot and 16 digits.
fn number(suffix: &[u8]) -> Option<u64> {
    let digits = suffix.strip_prefix(b".")?;
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if digits.len() != 16 || !digits.iter().all(is_digit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(pid: i32) -> Listener {
        let uid = nix::unistd::geteuid().as_raw();
        Listener::bind(Peer { pid, uid }).unwrap()
    }

    #[test]
    fn a_connection_has_the_number_in_its_name() {
        assert_eq!(number(b".00000000000000ff"), Some(255));
        for other in [
            ".ff",
            "00000000000000ff",
            ".00000000000000FF",
            ".+0000000000000ff",
            "",
        ] {
            assert_eq!(number(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn only_connections_of_the_client_are_accepted() {
        let mut counts = Counts::default();
        for (pid, accepted) in [(nix::unistd::getpid().as_raw(), true), (1, false)] {
            let listener = listener(pid);
            let _client = listener.socket.connect().unwrap();
            let connection = listener.accept(&mut counts).unwrap();
            assert_eq!(connection.map(|it| it.number), accepted.then_some(0));
        }
        assert_eq!((counts.accepted, counts.refused_pid), (1, 1));
    }
}
