// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! How muontrap and its owner talk: `docs/protocol.md`.

use std::os::fd::RawFd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A shell or the like: stdin is for the program, and its end stops it; output passes through.
    Plain,
    /// Somebody at a terminal, which is the program's stdin, too. Its end stops the program.
    Terminal,
    /// An owner that speaks as to MuonTrap 1.x: raw output on stdout, acknowledgements on stdin.
    Raw,
    /// An owner that speaks the framed protocol over these descriptors.
    Framed {
        /// Frames come from here.
        input: RawFd,
        /// Frames go here.
        output: RawFd,
    },
}

impl Transport {
    /// Whether captured output goes to an owner that acknowledges it.
    pub(crate) fn is_acknowledged(self) -> bool {
        !matches!(self, Self::Plain | Self::Terminal)
    }

    /// Whether the program may inherit muontrap's stdin and stdout.
    pub(crate) fn spares_stdio(self) -> bool {
        match self {
            Self::Terminal => true,
            Self::Plain | Self::Raw => false,
            Self::Framed { input, output } => input > 2 && output > 2,
        }
    }
}
