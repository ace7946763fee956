// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The flags. What their values mean is `config.rs`'s business.

pub mod cgroup;
pub mod flags;

use crate::cli::flags::Flags;
use clap::{Arg, ArgAction, Command, builder::OsStringValueParser};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

const AFTER_HELP: &str = "\
The program gets everything that follows its name, with or without `--` in front of it.
`muontrap --framed [--fds=in,out]` and `muontrap --fork-server` take their programs from a client,
which speaks the protocol of docs/protocol.md over stdin and stdout, or over these descriptors.
`muontrap cgroup-get`, `cgroup-set`, `cgroup-stat` and `cgroup-clean` look after a cgroup, and
`muontrap doctor` looks at this host: each has its own `--help`.
Closing muontrap's stdin, or SIGTERM, SIGINT, SIGQUIT or SIGHUP, stops the program. At a terminal
the program runs in the foreground, and Ctrl-C and Ctrl-Z reach it.

Exit status: the program's, 128 + n when signal n ended it, 125 when muontrap could not set up,
126 when the program cannot be executed, 127 when there is no such program.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// The last one counts.
    One(&'static str),
    Many(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Flag {
    name: &'static str,
    short: Option<char>,
    takes: Takes,
    help: &'static str,
}

const fn flag(name: &'static str, short: Option<char>, takes: Takes, help: &'static str) -> Flag {
    Flag {
        name,
        short,
        takes,
        help,
    }
}

const FLAGS: [Flag; 15] = {
    use Takes::{Many, Nothing, One};
    [
        flag("arg0", Some('0'), One("name"), "The program's argv[0]"),
        flag(
            "delay-to-sigkill",
            Some('k'),
            One("ms"),
            "From the stop signal to SIGKILL, in milliseconds [default: 500]",
        ),
        flag(
            "stdio-window",
            Some('l'),
            One("bytes"),
            "Output that may be unacknowledged [default: 10240]",
        ),
        flag(
            "capture-output",
            Some('o'),
            Nothing,
            "Send stdout to the owner",
        ),
        flag(
            "capture-stderr",
            Some('e'),
            Nothing,
            "Send stderr where stdout goes",
        ),
        flag(
            "capture-stderr-only",
            None,
            Nothing,
            "Send stderr to the owner and throw stdout away",
        ),
        flag(
            "uid",
            Some('u'),
            One("user"),
            "Run as this user, by id or name",
        ),
        flag(
            "gid",
            Some('a'),
            One("group"),
            "Run as this group, by id or name",
        ),
        flag(
            "groups",
            None,
            One("list"),
            "Supplementary groups, ids and names with commas; empty for none",
        ),
        flag("group", Some('g'), One("path"), "Run in this cgroup"),
        flag(
            "controller",
            Some('c'),
            Many("name"),
            "Use this cgroup controller",
        ),
        flag("set", Some('s'), Many("key=value"), "Set a cgroup variable"),
        flag("cd", None, One("dir"), "Run in this directory"),
        flag(
            "stop-signal",
            None,
            One("signal"),
            "Signal that stops the program, by name or number [default: SIGTERM]",
        ),
        flag(
            "orphans",
            None,
            One("kill|leave"),
            "What to do with what the program leaves behind when it exits by itself [default: kill]",
        ),
    ]
};

const PROGRAM: &str = "program";

pub(crate) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .help(help)
        .value_parser(OsStringValueParser::new())
        .allow_hyphen_values(true)
        .action(ArgAction::Set)
}

pub(crate) fn list(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    option(name, value, help).action(ArgAction::Append)
}

pub(crate) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

impl Flag {
    fn arg(&self) -> Arg {
        let arg = match self.takes {
            Takes::Nothing => switch(self.name, self.help),
            Takes::One(value) => option(self.name, value, self.help),
            Takes::Many(value) => list(self.name, value, self.help),
        };
        arg.short(self.short)
    }
}

/// The command line.
pub fn command() -> Command {
    Command::new("muontrap")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs a program, contains it, and leaves nothing of it behind")
        .after_help(AFTER_HELP)
        .override_usage("muontrap [flags] [--] program [args]...")
        .args_override_self(true)
        .args(FLAGS.iter().map(Flag::arg))
        .arg(
            Arg::new(PROGRAM)
                .value_name(PROGRAM)
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .value_parser(OsStringValueParser::new())
                .hide(true),
        )
}

/// Sorts the words of a command line, of which the first is muontrap's own name.
pub fn parse(words: Vec<OsString>) -> Result<Flags, clap::Error> {
    if let Some(flags) = parse_plain(&words) {
        return Ok(flags);
    }
    let matches = command().try_get_matches_from(words)?;
    let names = FLAGS.iter().map(|flag| flag.name);
    let mut flags = Flags::of(&matches, names);
    flags.program = matches
        .get_many(PROGRAM)
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    Ok(flags)
}

/// The spelling that the Elixir side uses: `--flag` and `--flag=value`, and then the program. This
/// has to look at little; to set clap up and let it look takes longer than all else that is done
/// before the program starts. `None` for all other spellings and all mistakes.
fn parse_plain(words: &[OsString]) -> Option<Flags> {
    let mut flags = Flags::default();
    let mut words = words.iter().skip(1);
    for word in words.by_ref() {
        let Some(word) = word.as_bytes().strip_prefix(b"--") else {
            if word.as_bytes().starts_with(b"-") {
                return None;
            }
            flags.program.push(word.clone());
            break;
        };
        if word.is_empty() {
            break;
        }
        let end = word.iter().position(|&byte| byte == b'=');
        let (name, value) = word.split_at(end.unwrap_or(word.len()));
        let flag = FLAGS.iter().find(|flag| flag.name.as_bytes() == name)?;
        match (flag.takes, value.split_first()) {
            (Takes::Nothing, None) => flags.push(flag.name, OsString::new()),
            (Takes::One(_) | Takes::Many(_), Some((_, value))) => {
                flags.push(flag.name, OsStr::from_bytes(value).to_owned());
            }
            _ => return None,
        }
    }
    flags.program.extend(words.cloned());
    (!flags.program.is_empty()).then_some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    fn program_of(line: &[&str]) -> Vec<OsString> {
        parse(words(line)).unwrap().program
    }

    #[test]
    fn the_declaration_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_programs_own_flags_are_never_eaten() {
        let own = ["prog", "--uid", "1", "-k", "--help", "--", "--framed"];
        for prefix in [
            &["muontrap"][..],
            &["muontrap", "--cd=/", "--"],
            &["muontrap", "-o", "--"],
        ] {
            let line: Vec<&str> = prefix.iter().chain(&own).copied().collect();
            assert_eq!(program_of(&line), words(&own));
        }
    }

    #[test]
    fn a_program_may_begin_with_a_hyphen_after_two() {
        assert_eq!(program_of(&["muontrap", "--", "-x", "-y"]), ["-x", "-y"]);
    }

    #[test]
    fn mistakes_are_refused() {
        for mistake in [
            &["--bogus", "true"][..],
            &[],
            &["--framed"],
            &["--framed", "true"],
            &["--framed", "--", "true"],
            &["--capture-output=1", "true"],
            &["--uid"],
            &["--fds=3,4", "true"],
        ] {
            assert!(
                parse(words(&[&["muontrap"], mistake].concat())).is_err(),
                "{mistake:?}"
            );
        }
    }

    /// Otherwise the short way would be none.
    #[test]
    fn the_spelling_of_the_elixir_side_is_plain() {
        let line = [
            "muontrap",
            "--capture-output",
            "--cd=",
            "--set=a=b=c",
            "--set=x",
            "--",
            "true",
            "--",
        ];
        let flags = parse_plain(&words(&line)).unwrap();
        assert_eq!(flags.last("cd").unwrap(), "");
        assert_eq!(flags.all("set").collect::<Vec<_>>(), ["a=b=c", "x"]);
        assert_eq!(flags.program, ["true", "--"]);
    }

    proptest! {
        #[test]
        fn the_short_way_is_the_same_as_the_long_one(
            line in proptest::collection::vec(
                proptest::sample::select(vec![
                    "--capture-stderr", "--uid=1", "--uid=", "--set=a=b", "--set=c=d", "--cd=-x",
                    "--", "true", "-", "--capture-output", "-o", "--orphans", "kill", "-k5", "--help",
                    "--nope", "--capture-output=", "",
                ]),
                0..8,
            )
        ) {
            let line = words(&[vec!["muontrap"], line].concat());
            if let Some(flags) = parse_plain(&line) {
                let matches = command().try_get_matches_from(line).unwrap();
                let long = Flags::of(&matches, FLAGS.iter().map(|flag| flag.name));
                for flag in FLAGS {
                    prop_assert_eq!(flags.has(flag.name), long.has(flag.name));
                    prop_assert_eq!(flags.last(flag.name), long.last(flag.name));
                    if let Takes::Many(_) = flag.takes {
                        prop_assert!(flags.all(flag.name).eq(long.all(flag.name)));
                    }
                }
                let program = matches.get_many::<OsString>(PROGRAM).unwrap();
                prop_assert!(flags.program.iter().eq(program));
            }
        }
    }
}
