// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What the benchmarks have to see from outside the BEAM.
//!
//! ```text
//! watch spawn RUNS HELPER PROGRAM   runs PROGRAM by itself and through HELPER, in turn, and prints
//!                                   the microseconds of each pair
//! watch gone PID                    prints when a process has ended, in nanoseconds of the monotonic clock
//! ```

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["spawn", runs, helper, program] => spawn(runs.parse()?, helper, program),
        ["gone", pid] => gone(pid.parse()?),
        _ => Err("usage: watch spawn RUNS HELPER PROGRAM | watch gone PID".into()),
    }
}

fn spawn(runs: u32, helper: &str, program: &str) -> Result<(), Box<dyn Error>> {
    let mut pairs = Vec::new();
    for _ in 0..runs {
        let alone = time(&mut Command::new(program))?;
        let helped = time(Command::new(helper).args(["--", program]))?;
        pairs.push((alone.as_micros(), helped.as_micros()));
    }
    // Only now, for whoever reads it would be woken by each, and be in the way of the next.
    for (alone, helped) in pairs {
        println!("{alone} {helped}");
    }
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    // To wait would close it, and that would stop the program.
    let stdin = child.stdin.take();
    let status = child.wait()?;
    let time = start.elapsed();
    drop(stdin);
    if status.success() {
        Ok(time)
    } else {
        Err(format!("{command:?}: {status}").into())
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
