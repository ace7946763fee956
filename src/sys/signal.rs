// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Signals and their dispositions: kill(2), sigaction(2).

use super::check;
use std::cell::Cell;
use std::ffi::c_int;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Sends a signal to a process, or to a process group when `pid` is negative: kill(2).
///
/// A number and not nix's `Signal`, which has no real-time signals.
pub fn kill(pid: i32, signal: c_int) -> io::Result<()> {
    // SAFETY: kill takes no pointers.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

thread_local! {
    /// What the handlers of [`on_signal`] write to, in the only thread. Its memory is in a page that every process writes
    /// to.
    static WRITER: Cell<RawFd> = const { Cell::new(-1) };
}

/// Installs a handler for `signal` that sets `flag`, and then ends a wait: see [`set_writer`].
pub fn on_signal(signal: c_int, flag: Arc<AtomicBool>) -> io::Result<()> {
    let action = move || {
        flag.store(true, Ordering::Relaxed);
        wake(WRITER.get());
    };
    note_changed(signal);
    // SAFETY: a store and a write are async-signal-safe: signal-safety(7).
    unsafe { signal_hook::low_level::register(signal, action) }.map(drop)
}

/// Has the handlers of [`on_signal`] write to this descriptor of a [`super::Waker`] from now on.
pub fn set_writer(fd: RawFd) {
    WRITER.set(fd);
}

/// Writes to a [`super::Waker`]. For signal handlers.
pub fn wake(fd: RawFd) {
    // Where nothing more can be written, the reader is going to wake up anyway.
    // SAFETY: the buffer has 8 bytes.
    unsafe { libc::write(fd, (&raw const ONE).cast(), size_of::<u64>()) };
}

/// What an eventfd counts.
static ONE: u64 = 1;

/// Makes a write to a pipe without a reader fail with EPIPE instead of killing this process.
pub fn ignore_sigpipe() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

const LAST_SIGNAL: c_int = 64;

/// The signals whose disposition may not be the default one, a bit for each: any may have been inherited as ignored.
static CHANGED: AtomicU64 = AtomicU64::new(u64::MAX);

fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// Gives every signal but SIGPIPE, which is ignored, its default disposition. This process and its forks know then which
/// ones they change, so that a child has to reset only those.
pub fn forget_inherited_dispositions() {
    for signal in (1..=LAST_SIGNAL).filter(|&signal| signal != libc::SIGPIPE) {
        super::system::set_default(signal);
    }
    CHANGED.store(bit(libc::SIGPIPE), Ordering::Relaxed);
}

/// Notes that a signal has another disposition than the default one.
pub fn note_changed(signal: c_int) {
    CHANGED.fetch_or(bit(signal), Ordering::Relaxed);
}

/// Gives a signal its default disposition, unless it is known to have it.
#[cfg(target_os = "linux")]
pub fn make_default(signal: c_int) {
    if CHANGED.load(Ordering::Relaxed) & bit(signal) != 0 {
        super::system::set_default(signal);
    }
}

/// Gives every signal its default disposition. For the child.
pub fn reset_dispositions() {
    let changed = CHANGED.load(Ordering::Relaxed);
    for signal in (1..=LAST_SIGNAL).filter(|&signal| changed & bit(signal) != 0) {
        super::system::set_default(signal);
    }
}

/// Stops this process and its process group by `signal`, one of the stop signals of job control, even if it is
/// blocked or caught here. Returns after SIGCONT, or at once when the group is orphaned: the kernel does not stop
/// such a group.
pub fn stop_own_group(signal: c_int) {
    // SAFETY: plain old data, for which all zeroes is a valid value: SIG_DFL, no flags and an empty mask.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let (mut action, mut mask) = unsafe { (default, std::mem::zeroed()) };
    let mut only = nix::sys::signal::SigSet::empty();
    only.add(match signal {
        libc::SIGTTIN => nix::sys::signal::SIGTTIN,
        libc::SIGTTOU => nix::sys::signal::SIGTTOU,
        _ => nix::sys::signal::SIGTSTP,
    });
    // SAFETY: all pointers are to live values, and no handler is installed that was not there before.
    unsafe {
        libc::sigaction(signal, &raw const default, &raw mut action);
        libc::sigprocmask(libc::SIG_UNBLOCK, only.as_ref(), &raw mut mask);
        libc::kill(0, signal);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}
