// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The names and units of either version, in those of the other: text to text. Nothing here reads or
//! writes a file.

mod blkio;
mod controllers;
mod convert;
mod error;
mod read;
mod settings;
mod statistics;
mod translate;

pub(super) use controllers::{Availability, availability, is_controller, nearest, needed};
pub use controllers::{v1_name, v2_name};
pub(super) use convert::number_after;
pub(super) use error::{Mismatch, ReadError};
pub(super) use read::read;
pub(super) use settings::{file_on, has_several_files, listed};
pub(super) use statistics::{STATISTICS, Source, read_on_v1};
pub(super) use translate::{Write, translate};
