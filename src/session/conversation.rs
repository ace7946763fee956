// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Polling for the next event instead of sleeping, while the owner and the program talk to each other.
//!
//! The answer to a small input often comes soon, and so does the next input of a quick owner. To sleep for so short a
//! time takes longer than both: the processor goes idle, and in a virtual machine the host has to wake it.

use crate::reactor::Reactor;
use std::io;
use std::time::{Duration, Instant};

/// How long to poll. An owner that sleeps and has to be woken answers in less.
const POLL_TIME: Duration = Duration::from_micros(100);

/// Input of more bytes is no question.
const SMALL_INPUT: usize = 4096;

/// After ever more waits in vain, polling is tried again once in this many waits.
const LONGEST_PAUSE: u32 = 1024;

#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Whose turn has just begun.
    turn: Option<Turn>,
    /// Whether output is an answer: none has come since the last input.
    asked: bool,
    program: Pause,
    owner: Pause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Program,
    Owner,
}

/// How many waits to sleep through before polling is tried again.
#[derive(Debug, Default)]
struct Pause {
    left: u32,
    length: u32,
}

impl Conversation {
    /// Notes that the program was given all the input that there is so far.
    pub(super) fn input_written(&mut self, bytes: usize) {
        self.asked = bytes <= SMALL_INPUT;
        self.turn = self.asked.then_some(Turn::Program);
    }

    /// Notes that output was sent.
    pub(super) fn output_sent(&mut self) {
        if std::mem::take(&mut self.asked) {
            self.turn = Some(Turn::Owner);
        }
    }

    /// Polls for the next event, once after each input and each answer, and returns whether one has come. Other processes
    /// go first. While nothing comes that soon, or the processor is not free, this is done ever more rarely.
    pub(super) fn poll(&mut self, reactor: &mut Reactor) -> io::Result<bool> {
        let pause = match self.turn.take() {
            Some(Turn::Program) => &mut self.program,
            Some(Turn::Owner) => &mut self.owner,
            None => return Ok(false),
        };
        if pause.continues() {
            return Ok(false);
        }
        let since = Instant::now();
        loop {
            std::thread::yield_now();
            let has_come = reactor.wait(Some(Duration::ZERO))?;
            let is_late = since.elapsed() > POLL_TIME;
            if has_come || is_late {
                pause.note(!is_late);
                return Ok(has_come);
            }
        }
    }
}

impl Pause {
    /// Counts a wait, and returns whether to sleep in it.
    fn continues(&mut self) -> bool {
        let continues = self.left > 0;
        self.left = self.left.saturating_sub(1);
        continues
    }

    fn note(&mut self, in_time: bool) {
        self.length = if in_time {
            0
        } else {
            (self.length * 2).clamp(1, LONGEST_PAUSE)
        };
        self.left = self.length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_in_vain_becomes_rare_and_one_success_brings_it_back() {
        let mut pause = Pause::default();
        let mut polls = 0;
        for _ in 0..100_000 {
            if !pause.continues() {
                pause.note(false);
                polls += 1;
            }
        }
        assert!((90..120).contains(&polls), "{polls}");
        while pause.continues() {}
        pause.note(true);
        assert!(!pause.continues());
    }

    #[test]
    fn only_input_and_the_first_answer_to_it_are_followed_by_a_poll() {
        let mut conversation = Conversation::default();
        conversation.output_sent();
        assert_eq!(conversation.turn, None);
        conversation.input_written(SMALL_INPUT);
        assert_eq!(conversation.turn.take(), Some(Turn::Program));
        conversation.output_sent();
        assert_eq!(conversation.turn.take(), Some(Turn::Owner));
        conversation.output_sent();
        assert_eq!(conversation.turn, None);
        conversation.input_written(SMALL_INPUT + 1);
        assert_eq!(conversation.turn, None);
        conversation.output_sent();
        assert_eq!(conversation.turn, None);
    }
}
