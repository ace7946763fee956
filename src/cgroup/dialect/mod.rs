// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The two versions of cgroups: what each of them offers, and the translation of names and units between them.
//!
//! This is the only code that branches on the version. It is pure: nothing here reads or writes a file.

mod blkio;
mod choose;
mod controllers;
mod convert;
mod error;
mod interface;
mod read;
mod settings;
mod statistics;
mod translate;
mod v1;
mod v2;
mod version;

pub(super) use choose::{Offer, choose};
pub(super) use controllers::{is_controller, name_on, nearest, needed};
pub use controllers::{v1_name, v2_name};
pub(super) use convert::number_after;
pub(super) use error::{Mismatch, ReadError};
pub(super) use interface::{Enabling, Freezer, Interface};
pub(super) use read::read;
pub(super) use settings::{file_on, has_several_files, is_unset, listed};
pub(super) use statistics::{STATISTICS, Source, read_statistic};
pub(super) use translate::{Write, translate};
pub use version::Version;
pub(super) use version::is_cgroup;
