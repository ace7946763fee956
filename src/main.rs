// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap`: see the library for what it does, and `muontrap --help` for how to use it.

use muontrap::commands::cgroup::Cgroup;
use muontrap::{cli, config, doctor, entry};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let first = words.get(1).and_then(|word| word.to_str());
    if let Some(command) = first.and_then(Cgroup::find) {
        return command.main(words.into_iter().skip(1));
    }
    if first == Some("doctor") {
        return doctor::main(words.into_iter().skip(2));
    }
    let matches = match cli::command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return entry::usage_error(&error),
    };
    ExitCode::from(entry::main(&matches, config::transport(&matches)))
}
