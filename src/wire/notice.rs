// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a session tells its fork server, for the case that it is killed.
//!
//! One datagram each, over two pairs of sockets that all sessions of a fork server share. The fork server is woken by
//! one of them. It reads the other only after the death of a session: a cgroup is not of interest before.

use super::cgroup;
use crate::cgroup::Request;
use crate::process::program::{ANNOUNCEMENT_SIZE, Announcement};
use crate::sys::{self, ProcessId};
use nix::unistd::getpid;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;

const GROUP: u8 = 1;
const LEFT: u8 = 2;
const STARTED: u8 = 3;
const SURVIVORS: u8 = 4;

/// How many processes a datagram has at the most: some systems limit one to 2 KiB.
const PROCESSES: usize = 100;

/// Bytes of a pid and a start time.
const ID_SIZE: usize = 12;

/// The start time of a process that announces itself.
pub(crate) const UNKNOWN_START: u64 = 0;

/// One end of the sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub waking: UnixDatagram,
    /// Does not block.
    pub quiet: UnixDatagram,
}

/// Makes the sockets: the end of the fork server, and that of its sessions.
pub(crate) fn sockets() -> io::Result<(Sockets, Sockets)> {
    let (reader, writer) = UnixDatagram::pair()?;
    // In this order, a session has fewer ranges of descriptors to close.
    let (quiet_writer, quiet_reader) = UnixDatagram::pair()?;
    for socket in [&reader, &quiet_reader, &quiet_writer] {
        socket.set_nonblocking(true)?;
    }
    let server = Sockets {
        waking: reader,
        quiet: quiet_reader,
    };
    let session = Sockets {
        waking: writer,
        quiet: quiet_writer,
    };
    Ok((server, session))
}

/// The session's end of the sockets. Without a fork server, nothing is sent.
#[derive(Debug, Default)]
pub(crate) struct Notices(Option<Sockets>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The session with this pid is about to make this cgroup.
    Group(i32, Request),
    /// The processes with these pids are to live on when their session ends.
    Left(Vec<i32>),
    /// A session that ends could not kill these processes, or they are not dead yet.
    Survivors(Vec<ProcessId>),
    /// The session with this pid has started these processes. Where there are subreapers, nobody needs to know.
    Started(i32, Vec<ProcessId>),
}

impl Notices {
    pub(crate) fn to(sockets: Sockets) -> Self {
        Self(Some(sockets))
    }

    /// Announces the cgroup, before it is made.
    pub(crate) fn group(&self, request: &Request) -> io::Result<()> {
        let Some(sockets) = &self.0 else {
            return Ok(());
        };
        let notice = encode(GROUP, &cgroup::encode_request(request));
        match sockets.quiet.send(&notice) {
            Ok(_) => Ok(()),
            // It is full, or the fork server is dead.
            Err(_) => send(&sockets.waking, &notice),
        }
    }

    /// Announces processes that are to live on.
    pub(crate) fn left(&self, pids: impl IntoIterator<Item = i32>) -> io::Result<()> {
        let pids: Vec<u8> = pids.into_iter().flat_map(i32::to_be_bytes).collect();
        self.send(LEFT, &pids)
    }

    /// Announces processes that are to be killed when this session is killed.
    pub(crate) fn started(&self, processes: &[ProcessId]) -> io::Result<()> {
        self.send_processes(STARTED, processes)
    }

    /// Announces processes that this session leaves although it tried to kill them.
    pub(crate) fn survivors(&self, processes: &[ProcessId]) -> io::Result<()> {
        self.send_processes(SURVIVORS, processes)
    }

    fn send_processes(&self, kind: u8, processes: &[ProcessId]) -> io::Result<()> {
        for some in processes.chunks(PROCESSES) {
            let bytes = some.iter().flat_map(|(pid, started)| {
                let pid = pid.to_be_bytes().into_iter();
                pid.chain(started.to_be_bytes())
            });
            self.send(kind, &bytes.collect::<Vec<u8>>())?;
        }
        Ok(())
    }

    /// How a process announces itself as started. For the child.
    pub(crate) fn announcement(&self) -> Option<Announcement<'_>> {
        self.0.as_ref().map(|sockets| Announcement {
            socket: sockets.waking.as_fd(),
            message: started_by_itself,
        })
    }

    /// Whether there is a fork server.
    pub(crate) fn are_read(&self) -> bool {
        self.0.is_some()
    }

    fn send(&self, kind: u8, payload: &[u8]) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |sockets| {
            send(&sockets.waking, &encode(kind, payload))
        })
    }
}

fn encode(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = getpid().as_raw().to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes
}

fn send(socket: &UnixDatagram, notice: &[u8]) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected};
    let Err(error) = socket.send(notice) else {
        return Ok(());
    };
    match error.kind() {
        // The fork server is dead, and nobody else could use the notice. Of several attempts, only the first shows why.
        BrokenPipe | ConnectionRefused | ConnectionReset | NotConnected => Ok(()),
        _ => Err(error),
    }
}

/// As [`Notices::started`] does it, without an allocation.
fn started_by_itself(session: i32, process: i32) -> [u8; ANNOUNCEMENT_SIZE] {
    let mut bytes = [0; ANNOUNCEMENT_SIZE];
    bytes[..4].copy_from_slice(&session.to_be_bytes());
    bytes[4] = STARTED;
    bytes[5..9].copy_from_slice(&process.to_be_bytes());
    bytes[9..].copy_from_slice(&UNKNOWN_START.to_be_bytes());
    bytes
}

impl Sockets {
    /// Takes the next notice. For the fork server.
    pub(crate) fn receive(&self) -> Option<Notice> {
        receive(&self.quiet).or_else(|| receive(&self.waking))
    }
}

/// Takes the next notice. The socket does not block.
fn receive(socket: &UnixDatagram) -> Option<Notice> {
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
        let request = cgroup::decode_request(payload).ok()?;
        return Some(Notice::Group(i32::from_be_bytes(*pid), request));
    }
    if [STARTED, SURVIVORS].contains(&kind) {
        let ids = payload.chunks_exact(ID_SIZE).filter_map(|bytes| {
            let (pid, started) = bytes.split_first_chunk()?;
            let started = started.try_into().ok()?;
            Some((i32::from_be_bytes(*pid), u64::from_be_bytes(started)))
        });
        return Some(match kind {
            SURVIVORS => Notice::Survivors(ids.collect()),
            _ => Notice::Started(i32::from_be_bytes(*pid), ids.collect()),
        });
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
        let (server, session) = sockets().unwrap();
        let reader = server.waking;
        let notices = Notices::to(session);
        let request = Request {
            group: "a/b".into(),
            ..Request::default()
        };
        notices.group(&request).unwrap();
        notices.left([7, 300_000]).unwrap();
        notices.started(&[(8, 1), (9, u64::MAX)]).unwrap();
        let me = getpid().as_raw();
        assert_eq!(receive(&server.quiet), Some(Notice::Group(me, request)));
        assert_eq!(receive(&reader), Some(Notice::Left(vec![7, 300_000])));
        let started = Notice::Started(me, vec![(8, 1), (9, u64::MAX)]);
        assert_eq!(receive(&reader), Some(started));
        let survivors = vec![(8, 1); 2 * PROCESSES];
        notices.survivors(&survivors).unwrap();
        for _ in 0..2 {
            let some = survivors[..PROCESSES].to_vec();
            assert_eq!(receive(&reader), Some(Notice::Survivors(some)));
        }
        let announcement = notices.announcement().unwrap();
        let message = (announcement.message)(me, 8);
        nix::unistd::write(announcement.socket, &message).unwrap();
        let started = Notice::Started(me, vec![(8, UNKNOWN_START)]);
        assert_eq!(receive(&reader), Some(started));
        assert_eq!(receive(&reader), None);
        drop((reader, server.quiet));
        notices.group(&Request::default()).unwrap();
        notices.left([1]).unwrap();
        Notices::default().left([1]).unwrap();
    }

    #[test]
    fn groups_that_find_no_room_wake_the_fork_server() {
        let (server, session) = sockets().unwrap();
        let notices = Notices::to(session);
        let request = |number: usize| Request {
            group: format!("a/{number}"),
            ..Request::default()
        };
        let mut received = Vec::new();
        let mut count = 0;
        // Some systems have room for ten datagrams, and others for thousands.
        while received.is_empty() {
            notices.group(&request(count)).unwrap();
            count += 1;
            received.extend(receive(&server.waking));
        }
        received.extend(std::iter::from_fn(|| server.receive()));
        let me = getpid().as_raw();
        let all: Vec<Notice> = (0..count)
            .map(|number| Notice::Group(me, request(number)))
            .collect();
        assert_eq!(received.len(), all.len());
        assert!(all.iter().all(|notice| received.contains(notice)));
    }
}
