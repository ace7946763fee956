// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a process uses: `proc_pid_stat(5)`.

use super::Entry;
use super::sysconf::{page_bytes, ticks_per_second};
use crate::sys::Counters;
use std::io;

const MICROSECONDS: u64 = 1_000_000;

/// What a process uses at present.
pub fn read_counters(pid: i32) -> io::Result<Counters> {
    let line = Entry::open(pid)?.stat_line()?;
    let Some((ticks, pages)) = parse(&line) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    Ok(Counters {
        cpu_us: ticks.saturating_mul(MICROSECONDS) / ticks_per_second()?,
        memory_bytes: pages.saturating_mul(page_bytes()?),
    })
}

/// The CPU time in clock ticks, and the resident memory in pages.
fn parse(line: &str) -> Option<(u64, u64)> {
    // The name is in parentheses and may contain some. The first field behind it is the third.
    let (_, rest) = line.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    let unsigned = |field| number(field).map(|value| u64::try_from(value).unwrap_or(0));
    // User and system time, and those of the children that were waited for.
    let ticks = (14..=17).map(unsigned).sum::<Option<u64>>()?;
    Some((ticks, unsigned(24)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_pages_are_read_behind_the_name() {
        let line =
            "7 (a) b) S 1 7 7 0 -1 4194304 100 200 0 0 11 22 33 44 20 0 1 0 555 1000000 77 9";
        assert_eq!(parse(line), Some((110, 77)));
        assert_eq!(parse("7 (a) S 1"), None);
    }
}
