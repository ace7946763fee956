// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Keys at a real terminal, such as Ctrl-C.

use crate::harness::{Setup, plain};
use crate::processes::{Mark, TIMEOUT, eventually};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Stdio};

/// A terminal in which the helper runs.
pub struct Terminal {
    pub screen: File,
    /// Keeps the terminal alive until the helper has it.
    _other_end: File,
    /// Output that no call has looked for yet.
    text: String,
    helper: Child,
    pub mark: Mark,
}

impl Terminal {
    pub fn start(setup: Setup) -> Self {
        // Both ends close-on-exec: a helper that holds the other end would never see it closed.
        let screen = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname_r(&screen).unwrap();
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        let other_end = options.open(&name).unwrap();
        let mark = Mark::new();
        let setup = setup.via_odd(&format!("in-terminal {name}"));
        let mut command = setup.command(&mark);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let helper = command.spawn().unwrap();
        Self {
            screen: File::from(OwnedFd::from(screen)),
            _other_end: other_end,
            text: String::new(),
            helper,
            mark,
        }
    }

    #[track_caller]
    pub fn read_until(&mut self, text: &str) {
        while !self.text.contains(text) {
            let mut fds = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(TIMEOUT).unwrap();
            assert!(
                poll(&mut fds, timeout).unwrap() > 0,
                "no {text:?}: {}",
                self.text
            );
            let mut buffer = [0; 4096];
            let count = self.screen.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "no {text:?} in {:?}", self.text);
            self.text
                .push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        let end = self.text.find(text).unwrap() + text.len();
        self.text.drain(..end);
    }

    /// The rest of the output.
    pub fn rest(&mut self) -> String {
        let mut buffer = [0; 4096];
        let mut fds = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
        while poll(&mut fds, PollTimeout::ZERO).unwrap() > 0 {
            let count = (&self.screen).read(&mut buffer).unwrap_or(0);
            if count == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&buffer[..count]);
            self.text.push_str(&text);
        }
        std::mem::take(&mut self.text)
    }

    pub fn press(&mut self, keys: &[u8]) {
        self.screen.write_all(keys).unwrap();
    }

    #[track_caller]
    pub fn assert_ends_with(mut self, expected: i32) {
        let mut status = None;
        eventually("the helper exits", || {
            status = self.helper.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(expected));
        // A shell may exit before the last of its interrupted jobs.
        eventually("nothing is left", || self.mark.alive().is_empty());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

/// A program with a background process, which writes "bye" on SIGTERM.
fn program() -> Setup {
    plain(&["-k", "60000"])
        .sh("trap 'echo bye; exit 3' TERM; echo ready; sleep 1000 & while :; do wait; done")
}

#[test]
fn keys_that_interrupt_reach_the_program() {
    for (key, name, number) in [(b"\x03", "INT", 2), (b"\x1c", "QUIT", 3)] {
        let trap =
            format!("trap 'echo bye; exit 3' {name}; echo ready; while :; do sleep 0.01; done");
        let mut terminal = Terminal::start(plain(&[]).sh(&trap));
        terminal.read_until("ready");
        terminal.press(key);
        terminal.read_until("bye");
        terminal.assert_ends_with(3);
        let mut terminal = Terminal::start(plain(&[]).sh("echo ready; exec sleep 1000"));
        terminal.read_until("ready");
        terminal.press(key);
        terminal.assert_ends_with(128 + number);
    }
}

#[test]
fn the_key_that_ends_input_ends_the_programs_input() {
    let mut terminal = Terminal::start(plain(&[]).sh("echo ready; cat; exit 6"));
    terminal.read_until("ready");
    terminal.press(b"line\n\x04");
    terminal.read_until("line\r\nline");
    terminal.assert_ends_with(6);
}

#[test]
fn a_terminal_that_is_closed_stops_the_program() {
    let mut terminal = Terminal::start(program());
    terminal.read_until("ready");
    terminal.screen = File::open("/dev/null").unwrap();
    terminal.assert_ends_with(3);
}

#[test]
fn what_is_typed_reaches_the_program() {
    let mut terminal = Terminal::start(plain(&[]).sh("read x; echo \"got $x\"; exit 4"));
    terminal.press(b"hello\n");
    terminal.read_until("got hello");
    terminal.assert_ends_with(4);
}
