// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The parts that `bench/parts.rs` measures.

use crate::stream::window::Window;
use crate::wire::frame::Decoder;
use crate::wire::message::{Command, OutputStream, output_header};

/// Decodes frames from a client, and returns how many there are.
pub fn decode_commands(bytes: &[u8]) -> usize {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let next = || {
        let frame = decoder.next_frame().ok()??;
        Command::parse(frame).ok().map(drop)
    };
    std::iter::from_fn(next).count()
}

/// Takes `frames` frames of `waiting` bytes through a window, and returns how many bytes the window let pass.
pub fn meter(frames: u32, waiting: usize) -> u64 {
    let mut window = Window::new(10_240);
    let mut total = 0;
    for _ in 0..frames {
        let bytes = window.grant(waiting);
        std::hint::black_box(output_header(OutputStream::Stdout, bytes));
        window.sent(bytes);
        window.acked_at_most(bytes);
        total += u64::from(bytes);
    }
    total
}

/// Whether a line is one of `/proc/<pid>/stat`.
#[cfg(target_os = "linux")]
pub fn parse_stat(line: &str) -> bool {
    crate::sys::parse_stat(line).is_some()
}
