// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! How a helper is started: flags, program, environment, and a command around it.

use crate::frames::{self, PROTOCOL};
use crate::harness::{Outcome, Owner};
use crate::odd_programs;
use crate::processes::Mark;
use crate::start;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const DEFAULT_WINDOW: u32 = 10_240;

/// The helper that is tested: cargo's, or another one, such as the one that Mix built.
pub fn helper_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let other = env::var("MUONTRAP_TEST_HELPER");
        other.unwrap_or_else(|_| env!("CARGO_BIN_EXE_muontrap").to_owned())
    });
    &PATH
}

#[derive(Debug)]
pub struct Setup {
    helper: PathBuf,
    /// Whether flags and program go to the helper by START instead of its command line.
    framed: bool,
    flags: Vec<OsString>,
    program: Vec<OsString>,
    via: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    user: Option<u32>,
    /// The helper's stderr, if it is not a file.
    pub errors: Option<OwnedFd>,
    /// A mark that is shared with other helpers.
    pub mark: Option<Mark>,
}

fn words<W: AsRef<OsStr>>(words: &[W]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}

/// A helper with these flags and no frames.
pub fn plain(flags: &[&str]) -> Setup {
    Setup {
        helper: helper_path().into(),
        framed: false,
        flags: words(flags),
        program: Vec::new(),
        via: Vec::new(),
        environment: Vec::new(),
        directory: None,
        user: None,
        errors: None,
        mark: None,
    }
}

/// A helper with `--framed`, and with what these flags stand for in START.
pub fn framed(flags: &[&str]) -> Setup {
    Setup {
        framed: true,
        ..plain(flags)
    }
}

/// A helper that captures stdout.
pub fn captured(flags: &[&str]) -> Setup {
    let mut setup = framed(&["--capture-output"]);
    setup.flags.extend(words(flags));
    setup
}

impl Setup {
    pub fn program<W: AsRef<OsStr>>(mut self, program: &[W]) -> Self {
        self.program = words(program);
        self
    }

    /// A shell script is the program.
    pub fn sh(self, script: &str) -> Self {
        self.program(&["sh", "-c", script])
    }

    /// One of `odd_programs.rs` is the program.
    pub fn odd(self, words: &str) -> Self {
        self.env(odd_programs::VARIABLE, words)
            .program(&[odd_programs::path()])
    }

    /// The helper is exec'ed by this command, which gets its command line as arguments.
    pub fn via<W: AsRef<OsStr>>(mut self, command: &[W]) -> Self {
        self.via = words(command);
        self
    }

    /// The helper is exec'ed by one of `odd_programs.rs`.
    pub fn via_odd(self, words: &str) -> Self {
        let program = self.environment.iter().rev();
        let program = program
            .filter(|(key, _)| key == odd_programs::VARIABLE)
            .map(|(_, value)| value.to_str().unwrap());
        let chain: Vec<&str> = [words].into_iter().chain(program.take(1)).collect();
        let chain = chain.join(odd_programs::AND_THEN);
        self.env(odd_programs::VARIABLE, &chain)
            .via(&[odd_programs::path()])
    }

    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Shares the mark of other helpers.
    pub fn mark(mut self, mark: &Mark) -> Self {
        self.mark = Some(mark.clone());
        self
    }

    /// Sets stderr of the helper and the program.
    pub fn errors(mut self, errors: OwnedFd) -> Self {
        self.errors = Some(errors);
        self
    }

    /// Sets another executable, and the user to start it as.
    pub fn helper(mut self, helper: &Path, user: Option<u32>) -> Self {
        self.helper = helper.into();
        self.user = user;
        self
    }

    /// Adds flags.
    pub fn flags<W: AsRef<OsStr>>(mut self, flags: &[W]) -> Self {
        self.flags.extend(words(flags));
        self
    }

    pub fn window(&self) -> u32 {
        let mut flags = self.flags.iter();
        let given = flags
            .find(|flag| *flag == "--stdio-window")
            .and_then(|_| flags.next());
        // Without a valid number no output comes.
        given.map_or(DEFAULT_WINDOW, |bytes| {
            bytes.to_string_lossy().parse().unwrap_or(0)
        })
    }

    /// The command that starts the helper.
    pub fn command(&self, mark: &Mark) -> Command {
        let mut line = self.via.clone();
        line.push(self.helper.clone().into());
        if self.framed {
            line.push("--framed".into());
            line.extend(start::descriptors(&self.flags));
        } else {
            line.extend(self.flags.iter().cloned());
            line.push("--".into());
            line.extend(self.program.iter().cloned());
        }
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]);
        command.env(Mark::VARIABLE, mark.value());
        for (key, value) in &self.environment {
            command.env(key, value);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// The frames that the owner sends first.
    pub fn opening(&self) -> Vec<u8> {
        if !self.framed {
            return Vec::new();
        }
        let start = start::fields(&self.flags, &self.program);
        [frames::hello(PROTOCOL, b""), frames::start(&start)].concat()
    }

    pub fn start(self) -> Owner {
        Owner::new(&self)
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Starts it and waits until the program wrote `text`.
    pub fn start_until(self, text: &str) -> Owner {
        let mut owner = self.start();
        owner.read_until(text);
        owner
    }
}
