// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A socket with an address in the abstract namespace: unix(7).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// A socket to which clients connect.
#[derive(Debug)]
pub struct Rendezvous {
    socket: UnixListener,
    name: Vec<u8>,
}

impl Rendezvous {
    /// Listens at a random address.
    pub fn bind() -> io::Result<Self> {
        let mut random = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let mut name = "muontrap-".to_owned();
        for byte in random {
            let _ = write!(name, "{byte:02x}");
        }
        let name = name.into_bytes();
        let address = SocketAddr::from_abstract_name(&name)?;
        let socket = UnixListener::bind_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, name })
    }

    /// The address in the format of unix(7): a null byte and the name.
    pub fn address(&self) -> Vec<u8> {
        [&[0][..], &self.name].concat()
    }

    /// Accepts a connection, and returns what the client's own address has behind this one.
    pub fn accept(&self) -> io::Result<(UnixStream, Option<Vec<u8>>)> {
        let (stream, address) = self.socket.accept()?;
        let name = address.as_abstract_name();
        let suffix = name.and_then(|name| name.strip_prefix(&self.name[..]));
        Ok((stream, suffix.map(<[u8]>::to_vec)))
    }

    /// Connects to it.
    #[cfg(test)]
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_abstract_name(&self.name)?)
    }
}

impl AsFd for Rendezvous {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
