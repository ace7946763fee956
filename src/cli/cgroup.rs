// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap cgroup-clean`, `cgroup-get`, `cgroup-set` and `cgroup-stat`: what is done to the cgroup
//! of a program by somebody else than its helper.

use crate::cgroup::{self, CleanReport, Host, LiveCgroup};
use crate::cli::flags::Flags;
use crate::cli::{list, option, switch};
use crate::config::{cgroup_request, refused, text, utf8};
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure, Step};
use crate::number::number;
use crate::run;
use crate::wire::cgroup::{Action, Asked, DEFAULT_TIMEOUT};
use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, Command};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

const AFTER_HELP: &str = "\
Names of settings are from cgroup v1 or v2, whichever this host has. Prints one name and its value a
line; a value of several lines follows its name, each line with two spaces in front.

Exit status: 0, or 125 with a message on stderr.";

/// The flags and arguments of all of them.
const NAMES: [&str; 6] = [
    "group",
    "unless-in-use",
    "controller",
    "set",
    "timeout",
    "variable",
];

/// What was found out, by name. Names have no white space.
pub type Answer = Vec<(String, String)>;

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
            Err(error) => return run::usage_error(&error),
        };
        let result = self.run(&flags);
        let status = result.as_ref().map_or(EXIT_SETUP, |_| 0);
        if print(&result).is_ok() {
            status
        } else {
            EXIT_SETUP
        }
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
            );
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
        let controllers = flags.all("controller").map(|name| utf8("controller", name));
        let files = flags.all("variable").map(|name| utf8("variable", name));
        let files: Vec<String> = files.collect::<Result<_, _>>()?;
        let mut group = cgroup_request(flags)?.unwrap_or_default();
        group.controllers = controllers.collect::<Result<_, _>>()?;
        perform(&Asked {
            action: match self {
                Self::Clean => Action::Clean,
                Self::Get if files.is_empty() => Action::Config,
                Self::Get => Action::Get,
                Self::Set => Action::Set,
                Self::Stat => Action::Statistics,
            },
            group,
            files,
            timeout: timeout(flags)?,
            unless_in_use: flags.has("unless-in-use"),
        })
    }
}

/// Does what was asked for.
pub fn perform(asked: &Asked) -> Result<Answer, Failure> {
    let host = Host::detect()?;
    let open = || LiveCgroup::open(&host, &asked.group.group);
    match asked.action {
        Action::Get => {
            let cgroup = open()?;
            let controller = asked.group.controllers.last().map(String::as_str);
            let read = |name: &String| Ok((name.clone(), cgroup.get(controller, name)?));
            asked.files.iter().map(read).collect()
        }
        Action::Set => {
            open()?.set(asked.group.settings.clone())?;
            Ok(vec![])
        }
        Action::Statistics => Ok(open()?.statistics()),
        Action::Config => Ok(open()?.settings()),
        Action::Clean => clean(&host, asked),
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

fn timeout(flags: &Flags) -> Result<Duration, Failure> {
    let Some(given) = text(flags, "timeout")? else {
        return Ok(DEFAULT_TIMEOUT);
    };
    let ms = number::<u32>(&given).ok_or_else(|| refused("timeout", &given, "milliseconds"))?;
    Ok(Duration::from_millis(ms.into()))
}

fn clean(host: &Host, asked: &Asked) -> Result<Answer, Failure> {
    let report = cgroup::clean(host, &asked.group, asked.timeout)?;
    match report.in_use {
        Some(_) if asked.unless_in_use => return Ok(vec![]),
        Some(error) => return Err(error.into_failure(Some(&asked.group.group))),
        None if report.removed => {}
        None => return Err(not_cleaned(&asked.group.group, &report)),
    }
    Ok(vec![("killed".into(), report.killed.to_string())])
}

fn not_cleaned(group: &str, report: &CleanReport) -> Failure {
    let why = match report.remaining {
        0 => "it is still in use".into(),
        count => format!("{count} of its processes could not be killed"),
    };
    Failure::new(
        Step::Cgroup,
        format!("cannot remove the cgroup {group:?}: {why}"),
    )
    .errno(libc::EBUSY)
    .path(group)
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
