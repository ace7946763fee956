// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! An owner: starts the helper and exchanges frames with it, with a timeout.
//!
//! It checks the invariants on every frame: the window is kept, STARTED comes first, EXITED last.

use crate::frames::{self, Failed, Frame, Report};
use crate::processes::{Mark, TIMEOUT, eventually, is_alive};
pub use crate::setup::{Setup, captured, framed, helper_path, plain};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};

pub fn pid_of(child: &Child) -> i32 {
    child.id().try_into().unwrap()
}

/// A helper that was started, and what it sent.
#[derive(Debug)]
pub struct Owner {
    child: Child,
    /// The pid of the helper.
    pub pid: i32,
    /// The pid of the program; 0 before STARTED.
    pub program: i32,
    pub input: Option<ChildStdin>,
    pub output: Option<ChildStdout>,
    pub mark: Mark,
    errors: File,
    /// What was read and is not a whole frame yet.
    pub bytes: Vec<u8>,
    pub window: u32,
    /// Output bytes that came and are not acknowledged.
    pub in_flight: u32,
    /// Whether output is acknowledged as it comes.
    pub acks: bool,
    last: Option<Frame>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub input_written: u64,
    pub input_dropped: u64,
}

/// What a helper that has exited left.
#[derive(Debug)]
pub struct Outcome {
    /// EXITED or FAILED, if one came.
    pub last: Option<Frame>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Exit status of the helper.
    pub status: ExitStatus,
    /// What the helper, or a program that inherited it, wrote to stderr.
    pub errors: String,
}

impl Outcome {
    #[track_caller]
    pub fn report(&self) -> &Report {
        match &self.last {
            Some(Frame::Exited(report)) => report,
            other => panic!("no EXITED but {other:?}: {}", self.errors),
        }
    }

    #[track_caller]
    pub fn failure(&self) -> &Failed {
        match &self.last {
            Some(Frame::Failed(failed)) => failed,
            other => panic!("no FAILED but {other:?}: {}", self.errors),
        }
    }

    /// The program's exit code; it must have exited by itself.
    #[track_caller]
    pub fn code(&self) -> i32 {
        assert_eq!(self.report().how, 0, "{:?}", self.last);
        self.report().code.into()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Owner {
    pub fn new(setup: &Setup) -> Self {
        let mark = setup.mark.clone().unwrap_or_else(Mark::new);
        let errors = tempfile::tempfile().unwrap();
        let mut command = setup.command(&mark);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let own = setup.errors.as_ref().map(|fd| fd.try_clone().unwrap());
        command.stderr(own.unwrap_or_else(|| errors.try_clone().unwrap().into()));
        let mut child = command.spawn().unwrap();
        mark.add_helper(pid_of(&child));
        let mut owner = Self {
            pid: pid_of(&child),
            input: child.stdin.take(),
            output: child.stdout.take(),
            child,
            mark,
            errors,
            bytes: Vec::new(),
            window: setup.window(),
            in_flight: 0,
            acks: true,
            program: 0,
            last: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            input_written: 0,
            input_dropped: 0,
        };
        // A helper that refused its descriptors may have exited.
        let _ = owner.try_send(&setup.opening());
        owner
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    #[track_caller]
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A pipe that poll(2) calls writable takes PIPE_BUF bytes without blocking: pipe(7).
        for chunk in bytes.chunks(4096) {
            let input = self.input.as_mut().expect("stdin is closed");
            wait_for_fd(input, PollFlags::POLLOUT);
            input.write_all(chunk)?;
        }
        Ok(())
    }

    #[track_caller]
    pub fn ack_all(&mut self) {
        if self.in_flight > 0 && self.input.is_some() {
            self.send(&frames::ack(self.in_flight));
            self.in_flight = 0;
        }
    }

    /// The next frame, kept and acknowledged; `None` at the end of the helper's stdout.
    #[track_caller]
    pub fn next(&mut self) -> Option<Frame> {
        let frame = self.next_silently()?;
        assert!(self.last.is_none(), "{frame:?} after {:?}", self.last);
        assert!(
            self.program != 0 || matches!(frame, Frame::Started { .. } | Frame::Failed(_)),
            "{frame:?} comes first"
        );
        match &frame {
            Frame::Started { program, .. } => self.program = *program,
            Frame::Stdout(bytes) => {
                self.stdout.extend_from_slice(bytes);
                self.note_output(bytes.len());
            }
            Frame::Stderr(bytes) => {
                self.stderr.extend_from_slice(bytes);
                self.note_output(bytes.len());
            }
            Frame::InputAck { written, dropped } => {
                assert!(*written > 0 || *dropped > 0);
                assert!(
                    *dropped > 0 || self.input_dropped == 0,
                    "written after it was dropped"
                );
                self.input_written += u64::from(*written);
                self.input_dropped += u64::from(*dropped);
            }
            Frame::Notify(_) => {}
            Frame::AckedByReading => panic!("that cannot be seen of a pipe"),
            Frame::Exited(_) | Frame::Failed(_) => self.last = Some(frame.clone()),
        }
        Some(frame)
    }

    #[track_caller]
    fn note_output(&mut self, bytes: usize) {
        assert!(bytes > 0, "an output frame without output");
        self.in_flight += u32::try_from(bytes).unwrap();
        assert!(self.in_flight <= self.window, "{} bytes", self.in_flight);
        if self.acks {
            self.ack_all();
        }
    }

    #[track_caller]
    fn next_silently(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = frames::take(&mut self.bytes) {
                return Some(frame);
            }
            if !self.read_some() {
                assert!(self.bytes.is_empty(), "the last frame is cut short");
                return None;
            }
        }
    }

    /// Reads bytes from the helper; false at the end.
    #[track_caller]
    pub fn read_some(&mut self) -> bool {
        let Some(output) = &mut self.output else {
            return false;
        };
        wait_for_fd(output, PollFlags::POLLIN);
        let mut buffer = [0; 16384];
        let count = output.read(&mut buffer).unwrap();
        self.bytes.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// Whether the helper wrote something that was not read yet.
    pub fn has_more(&self) -> bool {
        let fd = self.output.as_ref().unwrap().as_fd();
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        !self.bytes.is_empty() || poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
    }

    /// Reads until the program runs.
    #[track_caller]
    pub fn read_started(&mut self) {
        while self.program == 0 {
            let frame = self.next();
            assert!(matches!(frame, Some(Frame::Started { .. })), "{frame:?}");
        }
    }

    /// Reads until the program wrote `text` to stdout or stderr.
    #[track_caller]
    pub fn read_until(&mut self, text: &str) {
        let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        while !has(&self.stdout) && !has(&self.stderr) {
            match self.next() {
                Some(Frame::Exited(_) | Frame::Failed(_)) | None => {
                    panic!("no {text:?} before {:?}: {}", self.last, self.errors())
                }
                Some(_) => {}
            }
        }
    }

    /// Reads up to EXITED, FAILED or the end of the helper.
    #[track_caller]
    pub fn read_to_last(&mut self) -> Option<Frame> {
        while self.last.is_none() && self.next().is_some() {}
        self.last.clone()
    }

    pub fn signal_helper(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).unwrap();
    }

    pub fn signal_program(&self, signal: Signal) {
        kill(Pid::from_raw(self.program), signal).unwrap();
    }

    /// What is on stderr so far.
    pub fn errors(&self) -> String {
        let mut text = Vec::new();
        let mut file = self.errors.try_clone().unwrap();
        file.rewind().unwrap();
        file.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Checks that only the helper is alive.
    #[track_caller]
    pub fn assert_only_the_helper_is_left(&self) {
        let alive = self.mark.alive_besides(&[self.pid]);
        assert!(alive.is_empty(), "still alive: {alive:?}");
    }

    /// Reads up to the last frame, after which only the helper may be alive, closes the helper's stdin and waits until
    /// it has exited.
    #[track_caller]
    pub fn finish(mut self) -> Outcome {
        if let Some(Frame::Exited(_) | Frame::Failed(_)) = self.read_to_last() {
            self.assert_only_the_helper_is_left();
            assert!(is_alive(self.pid), "the helper left before its owner");
        }
        self.end()
    }

    /// Closes the helper's stdin and waits until it has exited, after which nothing may be alive.
    #[track_caller]
    pub fn end(self) -> Outcome {
        let (outcome, mark) = self.end_with_survivors();
        let alive = mark.alive();
        assert!(alive.is_empty(), "still alive: {alive:?}");
        outcome
    }

    /// The same, but processes may be alive afterwards.
    #[track_caller]
    pub fn end_with_survivors(mut self) -> (Outcome, Mark) {
        self.input = None;
        let mut status = None;
        eventually("the helper exits", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        while self.output.is_some() && self.has_more() && self.read_some() {}
        let nothing_more = self.last.is_none() || self.bytes.is_empty();
        assert!(nothing_more, "{} bytes after EXITED", self.bytes.len());
        match &self.last {
            Some(Frame::Exited(report)) => assert_eq!(status.code(), Some(report.status())),
            Some(Frame::Failed(failed)) => assert_eq!(status.code(), Some(failed.status.into())),
            _ => {}
        }
        let outcome = Outcome {
            last: self.last.take(),
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
            status,
            errors: self.errors(),
        };
        (outcome, self.mark.clone())
    }

    /// Waits until the helper exits although its stdin is open, and returns its exit status.
    #[track_caller]
    pub fn exit_status(mut self) -> i32 {
        eventually("the helper exits", || self.has_exited());
        self.end().status.code().unwrap()
    }

    /// Whether the helper has exited.
    pub fn has_exited(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

/// The mark takes care of what the helper leaves then.
impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn wait_for_fd(fd: &impl AsFd, what: PollFlags) {
    let mut fds = [PollFd::new(fd.as_fd(), what)];
    let timeout = PollTimeout::try_from(TIMEOUT).unwrap();
    let count = poll(&mut fds, timeout).unwrap();
    assert!(count > 0, "the helper does nothing");
}
