// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Programs that do what no ordinary tool does.
//!
//! They are this executable: with [`VARIABLE`] set, it runs the program of that name before `main`, and so before the
//! test runner and Rust's runtime have changed what was inherited.
#![allow(unsafe_code)] // fork, the raw calls of these programs, and the entry before `main`

use crate::odd_starters;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, getuid, pause, setsid};
use std::fs::{self, File};
use std::io::{Read, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::exit;

pub const VARIABLE: &str = "MUONTRAP_TEST_PROGRAM";

/// Separates a program that execs its arguments from the program that is exec'ed.
pub const AND_THEN: &str = " AND THEN ";

/// The executable that runs them.
pub fn path() -> String {
    let path = std::env::current_exe().unwrap();
    path.into_os_string().into_string().unwrap()
}

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = run_if_asked;

extern "C" fn run_if_asked() {
    let Ok(asked) = std::env::var(VARIABLE) else {
        return;
    };
    let (program, then) = match asked.split_once(AND_THEN) {
        Some((program, then)) => (program, Some(then)),
        None => (asked.as_str(), None),
    };
    let words: Vec<&str> = program.split(' ').collect();
    let number = |index: usize| -> i32 { words[index].parse().unwrap() };
    match words[0] {
        "write" => write_pattern(number(1).unsigned_abs() as usize),
        "random" => write_random(number(1).unsigned_abs() as usize),
        "die" => die(number(1)),
        "inherited" => print_inherited(),
        "session" => session(words[1] == "leave"),
        "daemon" => daemon(words[1] == "leave"),
        "headless" => headless(words[1] == "leave"),
        "traced" => traced(words[1] == "leave"),
        "bomb" => bomb(words[1] == "leave", words.get(2) == Some(&"noisy")),
        "close-stdin" => close_stdin(),
        "become-root" => become_root(),
        "root-awaits-child" => root_awaits_child(),
        "connect" => connect(words[1]),
        "notify" => crate::odd_notifiers::notify(words[1]),
        "polluted" => odd_starters::exec_polluted(then),
        "deaf" => odd_starters::exec_deaf(then),
        "in-terminal" => odd_starters::exec_in_terminal(words[1], then),
        "port" => odd_starters::start_as_port(then),
        "with-groups" => odd_starters::exec_with_groups(words[1], then),
        other => panic!("there is no odd program {other}"),
    }
    exit(0)
}

/// Connects to a path or a name in the abstract namespace, and waits until the other side closes.
fn connect(name: &str) {
    let address = if name.starts_with('/') {
        SocketAddr::from_pathname(name)
    } else {
        SocketAddr::from_abstract_name(name)
    };
    let address = address.unwrap();
    let mut stream = UnixStream::connect_addr(&address).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

fn say(text: &str) {
    let mut out = stdout();
    out.write_all(text.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Without Rust's buffer for lines.
fn raw_stdout() -> File {
    File::from(stdout().as_fd().try_clone_to_owned().unwrap())
}

fn wait_for_ever() -> ! {
    loop {
        pause();
    }
}

/// Forks, and returns whether this is the child. With one thread, the child may do anything.
pub fn is_forked_child() -> bool {
    // SAFETY: this process has one thread.
    matches!(unsafe { fork() }, Ok(ForkResult::Child))
}

/// Bytes whose values depend on their position.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|index| (index % 251).to_le_bytes()[0])
        .collect()
}

/// Writes all at once and exits without any cleanup.
fn write_pattern(size: usize) {
    raw_stdout().write_all(&pattern(size)).unwrap();
    // SAFETY: _exit takes no pointers.
    unsafe { libc::_exit(0) }
}

/// An endless stream of bytes without a pattern (xorshift64).
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub fn block(&mut self) -> [u8; 4096] {
        let mut block = [0; 4096];
        for word in block.chunks_exact_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            word.copy_from_slice(&self.0.to_ne_bytes());
        }
        block
    }
}

fn write_random(blocks: usize) {
    let mut random = Random::new();
    let mut out = raw_stdout();
    for _ in 0..blocks {
        out.write_all(&random.block()).unwrap();
    }
}

/// Dies of a signal, without a core file.
fn die(signal: i32) {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is live; kill takes no pointers.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::kill(libc::getpid(), signal);
    }
}

/// Prints its descriptors, and what of its status is inherited.
fn print_inherited() {
    let listed: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // Without the descriptor of the listing itself, which is closed.
    let open = listed
        .iter()
        .filter(|fd| fs::read_link(format!("/proc/self/fd/{fd}")).is_ok());
    let mut open: Vec<&str> = open.map(String::as_str).collect();
    open.sort_unstable();
    say(&format!("Open:\t{}\n", open.join(",")));
    say(&fs::read_to_string("/proc/self/status").unwrap());
}

/// Returns when the test closes its stdin.
fn leave_when_told() {
    let mut nothing = Vec::new();
    let _ = stdin().read_to_end(&mut nothing);
}

fn stay_or_leave(leaves: bool) {
    if leaves {
        leave_when_told();
    } else {
        wait_for_ever();
    }
}

/// A child that is the leader of another session.
fn session(leaves: bool) {
    if is_forked_child() {
        setsid().unwrap();
        say("ready\n");
        wait_for_ever();
    }
    stay_or_leave(leaves);
}

/// The classic daemon: forks, calls setsid(2), and forks again. The last process is an orphan.
fn daemon(leaves: bool) {
    if is_forked_child() {
        setsid().unwrap();
        let starter = getpid();
        if !is_forked_child() {
            exit(0);
        }
        while getppid() == starter {
            std::thread::yield_now();
        }
        say("ready\n");
        wait_for_ever();
    }
    stay_or_leave(leaves);
}

/// A process whose first thread has ended while another one runs: it looks like a zombie.
fn headless(leaves: bool) {
    if leaves && !is_forked_child() {
        return leave_when_told();
    }
    std::thread::spawn(|| {
        let stat = format!("/proc/{}/stat", std::process::id());
        while !fs::read_to_string(&stat).unwrap().contains(") Z ") {
            std::thread::yield_now();
        }
        say("ready\n");
        wait_for_ever();
    });
    // SAFETY: this ends only the calling thread; the other one uses nothing that it owns.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// A process that its tracer stops at a signal.
fn traced(leaves: bool) {
    if leaves && !is_forked_child() {
        return leave_when_told();
    }
    let none = std::ptr::null_mut::<libc::c_void>();
    if is_forked_child() {
        // SAFETY: this request takes no pointers.
        assert_eq!(0, unsafe {
            libc::ptrace(libc::PTRACE_TRACEME, 0, none, none)
        });
        kill(getpid(), Signal::SIGUSR1).unwrap();
        wait_for_ever();
    }
    nix::sys::wait::waitpid(None, None).unwrap();
    say("ready\n");
    wait_for_ever();
}

/// Forks without end, up to its limit of processes. Noisy ones also continue those that were stopped.
fn bomb(leaves: bool, noisy: bool) {
    let is_contained = !cfg!(feature = "portable");
    assert!(
        is_contained,
        "with this feature, a fork bomb is not contained"
    );
    limit_processes(40);
    if leaves && !is_forked_child() {
        return leave_when_told();
    }
    let mut said = false;
    loop {
        // SAFETY: this process has one thread.
        if unsafe { fork() }.is_err() && !said {
            said = true;
            say("ready\n");
        }
        if noisy {
            let _ = kill(Pid::from_raw(0), Signal::SIGCONT);
        }
    }
}

/// Limits the processes of this user, who must not be root: the limit does not apply to root.
fn limit_processes(more: u64) {
    let mut limit = more;
    if getuid().is_root() {
        // Another user, so that only these processes count.
        let uid = 100_000 + getpid().as_raw().unsigned_abs();
        nix::unistd::setgid(uid.into()).unwrap();
        nix::unistd::setuid(uid.into()).unwrap();
    } else {
        use std::os::unix::fs::MetadataExt;
        let mine = |entry: &fs::DirEntry| {
            let tasks = fs::read_dir(entry.path().join("task"));
            let owner = entry.metadata().map(|data| data.uid());
            if owner.ok() == Some(getuid().as_raw()) {
                tasks.map_or(0, Iterator::count)
            } else {
                0
            }
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        limit += entries.map(|entry| mine(&entry) as u64).sum::<u64>();
    }
    let limit = libc::rlimit {
        rlim_cur: limit,
        rlim_max: limit,
    };
    // SAFETY: the limit is live.
    assert_eq!(0, unsafe {
        libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit)
    });
}

fn close_stdin() {
    // SAFETY: close takes no pointers, and nothing else here owns descriptor 0.
    unsafe { libc::close(0) };
    say("ready\n");
    wait_for_ever();
}

/// From a set-user-id executable: becomes a user whom its parent may not kill.
fn become_root() {
    nix::unistd::setuid(0.into()).unwrap();
    say("ready\n");
    wait_for_ever();
}

/// From a set-user-id executable: as sudo(8) does for another command than root's, leaves a child of the user who has
/// started it, and waits for that.
fn root_awaits_child() {
    if is_forked_child() {
        nix::unistd::seteuid(getuid()).unwrap();
        let _ = stdin().read_to_end(&mut Vec::new());
        exit(0);
    }
    nix::unistd::setuid(0.into()).unwrap();
    say("ready\n");
    nix::sys::wait::wait().unwrap();
    exit(5);
}
