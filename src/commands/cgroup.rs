// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap cgroup-clean`, `cgroup-get`, `cgroup-set` and `cgroup-stat`: what is done to the cgroup
//! of a program by somebody else than its helper.

use crate::cgroup::{self, CleanReport, Host, View};
use crate::cli::{list, option, switch};
use crate::config::{cgroup_request, number, refused, text, utf8};
use crate::error::{EXIT_SETUP, Failure, Step};
use crate::flags::Flags;
use crate::{diagnostics, entry, protocol};
use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, Command};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

const AFTER_HELP: &str = "\
Names of settings are from cgroup v1 or v2, whichever this host has. Prints one name and its value a
line; a value of several lines follows its name, each line with two spaces in front.

Exit status: 0, or 125 with a message on stderr.";

/// The flags and arguments of all of them.
const NAMES: [&str; 7] = [
    "group",
    "framed",
    "unless-in-use",
    "controller",
    "set",
    "timeout",
    "variable",
];

/// What was found out, by name. Names have no white space.
type Answer = Vec<(String, String)>;

/// One of the sub-commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroup {
    /// Kills what is in a group and removes it.
    Clean,
    /// Reads files of a group.
    Get,
    /// Writes settings of a group.
    Set,
    /// Reads all there is to know about a group.
    Stat,
}

impl Cgroup {
    /// The sub-command of this name.
    pub fn find(name: &str) -> Option<Self> {
        let all = [Self::Clean, Self::Get, Self::Set, Self::Stat];
        all.into_iter().find(|command| command.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Clean => "cgroup-clean",
            Self::Get => "cgroup-get",
            Self::Set => "cgroup-set",
            Self::Stat => "cgroup-stat",
        }
    }

    /// Does what the command line says. Its first word is the name of the sub-command.
    pub fn main(self, words: impl IntoIterator<Item = OsString>) -> u8 {
        let flags = match self.command().try_get_matches_from(words) {
            Ok(matches) => Flags::of(&matches, NAMES),
            Err(error) => return entry::usage_error(&error),
        };
        let result = self.run(&flags);
        let status = result.as_ref().map_or(EXIT_SETUP, |_| 0);
        let told = if flags.has("framed") {
            let frame = match &result {
                Ok(answer) => protocol::answer(answer),
                Err(failure) => protocol::failed(failure),
            };
            io::stdout().write_all(&frame)
        } else {
            print(&result)
        };
        if told.is_ok() { status } else { EXIT_SETUP }
    }

    fn command(self) -> Command {
        let (about, usage) = match self {
            Self::Clean => (
                "Kills every process in a cgroup, and removes it",
                "--group path [--controller name]... [--set key=value]...",
            ),
            Self::Get => (
                "Reads files of a cgroup: those named, or all settings that there are",
                "--group path [--controller name] [variable]...",
            ),
            Self::Set => (
                "Changes settings of a cgroup",
                "--group path [--set key=value]...",
            ),
            Self::Stat => ("Reads what a cgroup has used so far", "--group path"),
        };
        let name = self.name();
        let command = Command::new(name)
            .about(about)
            .override_usage(format!("muontrap {name} {usage}"))
            .after_help(AFTER_HELP)
            .args_override_self(true)
            .arg(
                option("group", "path", "The cgroup")
                    .short('g')
                    .required(true),
            )
            .arg(switch("framed", "Answer in a frame"));
        match self {
            Self::Clean => command
                .arg(controllers("Controllers that it was made with"))
                .arg(sets("Settings that it was made with"))
                .arg(option("timeout", "ms", "How long to try [default: 5000]"))
                .arg(switch(
                    "unless-in-use",
                    "Succeed without cleaning when another muontrap looks after it",
                )),
            Self::Get => command
                .arg(option("controller", "name", "Where v1 has the file").short('c'))
                .arg(variables()),
            Self::Set => command
                .arg(controllers("Controllers of the settings"))
                .arg(sets("What to write")),
            Self::Stat => command,
        }
    }

    fn run(self, flags: &Flags) -> Result<Answer, Failure> {
        let host = Host::detect()?;
        let group = text(flags, "group")?.unwrap_or_default();
        match self {
            Self::Clean => clean(&host, flags),
            Self::Get => get(&View::open(&host, &group)?, flags),
            Self::Set => {
                let request = cgroup_request(flags)?.unwrap_or_default();
                View::open(&host, &group)?.set(request.settings)?;
                Ok(vec![])
            }
            Self::Stat => Ok(View::open(&host, &group)?.statistics()),
        }
    }
}

fn controllers(help: &'static str) -> Arg {
    list("controller", "name", help).short('c')
}

fn sets(help: &'static str) -> Arg {
    list("set", "key=value", help).short('s')
}

fn variables() -> Arg {
    Arg::new("variable")
        .value_name("variable")
        .help("Files, such as memory.max")
        .num_args(0..)
        .value_parser(OsStringValueParser::new())
        .action(ArgAction::Append)
}

fn clean(host: &Host, flags: &Flags) -> Result<Answer, Failure> {
    let timeout = match text(flags, "timeout")? {
        None => DEFAULT_TIMEOUT,
        Some(given) => {
            let ms = number::<u32>(&given);
            let ms = ms.ok_or_else(|| refused("timeout", &given, "milliseconds"))?;
            Duration::from_millis(ms.into())
        }
    };
    let request = cgroup_request(flags)?.unwrap_or_default();
    let report = cgroup::clean(host, &request, timeout)?;
    match &report.in_use {
        Some(_) if flags.has("unless-in-use") => return Ok(vec![]),
        Some(failure) => return Err(failure.clone()),
        None if report.removed => {}
        None => return Err(not_cleaned(&request.group, &report)),
    }
    Ok(vec![("killed".into(), report.killed.to_string())])
}

fn not_cleaned(group: &str, report: &CleanReport) -> Failure {
    let why = match report.remaining {
        0 => "it is still in use".into(),
        count => format!("{count} of its processes do not die"),
    };
    Failure::new(
        Step::Cgroup,
        format!("cannot remove the cgroup {group:?}: {why}"),
    )
    .errno(libc::EBUSY)
    .path(group)
}

fn get(view: &View, flags: &Flags) -> Result<Answer, Failure> {
    let controller = text(flags, "controller")?;
    if !flags.has("variable") {
        return Ok(view.settings());
    }
    flags
        .all("variable")
        .map(|name| {
            let name = utf8("variable", name)?;
            let value = view.get(controller.as_deref(), &name)?;
            Ok((name, value))
        })
        .collect()
}

fn print(result: &Result<Answer, Failure>) -> io::Result<()> {
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => {
            diagnostics::say(failure);
            return Ok(());
        }
    };
    let mut out = io::stdout().lock();
    for (name, value) in answer {
        if value.contains('\n') {
            writeln!(out, "{name}\n  {}", value.replace('\n', "\n  "))?;
        } else {
            writeln!(out, "{name} {value}")?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declarations_are_consistent() {
        for name in ["cgroup-clean", "cgroup-get", "cgroup-set", "cgroup-stat"] {
            let command = Cgroup::find(name).expect(name);
            command.command().debug_assert();
        }
        assert_eq!(Cgroup::find("cgroup"), None);
    }

    #[test]
    fn the_group_is_needed() {
        for name in ["cgroup-clean", "cgroup-get", "cgroup-set", "cgroup-stat"] {
            let command = Cgroup::find(name).expect(name).command();
            assert!(command.try_get_matches_from([name]).is_err(), "{name}");
        }
    }
}
