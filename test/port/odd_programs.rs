// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Programs that do what no ordinary tool does.
//!
//! They are this executable once more: started with [`VARIABLE`] set, it runs what that names before
//! `main`, and so before the test runner and Rust's runtime changed anything of what was inherited.
#![allow(unsafe_code)] // fork, the raw calls of these programs, and the entry before `main`

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::{ForkResult, Pid, execve, fork, getpid, getppid, getuid, pause, setsid};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::exit;

pub const VARIABLE: &str = "MUONTRAP_TEST_PROGRAM";

/// Between a program that execs its arguments and the program that comes later.
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
        "connect" => connect(words[1]),
        "polluted" => exec_polluted(then),
        "deaf" => exec_deaf(then),
        "in-terminal" => exec_in_terminal(words[1], then),
        "port" => start_as_port(then),
        "with-groups" => exec_with_groups(words[1], then),
        other => panic!("there is no odd program {other}"),
    }
    exit(0)
}

/// Connects to a name in the abstract namespace, and waits until the other side closes.
fn connect(name: &str) {
    let address = SocketAddr::from_abstract_name(name).unwrap();
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

/// In the child: true. There is one thread, so that the child may do anything.
fn is_forked_child() -> bool {
    // SAFETY: this process has one thread.
    matches!(unsafe { fork() }, Ok(ForkResult::Child))
}

/// Bytes that differ from place to place.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|index| (index % 251).to_le_bytes()[0])
        .collect()
}

/// Writes it all and is gone without another step.
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

/// Its descriptors, and what of its status a parent can leave behind.
fn print_inherited() {
    let listed: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // The one that the listing itself needed is closed again.
    let open = listed
        .iter()
        .filter(|fd| fs::read_link(format!("/proc/self/fd/{fd}")).is_ok());
    let mut open: Vec<&str> = open.map(String::as_str).collect();
    open.sort_unstable();
    say(&format!("Open:\t{}\n", open.join(",")));
    say(&fs::read_to_string("/proc/self/status").unwrap());
}

/// Leaves when the test closes its stdin.
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

/// A child that leads a session of its own.
fn session(leaves: bool) {
    if is_forked_child() {
        setsid().unwrap();
        say("ready\n");
        wait_for_ever();
    }
    stay_or_leave(leaves);
}

/// The classic daemon: forks, leads a session, forks again, and the last one has lost its parents.
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

/// A process whose first thread has ended while another runs on: a zombie by its looks.
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
    // SAFETY: this ends the calling thread alone; nothing that it owns is used by the other.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// A process in the hands of a tracer, which holds it at a signal.
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

/// Forks for ever, up to its limit of processes. Noisy ones also wake whoever of them was stopped.
fn bomb(leaves: bool, noisy: bool) {
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

/// Limits the processes of this user, who has to be somebody whom the limit binds: not root.
fn limit_processes(more: u64) {
    let mut limit = more;
    if getuid().is_root() {
        // A user of its own, so that only these processes count.
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

/// Started from a set-user-id executable: becomes somebody whom its starter may not kill.
fn become_root() {
    nix::unistd::setuid(0.into()).unwrap();
    say("ready\n");
    wait_for_ever();
}

/// Execs its arguments, which are read in a way that works before `main` with every C library.
/// Not with `Command`, which would unblock signals and change SIGPIPE.
fn exec_arguments(then: Option<&str>) -> ! {
    let line = fs::read("/proc/self/cmdline").unwrap();
    let words = line.strip_suffix(b"\0").unwrap().split(|&byte| byte == 0);
    let words: Vec<CString> = words
        .skip(1)
        .map(|word| CString::new(word).unwrap())
        .collect();
    let others = std::env::vars_os().filter(|(key, _)| key != VARIABLE);
    let then = then.map(|program| (VARIABLE.into(), program.into()));
    let environment: Vec<CString> = others
        .chain(then)
        .map(|(key, value)| CString::new([key.into_vec(), value.into_vec()].join(&b'=')).unwrap())
        .collect();
    let never = execve(&words[0], &words, &environment);
    panic!("{:?}: {never:?}", words[0]);
}

/// With every signal ignored, and descriptors that are nobody's business.
fn exec_polluted(then: Option<&str>) -> ! {
    for signal in 1..=64 {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    for target in [7, 20, 300] {
        // SAFETY: dup2 takes no pointers. The copies are not close-on-exec.
        unsafe { libc::dup2(2, target) };
    }
    exec_deaf(then)
}

/// With every signal blocked.
fn exec_deaf(then: Option<&str>) -> ! {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None).unwrap();
    exec_arguments(then)
}

/// As the leader of a session whose terminal this is, with stdin, stdout and stderr there.
///
/// As after a login: a shell without job control ignores the signals of the keys in what it starts in the
/// background, the tests included, and no shell below may change that.
fn exec_in_terminal(terminal: &str, then: Option<&str>) -> ! {
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    setsid().unwrap();
    // The first terminal that a session leader opens becomes its own: tty(4).
    let tty = File::options()
        .read(true)
        .write(true)
        .open(terminal)
        .unwrap();
    for target in 0..3 {
        // SAFETY: dup2 takes no pointers.
        unsafe { libc::dup2(tty.as_raw_fd(), target) };
    }
    drop(tty);
    exec_arguments(then)
}

/// As the parent of a port's program, whose name says so.
fn start_as_port(then: Option<&str>) -> ! {
    nix::sys::prctl::set_name(c"erl_child_setup").unwrap();
    if is_forked_child() {
        exec_arguments(then);
    }
    // The program would not see its stdin closed.
    for fd in 0..2 {
        // SAFETY: close takes no pointers, and nothing else here owns these.
        unsafe { libc::close(fd) };
    }
    match nix::sys::wait::wait().unwrap() {
        nix::sys::wait::WaitStatus::Exited(_, status) => exit(status),
        other => panic!("{other:?}"),
    }
}

/// As user, group, and supplementary groups of these numbers: `65534:65534:1,2`. Its pipes are that
/// user's, as if he had made them.
fn exec_with_groups(who: &str, then: Option<&str>) -> ! {
    let mut ids = who.split(':');
    let mut id = || ids.next().unwrap();
    let (user, group): (u32, u32) = (id().parse().unwrap(), id().parse().unwrap());
    let groups: Vec<_> = id()
        .split(',')
        .map(|group| group.parse::<u32>().unwrap().into())
        .collect();
    for fd in [stdin().as_fd(), stdout().as_fd()] {
        nix::unistd::fchown(fd, Some(user.into()), None).unwrap();
    }
    nix::unistd::setgroups(&groups).unwrap();
    nix::unistd::setgid(group.into()).unwrap();
    nix::unistd::setuid(user.into()).unwrap();
    exec_arguments(then)
}
