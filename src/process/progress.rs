// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! How far a sweep is.

/// The state of a sweep after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left that can be killed.
    Gone,
    /// Processes are left; another step is needed.
    Waiting,
}
