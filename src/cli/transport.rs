// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! How muontrap and its owner talk: what a command line and the host say about it.

use super::values::{option, parsed, utf8};
use crate::number::parse_decimal;
use crate::sys;
use crate::wire::transport::Transport;
use clap::{ArgMatches, Command};
use nix::unistd::{getppid, isatty};
use std::ffi::OsString;
use std::io;

/// Flags that only an owner who acknowledges output has a use for.
pub(super) const CAPTURING: [&str; 4] = [
    "capture-output",
    "capture-stderr",
    "capture-stderr-only",
    "stdio-window",
];

/// The parent of all programs that ports of the BEAM start.
const PORT_STARTER: &str = "erl_child_setup";

/// Chooses the transport of a program on the command line. Nobody types acknowledgements, so at a terminal output
/// passes through whatever the flags say.
pub(super) fn choose(has_flag: impl Fn(&str) -> bool) -> Transport {
    if isatty(io::stdin()).unwrap_or(false) {
        Transport::Terminal
    } else if CAPTURING.into_iter().any(has_flag) || is_port() {
        Transport::Raw
    } else {
        Transport::Plain
    }
}

/// Whether a port of the BEAM started this process. A shell that it started does not count.
fn is_port() -> bool {
    let parent = sys::process_name(getppid().as_raw());
    parent.is_ok_and(|name| name == PORT_STARTER.as_bytes())
}

/// Parses a command line that begins with `--framed`.
pub(super) fn parse(words: &[OsString]) -> Result<Transport, clap::Error> {
    let matches = command().try_get_matches_from(&words[1..])?;
    Ok(transport(&matches))
}

fn command() -> Command {
    let fds = option("fds", "in,out", "Descriptors to use [default: 0,1]");
    Command::new("--framed")
        .about("Runs a program for a client that speaks the framed protocol")
        .override_usage("muontrap --framed [--fds=in,out]")
        .arg(fds.value_parser(parsed(|given| descriptors(utf8(given)?))))
}

fn transport(matches: &ArgMatches) -> Transport {
    let framed = |&(input, output): &(u16, u16)| Transport::Framed {
        input: input.into(),
        output: output.into(),
    };
    matches.get_one("fds").map_or(framed(&(0, 1)), framed)
}

fn descriptors(given: &str) -> Result<(u16, u16), String> {
    given
        .split_once(',')
        .and_then(|(input, output)| Some((parse_decimal(input)?, parse_decimal(output)?)))
        .filter(|(input, output)| input != output)
        .ok_or_else(|| "it is not two different descriptors, such as 3,4".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Transport, String> {
        let line = ["muontrap", "--framed"].iter().chain(words);
        let line: Vec<OsString> = line.map(OsString::from).collect();
        parse(&line).map_err(|error| error.to_string())
    }

    #[test]
    fn the_declaration_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn descriptors_are_two_different_ones() {
        let framed = |input, output| Ok(Transport::Framed { input, output });
        assert_eq!(parsed(&[]), framed(0, 1));
        assert_eq!(parsed(&["--fds=3,4"]), framed(3, 4));
        assert_eq!(parsed(&["--fds", "3,4"]), framed(3, 4));
        for fds in ["3", "3,3", "a,b", "", "3,4,5", "3,-4", "3,70000"] {
            let error = parsed(&["--fds", fds]).unwrap_err();
            assert!(error.contains("--fds"), "{error}");
        }
    }

    #[test]
    fn the_program_comes_by_start() {
        for words in [&["true"][..], &["--", "true"], &["--uid=1"]] {
            assert!(parsed(words).is_err(), "{words:?}");
        }
    }
}
