// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The command line.

use std::ffi::OsString;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, Command};

const AFTER_HELP: &str = "\
Run it where the application runs: as the same user, in the same container or unit.

Exit status: 0 when what --need and --base ask for would work; without them, when programs can be
run and contained. 1 when not. 125 on a usage error.";

pub fn command() -> Command {
    Command::new("muontrap doctor")
        .about("Checks which features work on this host for this user, and how to fix the rest")
        .after_help(AFTER_HELP)
        .no_binary_name(true)
        .args_override_self(true)
        .arg(
            Arg::new("need")
                .long("need")
                .value_name("list")
                .value_delimiter(',')
                .value_parser(NonEmptyStringValueParser::new())
                .help("Controllers as in :cgroup_controllers, with commas: memory,cpu"),
        )
        .arg(
            Arg::new("base")
                .long("base")
                .value_name("path")
                .help("The cgroup as in :cgroup_base [default: one that works]"),
        )
        .arg(switch(
            "probe",
            "Also make such a cgroup, move a process into it, and remove it again",
        ))
        .arg(switch("json", "Print one line of JSON"))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    pub need: Vec<String>,
    pub base: Option<String>,
    pub probe: bool,
    pub json: bool,
}

impl Args {
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = command().try_get_matches_from(words)?;
        let need = matches.get_many("need").into_iter().flatten();
        Ok(Self {
            need: need.cloned().collect(),
            base: matches.get_one("base").cloned(),
            probe: matches.get_flag("probe"),
            json: matches.get_flag("json"),
        })
    }

    /// Whether a cgroup has to work.
    pub fn is_request(&self) -> bool {
        self.base.is_some() || self.probe || !self.need.is_empty()
    }
}
