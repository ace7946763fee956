// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A client of a fork server, after `docs/protocol.md`.

use crate::answer::{Answer, parse, read_frame};
use crate::frames::{self, Failed, Frame, PROTOCOL, Report, field, frame, hello, number};
use crate::harness::{helper_path, pid_of, wait_for_fd};
use crate::odd_programs;
use crate::processes::{Mark, eventually};
use nix::poll::PollFlags;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// A fork server of which this process is the client.
pub struct Server {
    pub child: Child,
    pub input: Option<ChildStdin>,
    output: ChildStdout,
    bytes: Vec<u8>,
    pub token: [u8; 32],
    pub pid: i32,
    pub address: Vec<u8>,
    pub finds_directory: bool,
    pub mark: Mark,
}

/// A stream to a session.
pub struct Session {
    pub stream: UnixStream,
    bytes: Vec<u8>,
    pub number: u64,
    pub mark: Mark,
    pub pid: i32,
    pub program: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Whether it sends ACK.
    pub acks: bool,
}

impl Server {
    pub fn start() -> Self {
        Self::configured(&[])
    }

    /// With more fields in CONFIG.
    pub fn configured(fields: &[u8]) -> Self {
        let mut server = Self::spawn();
        server.configure(PROTOCOL, std::process::id(), fields);
        server.read_ready();
        server
    }

    /// A fork server that waits for CONFIG.
    pub fn spawn() -> Self {
        Self::spawn_by(&mut Command::new("/bin/sh"))
    }

    /// As [`Self::start`], of one that inherits every signal as ignored and blocked, and descriptors.
    pub fn polluted() -> Self {
        let mut command = Command::new(odd_programs::path());
        Self::start_by(command.env(odd_programs::VARIABLE, "polluted"))
    }

    /// As [`Self::start`], by a command that executes its arguments.
    pub fn start_by(command: &mut Command) -> Self {
        let mut server = Self::spawn_by(command.arg("/bin/sh"));
        server.configure(PROTOCOL, std::process::id(), &[]);
        server.read_ready();
        server
    }

    fn spawn_by(shell: &mut Command) -> Self {
        let mark = Mark::new();
        let mut child = shell
            .args([
                "-c",
                "exec \"$0\" --fork-server 3<&0 4>&1 </dev/null >/dev/null",
            ])
            .arg(helper_path())
            .env(Mark::VARIABLE, mark.value())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            pid: pid_of(&child),
            input: child.stdin.take(),
            output: child.stdout.take().unwrap(),
            child,
            bytes: Vec::new(),
            token: [7; 32],
            address: Vec::new(),
            finds_directory: false,
            mark,
        }
    }

    pub fn configure(&mut self, protocol: u16, client: u32, fields: &[u8]) {
        let own = [field(1, &self.token), number(2, client)].concat();
        self.send(&frame(
            0x41,
            &[&protocol.to_be_bytes()[..], &own, fields].concat(),
        ));
    }

    #[track_caller]
    pub fn read_ready(&mut self) {
        let frame = self.read_frame();
        assert_eq!(frame[0], 0xc1, "{frame:?}");
        assert_eq!(frame[1..3], PROTOCOL.to_be_bytes());
        assert_eq!(frame[3..7], self.pid.to_be_bytes());
        let mut rest = &frame[7..];
        let mut text = || {
            let (length, after) = rest.split_at(2);
            let length = u16::from_be_bytes(length.try_into().unwrap()).into();
            let (text, after) = after.split_at(length);
            rest = after;
            text.to_vec()
        };
        assert_eq!(text(), env!("CARGO_PKG_VERSION").as_bytes());
        self.address = text();
        self.finds_directory = rest.starts_with(&number(12, 1));
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn read_frame(&mut self) -> Vec<u8> {
        if self.bytes.is_empty() {
            wait_for_fd(&self.output, PollFlags::POLLIN);
        }
        read_frame(&mut self.output, &mut self.bytes).expect("the fork server is gone")
    }

    pub fn read(&mut self) -> Answer {
        parse(&self.read_frame())
    }

    /// A connection on which nothing was sent yet.
    pub fn connect(&self) -> Session {
        self.connect_as("")
    }

    /// A connection whose end is reported without a WATCH.
    pub fn connect_watched(&self) -> Session {
        self.connect_as("+")
    }

    fn connect_as(&self, mark: &str) -> Session {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = [
            &self.address[..],
            format!(".{number:016x}{mark}").as_bytes(),
        ]
        .concat();
        Session {
            stream: connect(&self.address, &name),
            bytes: Vec::new(),
            number,
            mark: self.mark.clone(),
            pid: 0,
            program: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            acks: true,
        }
    }

    /// A program that captures stdout, with more fields.
    #[track_caller]
    pub fn run(&self, program: &[&str], fields: &[u8]) -> Session {
        self.run_on(self.connect(), program, fields)
    }

    #[track_caller]
    pub fn run_on(&self, mut session: Session, program: &[&str], fields: &[u8]) -> Session {
        session.send(&hello(PROTOCOL, &self.token));
        session.send(&session.start_frame(program, fields));
        session.read_started();
        session
    }

    #[track_caller]
    pub fn sh(&self, script: &str) -> Session {
        self.run(&["sh", "-c", script], &[])
    }

    /// A script that ran until it wrote `text`.
    #[track_caller]
    pub fn sh_until(&self, script: &str, text: &str) -> Session {
        let mut session = self.sh(script);
        session.read_until(text);
        session
    }

    pub fn watch(&mut self, number: u64, pid: i32, limit_ms: u32) -> Answer {
        self.send_watch(number, pid, limit_ms);
        self.read()
    }

    pub fn send_watch(&mut self, number: u64, pid: i32, limit_ms: u32) {
        let payload = [
            &number.to_be_bytes()[..],
            &pid.to_be_bytes(),
            &limit_ms.to_be_bytes(),
        ];
        self.send(&frame(0x43, &payload.concat()));
    }

    /// Waits until nothing is left of a session. Returns how it ended, which is unknown if it is over already, and how many
    /// processes were swept.
    #[track_caller]
    pub fn await_end(&mut self, session: &Session) -> (u8, u8, u32) {
        self.send_watch(session.number, session.pid, 0);
        self.read_end(session)
    }

    /// The same, of a session that ends because its client disconnects.
    #[track_caller]
    pub fn disconnect(&mut self, session: &Session) -> (u8, u8, u32) {
        self.send_watch(session.number, session.pid, 0);
        drop(session.stream.shutdown(Shutdown::Both));
        self.read_end(session)
    }

    /// The report of its end.
    #[track_caller]
    pub fn read_end(&mut self, session: &Session) -> (u8, u8, u32) {
        match self.read() {
            Answer::Ended {
                connection,
                how,
                code,
                swept,
                survivors: 0,
                ..
            } if connection == session.number => (how, code, swept),
            other => panic!("{other:?}"),
        }
    }

    pub fn counts(&mut self) -> Vec<u64> {
        self.send(&frame(0x44, &[]));
        match self.read() {
            Answer::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the fork server to exit.
    #[track_caller]
    pub fn await_exit(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the fork server exits", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// Closes the control stream. When the fork server has exited, nothing may be alive.
    #[track_caller]
    pub fn finish(mut self) {
        self.input = None;
        assert_eq!(self.await_exit(), Some(0));
        let alive = self.mark.alive();
        assert!(alive.is_empty(), "still alive: {alive:?}");
    }
}

/// The mark kills what it leaves then.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A killed one leaves its socket behind, where that is a file in a folder of its own.
        let path = Path::new(OsStr::from_bytes(&self.address));
        let folder = path.parent().filter(|_| path.is_absolute());
        let is_its_own = |folder: &&Path| {
            let name = folder.file_name().unwrap_or_default();
            name.as_bytes().starts_with(b"muontrap-")
        };
        if let Some(folder) = folder.filter(is_its_own) {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Connects from an address to another, in the format of unix(7). The standard library binds only listeners.
#[allow(unsafe_code)]
pub fn connect(to: &[u8], from: &[u8]) -> UnixStream {
    type Call = unsafe extern "C" fn(i32, *const libc::sockaddr, libc::socklen_t) -> i32;
    let with = |call: Call, fd: i32, name: &[u8]| {
        let mut address = libc::sockaddr_un {
            sun_family: libc::sa_family_t::try_from(libc::AF_UNIX).unwrap(),
            sun_path: [0; 108],
        };
        for (place, byte) in address.sun_path.iter_mut().zip(name) {
            *place = libc::c_char::from_ne_bytes([*byte]);
        }
        let size = size_of::<libc::sa_family_t>() + name.len();
        let size = libc::socklen_t::try_from(size).unwrap();
        // SAFETY: the address is live and has at least `size` bytes.
        let result = unsafe { call(fd, (&raw const address).cast(), size) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    };
    // SAFETY: socket(2) takes no pointers, and nobody else has the descriptor.
    let stream = unsafe {
        let fd = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        UnixStream::from_raw_fd(fd)
    };
    with(libc::bind, stream.as_raw_fd(), from);
    with(libc::connect, stream.as_raw_fd(), to);
    stream
}

impl Session {
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// START of a program whose environment is the test's, with the mark.
    pub fn start_frame(&self, program: &[&str], fields: &[u8]) -> Vec<u8> {
        let mut payload = field(1, program[0].as_bytes());
        for argument in &program[1..] {
            payload.extend(field(2, argument.as_bytes()));
        }
        let directory = std::env::current_dir().unwrap();
        payload.extend(field(4, directory.as_os_str().as_bytes()));
        for (name, value) in std::env::vars() {
            payload.extend(field(6, format!("{name}={value}").as_bytes()));
        }
        payload.extend(field(
            8,
            format!("{}={}", Mark::VARIABLE, self.mark.value()).as_bytes(),
        ));
        payload.extend(field(17, b"capture"));
        payload.extend_from_slice(fields);
        frames::start(&payload)
    }

    /// The next frame; `None` at the end of the stream. Output is kept and acknowledged.
    pub fn next(&mut self) -> Option<Answer> {
        let answer = parse(&read_frame(&mut self.stream, &mut self.bytes)?);
        match &answer {
            Answer::Frame(Frame::Stdout(bytes)) => {
                self.stdout.extend_from_slice(bytes);
                self.acknowledge(bytes.len());
            }
            Answer::Frame(Frame::Stderr(bytes)) => {
                self.stderr.extend_from_slice(bytes);
                self.acknowledge(bytes.len());
            }
            Answer::Frame(Frame::Started {
                session, program, ..
            }) => (self.pid, self.program) = (*session, *program),
            _ => {}
        }
        Some(answer)
    }

    fn acknowledge(&mut self, count: usize) {
        if self.acks {
            self.send(&frames::ack(u32::try_from(count).unwrap()));
        }
    }

    #[track_caller]
    pub fn read_started(&mut self) {
        let answer = self.next();
        let started = matches!(answer, Some(Answer::Frame(Frame::Started { .. })));
        assert!(started, "{answer:?}");
    }

    #[track_caller]
    pub fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.stdout).contains(text) {
            let answer = self.next();
            let Some(Answer::Frame(Frame::Stdout(_) | Frame::InputAck { .. })) = answer else {
                panic!("no {text:?} before {answer:?}");
            };
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Reads up to EXITED.
    #[track_caller]
    pub fn report(&mut self) -> Report {
        use Frame::{Exited, InputAck, Stderr, Stdout};
        loop {
            match self.next() {
                Some(Answer::Frame(Exited(report))) => return report,
                Some(Answer::Frame(Stdout(_) | Stderr(_) | InputAck { .. })) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[track_caller]
    pub fn failure(&mut self) -> Failed {
        match self.next() {
            Some(Answer::Frame(Frame::Failed(failed))) => failed,
            other => panic!("{other:?}"),
        }
    }
}
