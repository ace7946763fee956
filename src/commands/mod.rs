// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What muontrap does instead of running a program when its first argument is one of these names.

pub mod cgroup;
