// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Tells the benchmarks when a process has ended.
//!
//! ```text
//! watch gone PID   prints when the process has ended, in nanoseconds of the monotonic clock
//! ```

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["gone", pid] => gone(pid.parse()?),
        _ => Err("usage: watch gone PID".into()),
    }
}

fn gone(pid: i32) -> Result<(), Box<dyn Error>> {
    let pid = Pid::from_raw(pid).ok_or("no process has this pid")?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    println!("watching");
    poll(&mut [PollFd::new(&process, PollFlags::IN)], None)?;
    let now = clock_gettime(ClockId::Monotonic);
    println!("{}", now.tv_sec * 1_000_000_000 + now.tv_nsec);
    Ok(())
}
