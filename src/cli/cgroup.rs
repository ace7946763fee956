// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap cgroup-clean`, `cgroup-get`, `cgroup-set` and `cgroup-stat`: reading, writing and removing a cgroup
//! from outside its session.

use super::values::{controllers, group, number_from, option, settings, switch, text};
use crate::cgroup::{Action, Operation, Request, Values};
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

const AFTER_HELP: &str = "\
Names of settings are from cgroup v1 or v2, whichever this host has. Prints one name and its value a
line; a value of several lines follows its name, each line with two spaces in front.

Exit status: 0, or 125 with a message on stderr.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubCommand {
    Clean,
    Get,
    Set,
    Stat,
}

impl SubCommand {
    const ALL: [Self; 4] = [Self::Clean, Self::Get, Self::Set, Self::Stat];

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Clean => "cgroup-clean",
            Self::Get => "cgroup-get",
            Self::Set => "cgroup-set",
            Self::Stat => "cgroup-stat",
        }
    }

    /// Parses a command line, of which the first word is the name of the sub-command.
    pub(super) fn parse(self, words: &[OsString]) -> Result<Operation, clap::Error> {
        let mut matches = self.command().try_get_matches_from(words)?;
        Ok(self.operation(&mut matches))
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
        Command::new(name)
            .about(about)
            .override_usage(format!("muontrap {name} {usage}"))
            .after_help(AFTER_HELP)
            .args_override_self(true)
            .arg(group("The cgroup").required(true))
            .args(self.args())
    }

    fn args(self) -> Vec<Arg> {
        match self {
            Self::Clean => vec![
                controllers("Controllers that it was made with"),
                settings("Settings that it was made with"),
                option("timeout", "ms", "How long to try [default: 5000]")
                    .value_parser(number_from(0)),
                switch(
                    "unless-in-use",
                    "Succeed without cleaning when another muontrap looks after it",
                ),
            ],
            Self::Get => vec![
                option("controller", "name", "Where v1 has the file").short('c'),
                files(),
            ],
            Self::Set => vec![
                controllers("Controllers of the settings"),
                settings("What to write"),
            ],
            Self::Stat => vec![],
        }
    }

    fn operation(self, matches: &mut ArgMatches) -> Operation {
        let files: Vec<String> = all(matches, FILES);
        let timeout = matches.try_remove_one::<u32>("timeout").ok().flatten();
        let default = Operation::default();
        Operation {
            action: match self {
                Self::Clean => Action::Clean,
                Self::Get if files.is_empty() => Action::Config,
                Self::Get => Action::Get,
                Self::Set => Action::Set,
                Self::Stat => Action::Statistics,
            },
            group: request(matches).unwrap_or_default(),
            files,
            timeout: timeout.map_or(default.timeout, |ms| Duration::from_millis(ms.into())),
            unless_in_use: matches!(matches.try_get_one("unless-in-use"), Ok(Some(true))),
        }
    }
}

const FILES: &str = "variable";

fn files() -> Arg {
    Arg::new(FILES)
        .value_name(FILES)
        .help("Files, such as memory.max")
        .num_args(0..)
        .value_parser(text())
        .action(ArgAction::Append)
}

/// What `--group`, `--controller` and `--set` say. Not every command has the last two.
pub(super) fn request(matches: &mut ArgMatches) -> Option<Request> {
    Some(Request {
        group: matches.remove_one("group")?,
        controllers: all(matches, "controller"),
        settings: all(matches, "set"),
    })
}

fn all<T: Clone + Send + Sync + 'static>(matches: &mut ArgMatches, name: &str) -> Vec<T> {
    let values = matches.try_remove_many(name).ok().flatten();
    values.into_iter().flatten().collect()
}

/// Carries out a sub-command, and returns the exit status.
#[inline(never)]
pub(crate) fn run(operation: &Operation) -> u8 {
    let result = operation.run();
    let status = result.as_ref().map_or(EXIT_SETUP, |_| 0);
    print(&result).map_or(EXIT_SETUP, |()| status)
}

fn print(result: &Result<Values, Failure>) -> io::Result<()> {
    let values = match result {
        Ok(values) => values,
        Err(failure) => {
            diagnostics::say(failure);
            return Ok(());
        }
    };
    let mut out = io::stdout().lock();
    for (name, value) in values {
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

    fn parsed(words: &[&str]) -> Result<Operation, clap::Error> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let command = SubCommand::find(words[0].to_str().unwrap()).unwrap();
        command.parse(&words)
    }

    #[test]
    fn the_declarations_are_consistent() {
        for command in SubCommand::ALL {
            command.command().debug_assert();
        }
        assert_eq!(SubCommand::find("cgroup"), None);
    }

    #[test]
    fn the_group_is_needed() {
        for command in SubCommand::ALL {
            assert!(parsed(&[command.name()]).is_err(), "{command:?}");
            let operation = parsed(&[command.name(), "-g", "a/b"]).unwrap();
            assert_eq!(operation.group.group, "a/b");
        }
    }

    #[test]
    fn flags_and_arguments_arrive() {
        let get = parsed(&["cgroup-get", "-g", "a", "-c", "cpu", "x.y", "z.w"]).unwrap();
        assert_eq!((get.action, get.files.len()), (Action::Get, 2));
        assert_eq!(get.group.controllers, ["cpu"]);
        let all = parsed(&["cgroup-get", "-g", "a"]).unwrap();
        assert_eq!(all.action, Action::Config);
        let clean = ["cgroup-clean", "-g", "a", "--timeout", "7"];
        let clean = parsed(&[&clean[..], &["-s", "a.b=c", "--unless-in-use"]].concat()).unwrap();
        assert_eq!(clean.timeout, Duration::from_millis(7));
        assert_eq!(clean.group.settings, [("a.b".into(), "c".into())]);
        assert!(clean.unless_in_use);
        assert!(parsed(&["cgroup-clean", "-g", "a", "--timeout", "x"]).is_err());
        assert!(parsed(&["cgroup-set", "-g", "a", "-s", "=x"]).is_err());
    }
}
