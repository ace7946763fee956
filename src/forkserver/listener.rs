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
    pub name: Name,
    /// The pid of the client.
    pub client: i32,
}

/// What the address of a client's socket tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The number of the connection; 0 without a name.
    pub number: u64,
    /// Whether the end of its session is reported without a WATCH.
    pub watched: bool,
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
                let name = suffix.and_then(|suffix| Name::parse(&suffix));
                return Ok(Some(Connection {
                    stream,
                    name: name.unwrap_or_default(),
                    client: pid,
                }));
            }
        }
    }
}

impl Name {
    /// Parses the end of the address of a client's socket: behind this socket's address, a dot, 16 digits, and maybe a
    /// plus sign.
    fn parse(suffix: &[u8]) -> Option<Self> {
        let digits = suffix.strip_prefix(b".")?;
        let (digits, watched) = match digits.strip_suffix(b"+") {
            Some(digits) => (digits, true),
            None => (digits, false),
        };
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if digits.len() != 16 || !digits.iter().all(is_digit) {
            return None;
        }
        let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some(Self { number, watched })
    }
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
        for (suffix, watched) in [(".00000000000000ff", false), (".00000000000000ff+", true)] {
            let name = Name {
                number: 255,
                watched,
            };
            assert_eq!(Name::parse(suffix.as_bytes()), Some(name));
        }
        for other in [
            ".ff",
            ".00000000000000ff++",
            ".000000000000000+",
            "00000000000000ff",
            ".00000000000000FF",
            ".+0000000000000ff",
            "",
        ] {
            assert_eq!(Name::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn only_connections_of_the_client_are_accepted() {
        let mut counts = Counts::default();
        for (pid, accepted) in [(nix::unistd::getpid().as_raw(), true), (1, false)] {
            let listener = listener(pid);
            let _client = listener.socket.connect().unwrap();
            let connection = listener.accept(&mut counts).unwrap();
            assert_eq!(connection.map(|it| it.name), accepted.then(Name::default));
        }
        assert_eq!((counts.accepted, counts.refused_pid), (1, 1));
    }
}
