// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The end of a session without an event loop: polls with a deadline.

use super::containment::Containment;
use crate::process::reap::{BATCH, reap};
use crate::process::sweep::Progress;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// When to give up.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Polling interval.
const TICK: Duration = Duration::from_millis(2);

/// Ends a sweep that was begun, and removes the cgroup.
pub(super) fn tear_down(containment: &mut Containment, is_sweeping: bool) {
    let deadline = Instant::now() + TIMEOUT;
    let mut wait_for = |step: fn(&mut Containment) -> Progress| {
        while step(containment) == Progress::Waiting {
            if Instant::now() >= deadline {
                return;
            }
            sleep(TICK);
            let _ = reap(0, BATCH, |pid| containment.note_reaped(pid));
        }
    };
    if is_sweeping {
        wait_for(Containment::sweep);
    }
    wait_for(Containment::remove);
}
