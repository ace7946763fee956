// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Linux without its subreapers, parent-death signals, pidfds and most of `/proc`: for tests of what other systems do.

use super::check;
use nix::errno::Errno;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

pub use super::linux::{
    END_INTEREST, HighPriority, MAXRSS_UNIT, MORE_RESOURCES, ProcessList, SHARES_MEMORY,
    SignalMask, become_undumpable, bind_notify_socket, change_processor, close_range,
    copy_page_tables_to_forks, drop_ambient_capabilities, expect_utf8, fork_into, get_limits,
    has_only_uid, keep_capabilities, limit_bounding_set, make_session, may_signal_others, nr_open,
    parse_stat, peer_of, pipe, pipe_size, process_name, read_counters, read_process,
    receive_datagram, release_pages, release_stack, set_capabilities, set_default, set_limits,
    set_no_new_privs, set_oom_score_adj, set_process_name, start_child, start_child_in,
    start_time_now,
};
pub use super::posix::*;

/// How often forks are looked for without the privilege for events: `CAP_NET_ADMIN`.
const INTERVAL_NS: i64 = 5_000_000;

/// `CN_IDX_PROC`, `CN_VAL_PROC` and `PROC_CN_MCAST_LISTEN` of the kernel's `cn_proc.h`.
const PROC: u32 = 1;
const LISTEN: u32 = 1;

/// Where a message has the kind of event and the process, behind the headers of netlink(7) and of the connector.
const KIND_AT: usize = 36;
const PROCESS_AT: usize = 56;
const ACK: u32 = 0;
const FORK: u32 = 1;
const EXIT: u32 = 0x8000_0000;

/// How many processes the kernel selects events of. Of more, all events come.
const MAX_SELECTED: usize = 1000;

/// Readable after a fork or the end of one of its processes, and now and then without one.
#[derive(Debug)]
pub struct ForkWatch {
    source: Source,
    watched: RefCell<BTreeSet<i32>>,
}

#[derive(Debug)]
enum Source {
    Events(OwnedFd),
    Timer(OwnedFd),
}

impl ForkWatch {
    pub fn open() -> io::Result<Self> {
        let source = match events() {
            Ok(socket) => {
                select(&socket, &BTreeSet::new())?;
                Source::Events(socket)
            }
            Err(_) => Source::Timer(timer()?),
        };
        Ok(Self {
            source,
            watched: RefCell::default(),
        })
    }

    /// Watches a process.
    pub fn add(&self, pid: i32) -> io::Result<()> {
        let mut watched = self.watched.borrow_mut();
        // Now and then, those that are gone are forgotten.
        if watched.len().is_power_of_two() {
            watched.retain(|pid| read_process(*pid).is_ok());
        }
        watched.insert(pid);
        match &self.source {
            Source::Events(socket) => select(socket, &watched),
            Source::Timer(_) => Ok(()),
        }
    }

    /// Takes the events so far, and returns whether there were any.
    pub fn clear(&self) -> bool {
        match &self.source {
            Source::Events(socket) => self.take_events(socket),
            Source::Timer(timer) => nix::unistd::read(timer, &mut [0; 8]).is_ok(),
        }
    }

    fn take_events(&self, socket: &OwnedFd) -> bool {
        let mut any = false;
        let mut bytes = [0_u8; 512];
        loop {
            match nix::unistd::read(socket, &mut bytes) {
                Ok(count) => any |= self.is_meant(&bytes[..count]),
                // Some were lost.
                Err(Errno::ENOBUFS) => any = true,
                Err(_) => return any,
            }
        }
    }

    fn is_meant(&self, message: &[u8]) -> bool {
        let process = number(message, PROCESS_AT).and_then(|pid| i32::try_from(pid).ok());
        matches!(number(message, KIND_AT), Some(FORK | EXIT))
            && process.is_some_and(|pid| self.watched.borrow().contains(&pid))
    }
}

impl AsFd for ForkWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::Events(fd) | Source::Timer(fd) => fd.as_fd(),
        }
    }
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    let bytes = message.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// Events of all processes, from the kernel's process connector. There are none in a container.
fn events() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointer.
    let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_CONNECTOR) })?;
    // SAFETY: it was just opened, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: plain old data, for which all zeroes is a valid value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).unwrap_or(0);
    address.nl_groups = PROC;
    let size = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or(0);
    // SAFETY: the pointer is to a live address of this size.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), size) })?;
    // Length, type, flags, sequence and port of netlink; index, value, sequence, ack, length and flags of the connector.
    let done: u32 = 3;
    let words: [u32; 10] = [40, done, 0, 0, PROC, PROC, 0, 0, 4, LISTEN];
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    nix::unistd::write(&socket, &bytes)?;
    // The answer is there already.
    let mut answer = [0_u8; 512];
    loop {
        let count = nix::unistd::read(&socket, &mut answer)?;
        if number(&answer[..count], KIND_AT) == Some(ACK) {
            return Ok(socket);
        }
    }
}

/// Has the kernel discard the events of all other processes: socket(7), `SO_ATTACH_FILTER`.
fn select(socket: &OwnedFd, watched: &BTreeSet<i32>) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    if watched.len() > MAX_SELECTED {
        let none = std::ptr::null();
        // SAFETY: this option takes no value.
        return check(unsafe {
            libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, none, 0)
        })
        .map(drop);
    }
    let load = |at: usize| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, [0, 0]);
    let skip = |[if_equal, if_not]: [u8; 2], number: u32| {
        // The kernel has loaded it as a number of the network.
        let number = u32::from_be(number);
        let kind = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        instruction(
            kind,
            usize::try_from(number).unwrap_or(0),
            [if_equal, if_not],
        )
    };
    let keep = |bytes: usize| instruction(libc::BPF_RET | libc::BPF_K, bytes, [0, 0]);
    let all = usize::try_from(i32::MAX).unwrap_or(0);
    let mut program = vec![
        load(KIND_AT),
        skip([2, 0], FORK),
        skip([1, 0], EXIT),
        keep(0),
        load(PROCESS_AT),
    ];
    for pid in watched {
        let pid = u32::try_from(*pid).unwrap_or(0);
        program.extend([skip([0, 1], pid), keep(all)]);
    }
    program.push(keep(0));
    let filter = libc::sock_fprog {
        len: libc::c_ushort::try_from(program.len()).unwrap_or(0),
        filter: program.as_mut_ptr(),
    };
    let size = libc::socklen_t::try_from(size_of_val(&filter)).unwrap_or(0);
    let pointer = (&raw const filter).cast();
    // SAFETY: the pointer is to a live value of this size, and what it points to has as many instructions as it says.
    check(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, pointer, size) })
        .map(drop)
}

fn instruction(code: u32, operand: usize, [if_equal, if_not]: [u8; 2]) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt: if_equal,
        jf: if_not,
        k: u32::try_from(operand).unwrap_or(0),
    }
}

fn timer() -> io::Result<OwnedFd> {
    let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
    // SAFETY: takes no pointer.
    let fd = check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
    // SAFETY: it was just opened, and nothing else owns it.
    let timer = unsafe { OwnedFd::from_raw_fd(fd) };
    let interval = libc::timespec {
        tv_sec: 0,
        tv_nsec: INTERVAL_NS,
    };
    let schedule = libc::itimerspec {
        it_interval: interval,
        it_value: interval,
    };
    let none = std::ptr::null_mut();
    // SAFETY: the pointer is to a live value, and the old one is not asked for.
    check(unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const schedule, none) })?;
    Ok(timer)
}
