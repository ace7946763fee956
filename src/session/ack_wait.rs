// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Whether to spin for an acknowledgement or to sleep.
//!
//! On another processor than the owner's, to sleep and to be woken takes longer than the owner takes. On the owner's own
//! processor, spinning is useless, and does harm: the owner goes on after its acknowledgement, and looks in vain for
//! more output, since nothing tells the kernel that the session has become more urgent. So the session moves to another
//! processor. If it cannot, it sleeps: when the acknowledgement wakes it, the kernel lets it run at once, and the owner
//! finds the next output when it goes on.

use std::time::{Duration, Instant};

/// `sched_yield(2)` takes longer only if another process has run meanwhile.
const LONG_YIELD: Duration = Duration::from_micros(10);

/// It may have been the program. So one time proves nothing.
const PROOF: u32 = 3;

/// How often to sleep before spinning is tried again, since the kernel may have moved one of the two. It becomes more
/// each time that they still share a processor: the trial costs as much as some ten acknowledgements.
const FIRST_SLEEPS: u32 = 16;
const MOST_SLEEPS: u32 = 128;

/// After how many acknowledgements, found while spinning, to ask epoll for events.
const UNSEEN: u32 = 64;

#[derive(Debug, Default)]
pub(super) struct AckWait {
    /// How many acknowledgements in a row came while another process had this processor.
    shared: u32,
    sleeps: u32,
    sleeps_left: u32,
    /// How many acknowledgements came since events were looked for.
    unseen: u32,
}

impl AckWait {
    /// Counts a wait, and returns whether to sleep in it.
    pub(super) fn sleeps(&mut self) -> bool {
        let sleeps = self.sleeps_left > 0;
        self.sleeps_left = self.sleeps_left.saturating_sub(1);
        sleeps
    }

    /// Notes that an acknowledgement came while spinning, after a yield that took `time`. `move_away` moves the session to
    /// another processor, if it can.
    pub(super) fn came_after(&mut self, time: Duration, move_away: impl FnOnce() -> bool) {
        if time < LONG_YIELD {
            self.reset();
            return;
        }
        self.shared = self.shared.saturating_add(1);
        if self.shared < PROOF {
            return;
        }
        if move_away() {
            self.reset();
        } else {
            self.sleeps = (2 * self.sleeps).clamp(FIRST_SLEEPS, MOST_SLEEPS);
            self.sleeps_left = self.sleeps;
        }
    }

    fn reset(&mut self) {
        let unseen = self.unseen;
        *self = Self {
            unseen,
            ..Self::default()
        };
    }

    /// Counts an acknowledgement that came while spinning, after a yield that took `time`. Returns whether to ask
    /// epoll for events: as long as acknowledgements keep coming, the session does not sleep, so nothing else does.
    pub(super) fn looks_for_events(&mut self, time: Duration) -> bool {
        self.unseen += 1;
        let looks = self.unseen == UNSEEN || time >= LONG_YIELD;
        if looks {
            self.unseen = 0;
        }
        looks
    }

    /// Lets other processes run, and returns how long they did.
    pub(super) fn let_others_run() -> Duration {
        let since = Instant::now();
        std::thread::yield_now();
        since.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeps(wait: &mut AckWait) -> u32 {
        let mut count = 0;
        while wait.sleeps() {
            count += 1;
        }
        count
    }

    #[test]
    fn the_session_sleeps_while_its_owner_has_the_only_processor() {
        let mut wait = AckWait::default();
        for _ in 1..PROOF {
            wait.came_after(LONG_YIELD, || false);
            assert_eq!(sleeps(&mut wait), 0);
        }
        for expected in [16, 32, 64, 128, 128] {
            wait.came_after(LONG_YIELD, || false);
            assert_eq!(sleeps(&mut wait), expected);
        }
        wait.came_after(Duration::ZERO, || false);
        wait.came_after(LONG_YIELD, || false);
        assert_eq!(sleeps(&mut wait), 0);
    }

    #[test]
    fn the_session_moves_to_another_processor_if_there_is_one() {
        let mut wait = AckWait::default();
        let mut moves = 0;
        for _ in 0..3 * PROOF {
            wait.came_after(LONG_YIELD, || {
                moves += 1;
                true
            });
            assert!(!wait.sleeps());
        }
        assert_eq!(moves, 3);
    }

    #[test]
    fn events_are_looked_for_after_some_acknowledgements_or_a_long_time() {
        let mut wait = AckWait::default();
        for count in 1..=3 * UNSEEN {
            wait.came_after(Duration::ZERO, || panic!("moved"));
            assert_eq!(wait.looks_for_events(Duration::ZERO), count % UNSEEN == 0);
        }
        assert!(!wait.looks_for_events(Duration::ZERO));
        assert!(wait.looks_for_events(LONG_YIELD));
        for _ in 1..UNSEEN {
            assert!(!wait.looks_for_events(Duration::ZERO));
        }
        assert!(wait.looks_for_events(Duration::ZERO));
    }

    #[test]
    fn one_long_yield_now_and_then_is_the_programs() {
        let mut wait = AckWait::default();
        for count in 0..100 {
            let time = if count % 2 == 0 {
                LONG_YIELD
            } else {
                Duration::ZERO
            };
            wait.came_after(time, || panic!("moved after one long yield"));
            assert!(!wait.sleeps());
        }
    }
}
