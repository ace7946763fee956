// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! User and group ids of a process: credentials(7).

/// The ids that a child switches to before the exec, in the order of the fields. `None`: no change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// Real, effective and saved gid.
    pub gid: Option<u32>,
    /// Real, effective and saved uid.
    pub uid: Option<u32>,
}
