// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap [flags] [--] program [args]...`

use super::transport;
use super::values::{controllers, group, number_from, option, parsed, settings, switch, utf8};
use crate::cgroup;
use crate::config::{self, Config, Output, Stdin, Streams};
use crate::process::attributes::Attributes;
use crate::process::find::Lookup;
use crate::user;
use crate::wire::transport::Transport;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

const AFTER_HELP: &str = "\
The program gets everything that follows its name, with or without `--` in front of it.
Closing muontrap's stdin, or SIGTERM, SIGINT, SIGQUIT or SIGHUP, stops the program. At a terminal
the program runs in the foreground, and Ctrl-C and Ctrl-Z reach it.

Exit status: the program's, 128 + n when signal n ended it, 125 when muontrap could not set up,
126 when the program cannot be executed, 127 when there is no such program.

As the first argument:
  cgroup-get, cgroup-set, cgroup-stat, cgroup-clean   look after a cgroup
  doctor                                              checks this host
  --framed [--fds=in,out]                             runs a program for a client, by frames
  --fork-server                                       runs many for a client, by frames
Each but the last has its own --help. docs/protocol.md describes the frames.";

const PROGRAM: &str = "program";

// The tests ask for this.
const ABOUT: &str = if cfg!(feature = "portable") {
    "Runs a program, contains it as on macOS, and leaves nothing of it behind"
} else {
    "Runs a program, contains it, and leaves nothing of it behind"
};

fn command() -> Command {
    Command::new("muontrap")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER_HELP)
        .override_usage("muontrap [flags] [--] program [args]...")
        .args_override_self(true)
        .args(start_flags())
        .args(output_flags())
        .args(identity_flags())
        .args(cgroup_flags())
        .args(end_flags())
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

fn start_flags() -> [Arg; 2] {
    [
        option("arg0", "name", "The program's argv[0]")
            .short('0')
            .value_parser(parsed(|given| Ok(c_string(given)))),
        option("cd", "dir", "Run in this directory").value_parser(parsed(|given| {
            if given.is_empty() {
                return Err("it is empty".to_owned());
            }
            Ok(c_string(given))
        })),
    ]
}

fn output_flags() -> [Arg; 4] {
    [
        option(
            "stdio-window",
            "bytes",
            "Output that may be unacknowledged [default: 10240]",
        )
        .short('l')
        .value_parser(number_from(1)),
        switch("capture-output", "Send stdout to the owner").short('o'),
        switch("capture-stderr", "Send stderr where stdout goes").short('e'),
        switch(
            "capture-stderr-only",
            "Send stderr to the owner and throw stdout away",
        ),
    ]
}

fn identity_flags() -> [Arg; 3] {
    [
        option("uid", "user", "Run as this user, by id or name").short('u'),
        option("gid", "group", "Run as this group, by id or name").short('a'),
        option(
            "groups",
            "list",
            "Supplementary groups, ids and names with commas; empty for none",
        ),
    ]
}

fn cgroup_flags() -> [Arg; 3] {
    [
        group("Run in this cgroup"),
        controllers("Use this cgroup controller").requires("group"),
        settings("Set a cgroup variable").requires("group"),
    ]
}

fn end_flags() -> [Arg; 3] {
    [
        option(
            "delay-to-sigkill",
            "ms",
            "From the stop signal to SIGKILL, in milliseconds [default: 500]",
        )
        .short('k')
        .value_parser(number_from(0)),
        option(
            "stop-signal",
            "signal",
            "Signal that stops the program, by name or number [default: SIGTERM]",
        )
        .value_parser(parsed(|given| config::stop_signal(utf8(given)?))),
        option(
            "orphans",
            "kill|leave",
            "What to do with what the program leaves behind when it exits by itself [default: kill]",
        )
        .hide_possible_values(true)
        .value_parser(PossibleValuesParser::new(["kill", "leave"]).map(|word| word == "leave")),
    ]
}

/// Parses a command line, of which the first word is muontrap's own name.
pub(super) fn parse(words: Vec<OsString>) -> Result<(Config, Transport), clap::Error> {
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(words)?;
    let given = |name: &str| {
        let source = matches.value_source(name);
        source == Some(clap::parser::ValueSource::CommandLine)
    };
    let transport = transport::choose(given);
    let config = config(&mut matches, transport)
        .map_err(|why| command.error(ErrorKind::ValueValidation, why))?;
    Ok((config, transport))
}

fn config(matches: &mut ArgMatches, transport: Transport) -> Result<Config, String> {
    let mut words = matches
        .remove_many::<OsString>(PROGRAM)
        .into_iter()
        .flatten();
    let program = words.next().unwrap_or_default();
    let arguments: Vec<CString> = words.map(|word| c_string(&word)).collect();
    let arg0 = matches.remove_one("arg0");
    let arg0 = arg0.unwrap_or_else(|| c_string(&program));
    let default = Config::default();
    let delay: Option<u32> = matches.remove_one("delay-to-sigkill");
    let delay = delay.map(|ms| Duration::from_millis(ms.into()));
    Ok(Config {
        argv: [vec![arg0], arguments].concat(),
        program,
        lookup: Lookup::Shell,
        attributes: Attributes::in_directory(matches.remove_one("cd")),
        user: user::Request {
            uid: matches.remove_one("uid"),
            gid: matches.remove_one("gid"),
            groups: matches.remove_one("groups"),
            login: Vec::new(),
            prefix: "--",
        },
        cgroup: new_cgroup(matches)?,
        window: matches.remove_one("stdio-window").unwrap_or(default.window),
        delay_to_sigkill: delay.unwrap_or(default.delay_to_sigkill),
        stop_signal: matches
            .remove_one("stop-signal")
            .unwrap_or(default.stop_signal),
        leave_orphans: matches
            .remove_one("orphans")
            .unwrap_or(default.leave_orphans),
        streams: streams(matches, transport),
        ..default
    })
}

fn new_cgroup(matches: &mut ArgMatches) -> Result<Option<cgroup::Request>, String> {
    let Some(request) = super::cgroup::request(matches) else {
        return Ok(None);
    };
    request
        .validate()
        .and_then(|()| request.refuse_empty())
        .map_err(|error| error.to_string())?;
    config::check_thawed(&request.settings).map_err(|why| format!("--set: {why}"))?;
    Ok(Some(request))
}

fn streams(matches: &ArgMatches, transport: Transport) -> Streams {
    let merged = if matches.get_flag("capture-stderr") {
        Output::Stdout
    } else {
        Output::Inherit
    };
    let is_plain = !transport.is_acknowledged();
    let (stdout, stderr) = if matches.get_flag("capture-stderr-only") {
        // Without acknowledgements, what would be sent to the owner goes to muontrap's stdout.
        let captured = if is_plain {
            Output::OwnStdout
        } else {
            Output::Capture
        };
        (Output::Null, captured)
    } else if is_plain {
        (Output::Inherit, merged)
    } else if matches.get_flag("capture-output") {
        (Output::Capture, merged)
    } else {
        (Output::Null, merged)
    };
    Streams {
        stdin: if transport == Transport::Terminal {
            Stdin::Inherit
        } else {
            Stdin::Pipe
        },
        stdout,
        stderr,
    }
}

/// Words of a command line have no null byte in them.
fn c_string(word: &OsStr) -> CString {
    CString::new(word.as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Config, String> {
        let line = ["muontrap"].iter().chain(words);
        let line: Vec<OsString> = line.map(OsString::from).collect();
        let result = parse(line);
        result
            .map(|(config, _)| config)
            .map_err(|error| error.to_string())
    }

    fn flags(flags: &[&str]) -> Result<Config, String> {
        parsed(&[flags, &["true"]].concat())
    }

    #[test]
    fn the_declaration_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn defaults() {
        let config = flags(&[]).unwrap();
        assert_eq!(config.window, 10_240);
        assert_eq!(config.delay_to_sigkill, Duration::from_millis(500));
        assert_eq!(config.stop_signal, 15);
        assert!(!config.leave_orphans && config.cgroup.is_none());
        assert_eq!(config.argv, [c"true".to_owned()]);
    }

    #[test]
    fn all_flags_arrive() {
        let line = "--arg0=zero -k 0 -l7 --uid nobody -a 7 --groups= --cd -x --stop-signal=int \
            --orphans leave -g a/b -c memory -c cpu -s memory.max=1=2 -- prog -k";
        let words: Vec<&str> = line.split_whitespace().collect();
        let config = parsed(&words).unwrap();
        assert_eq!(config.program, "prog");
        assert_eq!(config.argv, [c"zero".to_owned(), c"-k".to_owned()]);
        assert_eq!((config.window, config.stop_signal), (7, 2));
        assert_eq!(config.delay_to_sigkill, Duration::ZERO);
        assert_eq!(config.attributes.cd.as_deref(), Some(c"-x"));
        assert!(config.leave_orphans);
        let user = user::Request {
            uid: Some("nobody".into()),
            gid: Some("7".into()),
            groups: Some(String::new()),
            login: Vec::new(),
            prefix: "--",
        };
        assert_eq!(config.user, user);
        let request = config.cgroup.unwrap();
        assert_eq!(request.group, "a/b");
        assert_eq!(request.controllers, ["memory", "cpu"]);
        let setting = ("memory.max".to_owned(), "1=2".to_owned());
        assert_eq!(request.settings, [setting]);
    }

    #[test]
    fn the_last_one_counts() {
        let config = flags(&["-k", "1", "--delay-to-sigkill=2"]).unwrap();
        assert_eq!(config.delay_to_sigkill, Duration::from_millis(2));
    }

    #[test]
    fn the_programs_own_flags_are_never_eaten() {
        let own = ["prog", "--uid", "1", "-k", "--help", "--", "--framed"];
        for prefix in [&[][..], &["--cd=/", "--"], &["-o"]] {
            let config = parsed(&[prefix, &own].concat()).unwrap();
            assert_eq!(config.program, "prog");
            let words = config.argv.iter().map(|word| word.to_str().unwrap());
            assert_eq!(words.collect::<Vec<_>>(), own);
            assert_eq!(config.user.uid, None);
        }
        let config = parsed(&["--", "-x", "-y"]).unwrap();
        assert_eq!((config.program, config.argv.len()), ("-x".into(), 2));
    }

    #[test]
    fn numbers_are_plain_decimal_and_nothing_else() {
        let bad = "+1000, 1000,1000 ,0x3e8,01750,-1,4294968296,abc,,1e3,١".split(',');
        for flag in ["delay-to-sigkill", "stdio-window"] {
            for value in bad.clone() {
                let error = flags(&[&format!("--{flag}={value}")]).unwrap_err();
                assert!(error.contains(flag), "{error}");
            }
            flags(&[&format!("--{flag}"), "1000"]).unwrap();
        }
        assert!(flags(&["--stdio-window", "0"]).is_err());
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        for (words, name) in [
            (&["--bogus", "true"][..], "--bogus"),
            (&[], "program"),
            (&["--"], "program"),
            (&["--uid"], "--uid"),
            (&["--uid", "1", "--framed", "true"], "--framed"),
            (&["--fds=3,4", "true"], "--fds"),
            (&["--fork-server", "true"], "--fork-server"),
            (&["--capture-output=1", "true"], "--capture-output"),
            (&["--stop-signal", "SIGNOPE", "true"], "--stop-signal"),
            (&["--orphans", "maybe", "true"], "--orphans"),
            (&["--cd", "", "true"], "--cd"),
            (&["--set", "a=1", "true"], "--group"),
            (&["--controller", "memory", "true"], "--group"),
            (&["--group", "..", "true"], "group \"..\""),
            (&["--group", "g", "--set", "a", "true"], "--set"),
            (&["--group", "g", "--set", "=1", "true"], "--set"),
            (
                &["--group", "g", "--set", "cgroup.freeze=1", "true"],
                "--set",
            ),
        ] {
            let error = parsed(words).unwrap_err();
            assert!(error.contains(name), "{words:?}: {error}");
        }
    }

    #[test]
    fn a_value_that_is_not_utf_8_is_refused_by_name() {
        let value = OsStr::from_bytes(b"\xff").to_owned();
        let line = ["muontrap", "--uid"].map(OsString::from).to_vec();
        let line = [line, vec![value, "true".into()]].concat();
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains("--uid"), "{error}");
    }

    #[test]
    fn output_goes_where_the_owner_wants_it() {
        use Output::{Capture, Inherit, Null, OwnStdout, Stdout};
        use Transport::{Plain, Raw, Terminal};
        let streams = |flags: &[&str], transport| {
            let line = [&["muontrap"], flags, &["true"]].concat();
            let matches = command().try_get_matches_from(line).unwrap();
            let streams = streams(&matches, transport);
            (streams.stdin, streams.stdout, streams.stderr)
        };
        let both = &["--capture-output", "--capture-stderr"];
        let only = &["--capture-stderr-only"];
        for (flags, transport, expected) in [
            (&[][..], Plain, (Stdin::Pipe, Inherit, Inherit)),
            (&[], Terminal, (Stdin::Inherit, Inherit, Inherit)),
            (&[], Raw, (Stdin::Pipe, Null, Inherit)),
            (both, Raw, (Stdin::Pipe, Capture, Stdout)),
            (both, Terminal, (Stdin::Inherit, Inherit, Stdout)),
            (only, Raw, (Stdin::Pipe, Null, Capture)),
            (only, Plain, (Stdin::Pipe, Null, OwnStdout)),
        ] {
            assert_eq!(streams(flags, transport), expected, "{flags:?}");
        }
    }
}
