// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The command line. The first word tells what is to be done; each kind has flags of its own.

pub(crate) mod cgroup;
mod program;
mod transport;
mod values;

use crate::config::Config;
use crate::diagnostics;
use crate::error::EXIT_SETUP;
use crate::wire::transport::Transport;
use cgroup::SubCommand;
use std::ffi::OsString;

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// A program, and how its session and its owner talk.
    Program(Box<Config>, Transport),
    /// `--framed`: a session whose owner sends START.
    Framed(Transport),
    /// `--fork-server`
    ForkServer,
    Cgroup(crate::cgroup::Operation),
    /// With the words that follow `doctor`.
    Doctor(Vec<OsString>),
}

impl Invocation {
    /// Parses a command line, of which the first word is muontrap's own name.
    #[inline(never)]
    pub(crate) fn parse(words: Vec<OsString>) -> Result<Self, clap::Error> {
        let first = words.get(1).and_then(|word| word.to_str());
        if let Some(command) = first.and_then(SubCommand::find) {
            return command.parse(&words[1..]).map(Self::Cgroup);
        }
        match first {
            Some("doctor") => Ok(Self::Doctor(words.into_iter().skip(2).collect())),
            Some("--framed") => transport::parse(&words).map(Self::Framed),
            Some("--fork-server") if words.len() == 2 => Ok(Self::ForkServer),
            _ => program::parse(words)
                .map(|(config, transport)| Self::Program(Box::new(config), transport)),
        }
    }
}

/// Reports an error of a command line, or prints the help that it asked for, and returns the exit status.
pub(crate) fn report(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        diagnostics::say_lines(error.render().to_string());
        return EXIT_SETUP;
    }
    // The reader of the help may be gone.
    let _ = error.print();
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Invocation, clap::Error> {
        let line = ["muontrap"].iter().chain(words);
        Invocation::parse(line.map(OsString::from).collect())
    }

    #[test]
    fn the_first_word_tells_what_to_do() {
        let program = |words: &[&str]| match parse(words) {
            Ok(Invocation::Program(config, _)) => config.program,
            other => panic!("{other:?}"),
        };
        assert!(matches!(parse(&["--framed"]), Ok(Invocation::Framed(_))));
        assert!(matches!(
            parse(&["--fork-server"]),
            Ok(Invocation::ForkServer)
        ));
        assert!(matches!(
            parse(&["cgroup-stat", "-g", "a"]),
            Ok(Invocation::Cgroup(_))
        ));
        match parse(&["doctor", "--json"]) {
            Ok(Invocation::Doctor(words)) => assert_eq!(words, ["--json"]),
            other => panic!("{other:?}"),
        }
        assert_eq!(program(&["true", "--framed"]), "true");
        assert_eq!(program(&["--", "doctor"]), "doctor");
        assert_eq!(program(&["-k", "1", "cgroup-stat"]), "cgroup-stat");
    }
}
