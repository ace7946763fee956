// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap doctor`: what works on this host for this user, what does not, and how to fix it.
//!
//! Nothing is changed: permissions are checked by access(2), and what a process can try on itself
//! is tried on this one. Only `--probe` makes a cgroup and moves a process into it.

mod args;
mod checks;
mod controllers;
mod diagnosis;
mod facts;
mod remedies;
mod report;

use std::ffi::OsString;
use std::io::Write as _;

use crate::cli;
use args::Args;
use checks::{Check, Status};
use controllers::{choose_base, home};
use diagnosis::Context;
use facts::Facts;
use report::Report;

const EXIT_WORKS: u8 = 0;
const EXIT_DOES_NOT_WORK: u8 = 1;

/// From the words after `doctor` to an exit status.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    let args = match Args::parse(words) {
        Ok(args) => args,
        Err(error) => return cli::report(&error),
    };
    let is_json = args.json;
    let report = examine(args, Facts::gather());
    let text = if is_json {
        report.json()
    } else {
        report.text()
    };
    // The reader may have closed the pipe already.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if report.works {
        EXIT_WORKS
    } else {
        EXIT_DOES_NOT_WORK
    }
}

fn examine(args: Args, facts: Facts) -> Report {
    let host = &facts.cgroups;
    let names = controllers::names(host);
    let mut wanted = args.need.clone();
    if wanted.is_empty() {
        // Where anything is mounted, it may lack some.
        let fixable = |name: &&String| host.hierarchies.is_empty() || home(host, name).is_some();
        wanted = names.iter().filter(fixable).cloned().collect();
    }
    let base = args.base.clone();
    let base = base.unwrap_or_else(|| choose_base(&facts, &wanted));
    let context = Context {
        facts: &facts,
        base: &base,
        controllers: &wanted,
    };
    let mut outcome = context.look(&args.need);
    if args.probe {
        outcome = outcome.and_then(|plan| context.probe(plan));
    }
    let kill_method = checks::kill_method(&facts, outcome.as_ref().ok());
    let mut checks = checks::processes(&facts);
    checks.extend(checks::cgroups(&facts));
    checks.push(Check::new("kill method", Status::Info, kill_method));
    checks.push(checks::request(&args, &base, &outcome));
    Report {
        works: checks.iter().all(|check| check.status != Status::Fail),
        controllers: context.controllers(&names),
        checks,
        kill_method,
        outcome,
        args,
        base,
        facts,
    }
}

#[cfg(test)]
#[path = "mod_test.rs"]
mod tests;
