// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Programs that send notifications, as `sd_notify(3)` does.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use nix::unistd::{ForkResult, fork, pipe};
use std::io::{IoSlice, Write, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends a datagram to the socket whose name is in `NOTIFY_SOCKET`.
pub fn send(name: &str, text: &str) {
    let name = name.strip_prefix('@').unwrap();
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let socket = UnixDatagram::unbound().unwrap();
    socket.send_to_addr(text.as_bytes(), &address).unwrap();
}

fn say(text: &str) {
    println!("{text}");
    stdout().flush().unwrap();
}

/// Sends each line of stdin, and says so.
pub fn notify(by: &str) {
    let name = std::env::var("NOTIFY_SOCKET").unwrap();
    say(&format!("socket {name}."));
    for line in stdin().lines() {
        let line = line.unwrap();
        match by {
            "itself" => send(&name, &line),
            "child" => send_by_child(&name, &line),
            other => panic!("{other}"),
        }
        if line == "BARRIER" {
            barrier(&name);
        }
        say(&format!("sent {line}"));
    }
    std::process::exit(0);
}

/// By a child that is alive when the datagram is received.
fn send_by_child(name: &str, line: &str) {
    let (reader, writer) = pipe().unwrap();
    // SAFETY: there is no other thread.
    #[allow(unsafe_code)]
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            send(name, line);
            drop(writer);
            std::thread::park();
        }
        ForkResult::Parent { .. } => {
            drop(writer);
            hung_up(&reader);
        }
    }
}

/// Waits until all notifications so far were received: `sd_notify_barrier(3)`.
fn barrier(name: &str) {
    let (reader, writer) = pipe().unwrap();
    let address = UnixAddr::new_abstract(name.strip_prefix('@').unwrap().as_bytes()).unwrap();
    let socket = UnixDatagram::unbound().unwrap();
    let descriptors = [writer.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let text = [IoSlice::new(b"BARRIER=1")];
    let flags = MsgFlags::empty();
    sendmsg(socket.as_raw_fd(), &text, &rights, flags, Some(&address)).unwrap();
    drop(writer);
    hung_up(&reader);
}

fn hung_up(reader: &impl AsFd) {
    let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE).unwrap();
}
