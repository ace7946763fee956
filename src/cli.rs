// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The flags. What their values mean is `config.rs`'s business.

use clap::{Arg, ArgAction, Command, builder::OsStringValueParser};

const AFTER_HELP: &str = "\
The program gets everything that follows its name, with or without `--` in front of it.
`muontrap cgroup-get`, `cgroup-set`, `cgroup-stat` and `cgroup-clean` look after a cgroup, and
`muontrap doctor` looks at this host: each has its own `--help`.
Closing muontrap's stdin, or SIGTERM, SIGINT, SIGQUIT or SIGHUP, stops the program.

Exit status: the program's, 128 + n when signal n ended it, 125 when muontrap could not set up,
126 when the program cannot be executed, 127 when there is no such program.";

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

/// The command line.
pub fn command() -> Command {
    Command::new("muontrap")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs a program, contains it, and leaves nothing of it behind")
        .after_help(AFTER_HELP)
        .override_usage("muontrap [flags] [--] program [args]...")
        .args_override_self(true)
        .arg(option("arg0", "name", "The program's argv[0]").short('0'))
        .arg(
            option(
                "delay-to-sigkill",
                "ms",
                "From the stop signal to SIGKILL, in milliseconds [default: 500]",
            )
            .short('k'),
        )
        .arg(
            option(
                "stdio-window",
                "bytes",
                "Output that may be unacknowledged [default: 10240]",
            )
            .short('l'),
        )
        .arg(switch("capture-output", "Send stdout to the owner").short('o'))
        .arg(switch("capture-stderr", "Send stderr where stdout goes").short('e'))
        .arg(switch(
            "capture-stderr-only",
            "Send stderr to the owner and throw stdout away",
        ))
        .arg(option("uid", "user", "Run as this user, by id or name").short('u'))
        .arg(option("gid", "group", "Run as this group, by id or name").short('a'))
        .arg(option(
            "groups",
            "list",
            "Supplementary groups, ids and names with commas; empty for none",
        ))
        .arg(option("group", "path", "Run in this cgroup").short('g'))
        .arg(list("controller", "name", "Use this cgroup controller").short('c'))
        .arg(list("set", "key=value", "Set a cgroup variable").short('s'))
        .arg(option("cd", "dir", "Run in this directory"))
        .arg(option(
            "stop-signal",
            "signal",
            "Signal that stops the program, by name or number [default: SIGTERM]",
        ))
        .arg(option(
            "orphans",
            "kill|leave",
            "What to do with what the program leaves behind when it exits by itself [default: kill]",
        ))
        .arg(switch("framed", "Speak the framed protocol"))
        .arg(
            option(
                "fds",
                "in,out",
                "Descriptors for the framed protocol [default: 0,1]",
            )
            .requires("framed"),
        )
        .arg(
            Arg::new("program")
                .value_name("program")
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .value_parser(OsStringValueParser::new())
                .hide(true),
        )
}

#[cfg(test)]
mod tests {
    use super::command;
    use std::ffi::OsString;

    fn program_of(line: &[&str]) -> Vec<String> {
        let matches = command().try_get_matches_from(line).unwrap();
        let words = matches.get_many::<OsString>("program").unwrap();
        words.map(|w| w.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_declaration_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_programs_own_flags_are_never_eaten() {
        let own = ["prog", "--uid", "1", "-k", "--help", "--", "--framed"];
        for prefix in [&["muontrap"][..], &["muontrap", "--framed", "--"]] {
            let line: Vec<&str> = prefix.iter().chain(&own).copied().collect();
            assert_eq!(program_of(&line), own);
        }
    }

    #[test]
    fn a_program_may_begin_with_a_hyphen_after_two() {
        assert_eq!(program_of(&["muontrap", "--", "-x", "-y"]), ["-x", "-y"]);
    }

    #[test]
    fn an_unknown_flag_is_refused() {
        assert!(
            command()
                .try_get_matches_from(["muontrap", "--bogus", "true"])
                .is_err()
        );
    }

    #[test]
    fn a_program_is_required() {
        assert!(command().try_get_matches_from(["muontrap"]).is_err());
        assert!(
            command()
                .try_get_matches_from(["muontrap", "--framed"])
                .is_err()
        );
    }
}
