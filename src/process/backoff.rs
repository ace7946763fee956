// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Polling with exponential backoff.

use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

/// When to poll next. The interval doubles as long as nothing changes: a frozen process may never die, and each
/// poll costs.
#[derive(Debug)]
pub struct Backoff {
    interval: Duration,
    due: Instant,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            interval: SHORTEST,
            due: Instant::now(),
        }
    }
}

impl Backoff {
    /// Makes the next poll due now.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether the next poll is due.
    pub fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// How long it is until the next poll.
    pub fn remaining(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Schedules the next poll, after one that `has_changed` something or not.
    pub fn schedule(&mut self, has_changed: bool) {
        self.interval = if has_changed {
            SHORTEST
        } else {
            (2 * self.interval).min(LONGEST)
        };
        self.due = Instant::now() + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_until_something_changes() {
        let mut backoff = Backoff::default();
        assert!(backoff.is_due());
        for _ in 0..20 {
            backoff.schedule(false);
        }
        assert!(!backoff.is_due());
        assert!(backoff.remaining() > LONGEST / 2 && backoff.remaining() <= LONGEST);
        backoff.schedule(true);
        assert!(backoff.remaining() <= SHORTEST);
        backoff.schedule(false);
        backoff.reset();
        assert!(backoff.is_due());
    }
}
