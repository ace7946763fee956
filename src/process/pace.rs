// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Polling intervals that grow while nothing changes.

use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses that grow as long as nothing happens. A process that is frozen may take for ever to die, and
/// each look costs.
#[derive(Debug)]
pub struct Pace {
    pause: Duration,
    due: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: SHORTEST,
            due: Instant::now(),
        }
    }
}

impl Pace {
    /// Something happened, so that a look is worth it at once.
    pub fn hurry(&mut self) {
        *self = Self::default();
    }

    /// Whether it is time for a look.
    pub fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// How long it is until then.
    pub fn pause(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// A look was taken, and has to be taken again.
    pub fn looked(&mut self, something_new: bool) {
        self.pause = if something_new {
            SHORTEST
        } else {
            (2 * self.pause).min(LONGEST)
        };
        self.due = Instant::now() + self.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_something_happens() {
        let mut pace = Pace::default();
        assert!(pace.is_due());
        for _ in 0..20 {
            pace.looked(false);
        }
        assert!(!pace.is_due());
        assert!(pace.pause() > LONGEST / 2 && pace.pause() <= LONGEST);
        pace.looked(true);
        assert!(pace.pause() <= SHORTEST);
        pace.looked(false);
        pace.hurry();
        assert!(pace.is_due());
    }
}
