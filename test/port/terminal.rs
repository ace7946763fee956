// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! At a real terminal: Ctrl-C and its kin.

use crate::harness::{Setup, plain};
use crate::processes::{Mark, PATIENCE, eventually};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Stdio};

/// Somebody in front of a terminal in which the helper runs.
struct Terminal {
    screen: File,
    /// Keeps the terminal alive until the helper has it.
    _other_end: File,
    text: String,
    helper: Child,
    mark: Mark,
}

impl Terminal {
    fn start(setup: Setup) -> Self {
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
    fn read_until(&mut self, text: &str) {
        while !self.text.contains(text) {
            let mut fds = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
            let patience = PollTimeout::try_from(PATIENCE).unwrap();
            assert!(
                poll(&mut fds, patience).unwrap() > 0,
                "no {text:?}: {}",
                self.text
            );
            let mut buffer = [0; 4096];
            let count = self.screen.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "no {text:?} in {:?}", self.text);
            self.text
                .push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.screen.write_all(keys).unwrap();
    }

    #[track_caller]
    fn assert_ends_with(mut self, expected: i32) {
        let mut status = None;
        eventually("the helper exits", || {
            status = self.helper.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(expected));
        assert!(self.mark.alive().is_empty());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

/// A program with something in the background, that says goodbye.
fn program() -> Setup {
    plain(&["-k", "60000"])
        .sh("trap 'echo bye; exit 3' TERM; echo ready; sleep 1000 & while :; do wait; done")
}

#[test]
fn keys_that_interrupt_stop_the_program() {
    let (interrupt, quit) = (b"\x03", b"\x1c");
    for key in [interrupt, quit] {
        let mut terminal = Terminal::start(program());
        terminal.read_until("ready");
        terminal.press(key);
        terminal.read_until("bye");
        terminal.assert_ends_with(3);
    }
}

#[test]
fn the_key_that_ends_input_stops_the_program() {
    let mut terminal = Terminal::start(program());
    terminal.read_until("ready");
    terminal.press(b"\x04");
    terminal.read_until("bye");
    terminal.assert_ends_with(3);
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
