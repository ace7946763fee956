// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Credit: how many output bytes may be sent before the owner acknowledges some.

/// The owner acknowledged more bytes than were in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// Bytes acknowledged.
    pub acked: u32,
    /// Bytes in flight at that moment.
    pub in_flight: u32,
}

/// The most payload bytes in one frame.
const MAX_FRAME: u32 = 64 * 1024;

/// Frames to a window: while the owner handles one, the next is on its way.
const FRAMES: u32 = 2;

/// In a smaller window, sending and receiving a frame costs more than its bytes.
const SMALL_WINDOW: u32 = 16 * 1024;

/// Counts the bytes that were sent and not acknowledged.
#[derive(Debug)]
pub struct Window {
    size: u32,
    in_flight: u32,
    /// Payload bytes of a full frame.
    frame: u32,
    /// Credit below which nothing is sent.
    threshold: u32,
}

impl Window {
    /// A window of `size` bytes, of which none are in flight.
    pub fn new(size: u32) -> Self {
        Self {
            size,
            in_flight: 0,
            frame: size.div_ceil(FRAMES).min(MAX_FRAME),
            threshold: size.div_ceil(4),
        }
    }

    /// A window without a threshold, for an owner that may wait for the last byte of the window before it
    /// acknowledges any.
    pub fn without_threshold(size: u32) -> Self {
        Self {
            threshold: 1,
            ..Self::new(size)
        }
    }

    /// How many of `waiting` bytes to send now, as one frame.
    ///
    /// Nothing is sent until a quarter of the window is free. A frame for every few bytes of credit would wake
    /// both sides each time, and nobody waits for it: the owner has other frames to handle.
    pub fn grant(&self, waiting: usize) -> u32 {
        let free = self.size - self.in_flight;
        if free < self.threshold {
            return 0;
        }
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        waiting.min(free).min(self.frame)
    }

    /// Whether more would be sent if more were waiting.
    pub fn wants(&self, waiting: usize) -> bool {
        waiting < self.grant(usize::MAX) as usize
    }

    /// Whether to read while so many bytes wait: as long as more would be sent. If the window is one frame, also before the
    /// owner acknowledges the last one, so that the next one is ready when it does.
    pub fn reads(&self, waiting: usize) -> bool {
        let is_one_frame = self.frame == self.size;
        self.wants(waiting) || is_one_frame && waiting < self.size as usize
    }

    /// Whether an acknowledgement is outstanding.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// Notes that `bytes`, which were granted, are sent.
    pub fn sent(&mut self, bytes: u32) {
        debug_assert!(bytes <= self.size - self.in_flight);
        self.in_flight += bytes;
    }

    /// Notes that the owner acknowledged `bytes`.
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

    /// Notes that an owner acknowledged `bytes` that may count too many.
    pub fn acked_at_most(&mut self, bytes: u32) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }

    /// Notes that at most `bytes` are still unacknowledged. Returns whether that acknowledges any.
    pub fn unacked_at_most(&mut self, bytes: u32) -> bool {
        let is_news = bytes < self.in_flight;
        self.in_flight = self.in_flight.min(bytes);
        is_news
    }

    /// Whether one frame can take all of it.
    fn is_small(&self) -> bool {
        self.size <= SMALL_WINDOW
    }

    /// Notes whether the owner handles output in less time than it takes to sleep and to be woken. Such an owner gets the
    /// whole of a small window as one frame.
    pub fn owner_is_quick(&mut self, is_quick: bool) {
        let frames = if is_quick && self.is_small() {
            1
        } else {
            FRAMES
        };
        self.frame = self.size.div_ceil(frames).min(MAX_FRAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_of_one_byte_works() {
        let mut window = Window::new(1);
        assert_eq!(window.grant(100), 1);
        window.sent(1);
        assert_eq!(window.grant(100), 0);
        window.acked(1).unwrap();
        assert_eq!(window.grant(100), 1);
    }

    #[test]
    fn no_frame_is_too_large() {
        let window = Window::new(1_000_000);
        assert_eq!(window.grant(3), 3);
        assert_eq!(window.grant(999_999), MAX_FRAME);
    }

    #[test]
    fn small_credit_is_held_back() {
        let mut window = Window::new(100);
        window.sent(100);
        window.acked(24).unwrap();
        assert_eq!(window.grant(1000), 0);
        window.acked(1).unwrap();
        assert_eq!(window.grant(1000), 25);
    }

    #[test]
    fn without_a_threshold_small_credit_is_used() {
        let mut window = Window::without_threshold(100);
        window.sent(99);
        assert_eq!(window.grant(1000), 1);
        window.sent(1);
        assert_eq!(window.grant(1000), 0);
    }

    #[test]
    fn a_quick_owner_gets_a_small_window_as_one_frame() {
        let mut window = Window::new(100);
        window.owner_is_quick(true);
        assert_eq!(window.grant(1000), 100);
        window.owner_is_quick(false);
        assert_eq!(window.grant(1000), 50);
        let mut window = Window::new(100_000);
        window.owner_is_quick(true);
        assert_eq!(window.grant(100_000), 50_000);
    }

    #[test]
    fn the_next_frame_for_a_quick_owner_of_a_small_window_is_read_before_the_acknowledgement() {
        for (size, is_quick, reads) in [
            (100, true, true),
            (100, false, false),
            (100_000, true, false),
        ] {
            let mut window = Window::new(size);
            window.owner_is_quick(is_quick);
            window.sent(size);
            assert_eq!(window.reads(99), reads);
            assert!(!window.reads(100));
        }
    }

    #[test]
    fn more_is_wanted_for_a_full_frame_only() {
        let mut window = Window::new(100);
        assert!(window.wants(0) && window.wants(49) && !window.wants(50));
        window.sent(75);
        assert!(window.wants(24) && !window.wants(25));
        window.sent(1);
        assert!(!window.wants(0));
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
        assert_eq!(window.grant(usize::MAX), 0);
        window.acked(u32::MAX).unwrap();
        assert_eq!(window.grant(usize::MAX), MAX_FRAME);
    }

    proptest! {
        #[test]
        fn in_flight_never_exceeds_the_size_and_never_stalls(
            size in 1u32..10_000,
            steps in proptest::collection::vec((1u32..5_000, 1u32..5_000), 1..200),
        ) {
            let mut window = Window::new(size);
            let mut in_flight = 0u32;
            for (waiting, ack) in steps {
                let bytes = window.grant(waiting as usize);
                prop_assert!(bytes <= waiting);
                window.sent(bytes);
                in_flight += bytes;
                prop_assert!(in_flight <= size);
                let ack = ack.min(in_flight);
                window.acked(ack).unwrap();
                in_flight -= ack;
                // Once everything is handled, whatever waits can go.
                prop_assert!(in_flight > 0 || window.grant(1) == 1);
            }
        }
    }
}
