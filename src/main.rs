// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap`: see the library for what it does, and `muontrap --help` for how to use it.

use muontrap::{cli, config, entry};
use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return entry::usage_error(&error),
    };
    ExitCode::from(entry::main(&matches, config::transport(&matches)))
}
