// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Credit: how many more output bytes may be sent before the owner has handled some.

/// The owner acknowledged more bytes than were in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// Bytes acknowledged.
    pub acked: u32,
    /// Bytes in flight at that moment.
    pub in_flight: u32,
}

/// Counts the bytes in flight against a fixed size, both in bytes.
#[derive(Debug)]
pub struct Window {
    size: u32,
    in_flight: u32,
}

impl Window {
    /// A window of `size` bytes, of which none are in flight.
    pub fn new(size: u32) -> Self {
        Self { size, in_flight: 0 }
    }

    /// Bytes that may be sent now.
    ///
    /// Small credit is held back until a quarter of the window is free: a frame for every few bytes
    /// of credit would cost a wake-up of both sides each, and nobody waits for the bytes, since the
    /// owner still has frames to handle.
    pub fn credit(&self) -> u32 {
        let free = self.size - self.in_flight;
        if free < self.size.div_ceil(4) {
            0
        } else {
            free
        }
    }

    /// Notes `bytes` as sent. They must fit into the credit.
    pub fn sent(&mut self, bytes: u32) {
        debug_assert!(bytes <= self.size - self.in_flight);
        self.in_flight += bytes;
    }

    /// Notes `bytes` as handled by the owner.
    pub fn acked(&mut self, bytes: u32) -> Result<(), Overrun> {
        match self.in_flight.checked_sub(bytes) {
            Some(rest) => {
                self.in_flight = rest;
                Ok(())
            }
            None => Err(Overrun {
                acked: bytes,
                in_flight: self.in_flight,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_of_one_byte_works() {
        let mut window = Window::new(1);
        assert_eq!(window.credit(), 1);
        window.sent(1);
        assert_eq!(window.credit(), 0);
        window.acked(1).unwrap();
        assert_eq!(window.credit(), 1);
    }

    #[test]
    fn small_credit_is_held_back() {
        let mut window = Window::new(100);
        window.sent(100);
        window.acked(24).unwrap();
        assert_eq!(window.credit(), 0);
        window.acked(1).unwrap();
        assert_eq!(window.credit(), 25);
    }

    #[test]
    fn an_ack_of_too_much_is_refused_and_changes_nothing() {
        let mut window = Window::new(10);
        window.sent(4);
        let overrun = Overrun {
            acked: 5,
            in_flight: 4,
        };
        assert_eq!(window.acked(5), Err(overrun));
        window.acked(4).unwrap();
    }

    #[test]
    fn the_largest_window_does_not_overflow() {
        let mut window = Window::new(u32::MAX);
        window.sent(u32::MAX);
        assert_eq!(window.credit(), 0);
        window.acked(u32::MAX).unwrap();
        assert_eq!(window.credit(), u32::MAX);
    }

    proptest! {
        #[test]
        fn in_flight_never_exceeds_the_size_and_never_stalls(
            size in 1u32..10_000,
            steps in proptest::collection::vec((1u32..5_000, 1u32..5_000), 1..200),
        ) {
            let mut window = Window::new(size);
            let mut in_flight = 0u32;
            for (send, ack) in steps {
                let bytes = send.min(window.credit());
                window.sent(bytes);
                in_flight += bytes;
                prop_assert!(in_flight <= size);
                let ack = ack.min(in_flight);
                window.acked(ack).unwrap();
                in_flight -= ack;
                // Once everything is handled there is always credit.
                prop_assert!(in_flight > 0 || window.credit() == size);
            }
        }
    }
}
