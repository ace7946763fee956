// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a session tells the fork server that it came from, for the case that it is killed.
//!
//! One datagram each, over a pair of sockets that all sessions of a fork server share.

use super::cgroup;
use crate::cgroup::Request;
use crate::sys;
use nix::unistd::getpid;
use std::io;
use std::os::unix::net::UnixDatagram;

const GROUP: u8 = 1;
const LEFT: u8 = 2;

/// The session's end. Without a fork server, nobody is told.
#[derive(Debug, Default)]
pub struct Notices(Option<UnixDatagram>);

/// What was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The session with this pid is about to make this group.
    Group(i32, Request),
    /// The session leaves these processes behind on purpose.
    Left(Vec<i32>),
}

impl Notices {
    /// For a session of a fork server.
    pub fn to(socket: UnixDatagram) -> Self {
        Self(Some(socket))
    }

    /// Tells of the group, before it is made.
    pub fn group(&self, request: &Request) -> io::Result<()> {
        self.send(GROUP, &cgroup::encode(request))
    }

    /// Tells of processes that are to live on.
    pub fn left(&self, pids: impl IntoIterator<Item = i32>) -> io::Result<()> {
        let pids: Vec<u8> = pids.into_iter().flat_map(i32::to_be_bytes).collect();
        self.send(LEFT, &pids)
    }

    /// Whether anybody is told.
    pub fn are_read(&self) -> bool {
        self.0.is_some()
    }

    fn send(&self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let Some(socket) = &self.0 else {
            return Ok(());
        };
        let mut bytes = getpid().as_raw().to_be_bytes().to_vec();
        bytes.push(kind);
        bytes.extend_from_slice(payload);
        match socket.send(&bytes) {
            // The fork server is dead, and with it the one who could do something about it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map(drop),
        }
    }
}

/// The next notice, if one is there. The socket does not block.
pub fn receive(socket: &UnixDatagram) -> Option<Notice> {
    loop {
        let size = sys::bytes_waiting(socket).ok()?;
        let size = usize::try_from(size).ok().filter(|&size| size > 0)?;
        let mut bytes = vec![0; size];
        let count = socket.recv(&mut bytes).ok()?;
        if let Some(notice) = parse(&bytes[..count]) {
            return Some(notice);
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Notice> {
    let (pid, rest) = bytes.split_first_chunk()?;
    let (&kind, payload) = rest.split_first()?;
    if kind == GROUP {
        let request = cgroup::decode(payload).ok()?;
        return Some(Notice::Group(i32::from_be_bytes(*pid), request));
    }
    let pids = payload
        .chunks_exact(4)
        .filter_map(|pid| pid.try_into().ok());
    Some(Notice::Left(pids.map(i32::from_be_bytes).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_arrive_in_order() {
        let (reader, writer) = UnixDatagram::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        let notices = Notices::to(writer);
        let request = Request {
            group: "a/b".into(),
            ..Request::default()
        };
        notices.group(&request).unwrap();
        notices.left([7, 300_000]).unwrap();
        let me = getpid().as_raw();
        assert_eq!(receive(&reader), Some(Notice::Group(me, request)));
        assert_eq!(receive(&reader), Some(Notice::Left(vec![7, 300_000])));
        assert_eq!(receive(&reader), None);
        drop(reader);
        notices.left([1]).unwrap();
        Notices::default().left([1]).unwrap();
    }
}
