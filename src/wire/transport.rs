// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! How muontrap and its owner talk: `docs/protocol.md`.

use crate::cli::flags::Flags;
use crate::config::refused;
use crate::error::Failure;
use crate::number::number;
use nix::unistd::{getppid, isatty};
use std::fs;
use std::io;
use std::os::fd::RawFd;

/// Flags that only an owner who acknowledges output has a use for.
const CAPTURING: [&str; 4] = [
    "capture-output",
    "capture-stderr",
    "capture-stderr-only",
    "stdio-window",
];

/// The parent of all programs that ports of the BEAM start.
const PORT_STARTER: &str = "erl_child_setup";

/// Where muontrap's owner is, and what it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A shell or the like: stdin is for the program, and its end stops it; output passes through.
    Plain,
    /// Somebody at a terminal, which the program has as its stdin, too. Its end stops the program.
    Terminal,
    /// An owner that speaks as to MuonTrap 1.x: raw output on stdout, acknowledgements on stdin.
    Raw,
    /// An owner that speaks the framed protocol over these descriptors.
    Framed {
        /// Commands come from here.
        input: RawFd,
        /// Frames go here.
        output: RawFd,
    },
}

impl Transport {
    /// By what stdin is, the flags, and which process is the parent. Nobody types acknowledgements, so at a terminal
    /// output passes through.
    pub fn choose(flags: &Flags) -> Self {
        if isatty(io::stdin()).unwrap_or(false) {
            Self::Terminal
        } else if is_raw(flags) {
            Self::Raw
        } else {
            Self::Plain
        }
    }

    /// By `--fds`.
    pub fn framed(fds: Option<&str>) -> Result<Self, Failure> {
        let pair = fds
            .unwrap_or("0,1")
            .split_once(',')
            .and_then(|(input, output)| Some((number::<u16>(input)?, number::<u16>(output)?)));
        match pair {
            Some((input, output)) if input != output => Ok(Self::Framed {
                input: input.into(),
                output: output.into(),
            }),
            _ => Err(refused(
                "fds",
                fds.unwrap_or_default(),
                "two different descriptors, such as 3,4",
            )),
        }
    }

    /// Whether captured output goes to an owner that acknowledges it.
    pub fn is_acknowledged(self) -> bool {
        !matches!(self, Self::Plain | Self::Terminal)
    }

    /// Whether the program has muontrap's own stdin, and stdout if that is not captured.
    pub fn spares_stdio(self) -> bool {
        match self {
            Self::Terminal => true,
            Self::Plain | Self::Raw => false,
            Self::Framed { input, output } => input > 2 && output > 2,
        }
    }
}

fn is_raw(flags: &Flags) -> bool {
    CAPTURING.iter().any(|flag| flags.has(flag)) || is_port()
}

/// Whether a port of the BEAM started this process. A shell that it started does not count.
fn is_port() -> bool {
    let parent = fs::read_to_string(format!("/proc/{}/comm", getppid()));
    parent.is_ok_and(|name| name.trim_end() == PORT_STARTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_two_different_ones() {
        let framed = |input, output| Transport::Framed { input, output };
        assert_eq!(Transport::framed(None), Ok(framed(0, 1)));
        assert_eq!(Transport::framed(Some("3,4")), Ok(framed(3, 4)));
        for fds in ["3", "3,3", "a,b", "", "3,4,5", "3,-4"] {
            let failure = Transport::framed(Some(fds)).unwrap_err();
            assert!(failure.message.starts_with("--fds "), "{failure}");
        }
    }
}
