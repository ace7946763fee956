// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The socket by which a program tells that it is ready, and that it is alive: `sd_notify(3)`.

use crate::error::{Failure, Step};
use crate::sys::{self, PidVariable};
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

/// The longest datagram that is passed on, as in systemd.
const LONGEST: usize = 4096;

/// A datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    /// The pid of its sender, as the kernel says.
    pub sender: i32,
    /// Empty if it was too long, or something that came with it was left out.
    pub bytes: Vec<u8>,
}

/// A datagram socket in the abstract namespace.
#[derive(Debug)]
pub(super) struct NotifySocket {
    pub socket: OwnedFd,
    name: Vec<u8>,
    /// Whether the owner has yet to acknowledge the last datagram.
    pub awaits_ack: bool,
    /// Whether the owner wants no more of them.
    pub discards: bool,
}

impl NotifySocket {
    pub(super) fn bind() -> Result<Self, Failure> {
        let (socket, name) = sys::bind_notify_socket().map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => {
                let message = "a socket for notifications needs Linux";
                Failure::new(Step::Options, message).path("notify")
            }
            _ => Failure::cannot("create the socket for notifications", &error),
        })?;
        Ok(Self {
            socket,
            name,
            awaits_ack: false,
            discards: false,
        })
    }

    /// The next datagram, if there is one. Descriptors in it are closed, for which the sender of `BARRIER=1` waits.
    pub(super) fn receive(&self) -> io::Result<Option<Datagram>> {
        use std::io::ErrorKind::{Interrupted, WouldBlock};
        let mut bytes = vec![0; LONGEST];
        let received = match sys::receive_datagram(&self.socket, &mut bytes) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => return Ok(None),
            Err(error) => return Err(error),
        };
        bytes.truncate(if received.truncated {
            0
        } else {
            received.length
        });
        drop(received.descriptors);
        let sender = received.sender;
        Ok(Some(Datagram { sender, bytes }))
    }

    /// Takes note of an acknowledgement. `false` if there was nothing to acknowledge.
    pub(super) fn acknowledged(&mut self) -> bool {
        std::mem::take(&mut self.awaits_ack)
    }

    /// Throws all further datagrams away.
    pub(super) fn discard(&mut self) {
        self.discards = true;
    }

    /// Puts its name into the environment of the program. Returns the variable for the program's pid, which is there
    /// for the watchdog alone.
    pub(super) fn announce(&self, environment: &mut Vec<CString>) -> Option<PidVariable> {
        let is_of = |variable: &CString, name: &[u8]| {
            variable
                .as_bytes()
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(b"="))
        };
        environment.retain(|variable| {
            !is_of(variable, b"NOTIFY_SOCKET") && !is_of(variable, b"WATCHDOG_PID")
        });
        let variable = [b"NOTIFY_SOCKET=@", &self.name[..]].concat();
        environment.extend(CString::new(variable));
        let has_watchdog = environment
            .iter()
            .any(|variable| is_of(variable, b"WATCHDOG_USEC"));
        has_watchdog.then(|| PidVariable::new("WATCHDOG_PID"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    fn send(to: &NotifySocket, bytes: &[u8]) {
        let address = SocketAddr::from_abstract_name(&to.name).unwrap();
        let socket = UnixDatagram::unbound().unwrap();
        socket.send_to_addr(bytes, &address).unwrap();
    }

    #[test]
    fn datagrams_have_a_sender() {
        let socket = NotifySocket::bind().unwrap();
        assert_eq!(socket.receive().unwrap(), None);
        send(&socket, b"READY=1");
        let sender = nix::unistd::getpid().as_raw();
        let bytes = b"READY=1".to_vec();
        assert_eq!(socket.receive().unwrap(), Some(Datagram { sender, bytes }));
        send(&socket, &[b'x'; LONGEST + 1]);
        let bytes = Vec::new();
        assert_eq!(socket.receive().unwrap(), Some(Datagram { sender, bytes }));
        assert_eq!(socket.receive().unwrap(), None);
    }

    #[test]
    fn its_variables_take_the_place_of_others() {
        let socket = NotifySocket::bind().unwrap();
        let own = CString::new([b"NOTIFY_SOCKET=@", &socket.name[..]].concat()).unwrap();
        let mut environment = vec![c"NOTIFY_SOCKET=/other".to_owned(), c"A=1".to_owned()];
        assert!(socket.announce(&mut environment).is_none());
        assert_eq!(environment, [c"A=1".to_owned(), own.clone()]);
        environment = vec![c"WATCHDOG_PID=1".to_owned(), c"WATCHDOG_USEC=5".to_owned()];
        assert!(socket.announce(&mut environment).is_some());
        assert_eq!(environment, [c"WATCHDOG_USEC=5".to_owned(), own]);
    }
}
