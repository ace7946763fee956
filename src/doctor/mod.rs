// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap doctor`: what works on this host for this user, what does not, and what mends it.
//!
//! It looks, and changes nothing: rights are asked for by access(2), and what a process can try it
//! tries on itself. Only with `--probe` does it run a program in a group, as `muontrap` would.

mod checks;
mod document;
mod facts;
mod groups;
mod json;
mod kernel;
mod mend;
mod probe;
mod text;

use std::ffi::OsString;
use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cgroup::{Host, Plan};
use crate::diagnostics;
use crate::error::{EXIT_SETUP, Failure};
use crate::run;
use checks::{Check, Status};
use facts::Facts;
use groups::{Controller, Verdict, View};
use mend::Case;

/// Exit status when it works.
const EXIT_WORKS: u8 = 0;
/// Exit status when it does not.
const EXIT_DOES_NOT: u8 = 1;

const AFTER_HELP: &str = "\
Run it where the application runs: by the same user, in the same container or unit.

Exit status: 0 when what --need and --base ask for would work; without them, when programs can be
run and contained. 1 when not. 125 when the command line makes no sense.";

fn command() -> Command {
    Command::new("muontrap doctor")
        .about("Says what works on this host for this user, and what mends what does not")
        .after_help(AFTER_HELP)
        .no_binary_name(true)
        .args_override_self(true)
        .arg(
            Arg::new("need")
                .long("need")
                .value_name("list")
                .value_delimiter(',')
                .help("Controllers as in :cgroup_controllers, with commas: memory,cpu"),
        )
        .arg(
            Arg::new("base")
                .long("base")
                .value_name("path")
                .help("The cgroup as in :cgroup_base [default: one that works]"),
        )
        .arg(switch(
            "probe",
            "Also run a program in such a cgroup, and remove it again",
        ))
        .arg(switch("json", "Print one line of JSON"))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wish {
    need: Vec<String>,
    base: Option<String>,
    probe: bool,
    json: bool,
}

impl Wish {
    fn new(matches: &ArgMatches) -> Result<Self, String> {
        let need = matches.get_many::<String>("need").into_iter().flatten();
        let need: Vec<String> = need.cloned().collect();
        if need.iter().any(String::is_empty) {
            return Err("--need takes names of controllers, such as memory,cpu".into());
        }
        Ok(Self {
            need,
            base: matches.get_one("base").cloned(),
            probe: matches.get_flag("probe"),
            json: matches.get_flag("json"),
        })
    }

    fn is_request(&self) -> bool {
        self.base.is_some() || !self.need.is_empty()
    }
}

/// All that is reported.
#[derive(Debug)]
struct Report {
    facts: Facts,
    host: Host,
    checks: Vec<Check>,
    controllers: Vec<Controller>,
    verdict: Verdict,
    request: Check,
    kill: &'static str,
}

/// From the words after `doctor` to an exit status.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return run::usage_error(&error),
    };
    match Wish::new(&matches) {
        Ok(wish) => run(&wish),
        Err(why) => {
            diagnostics::say(why);
            EXIT_SETUP
        }
    }
}

fn run(wish: &Wish) -> u8 {
    let (facts, host) = (Facts::gather(), Host::detect());
    let (host, trouble) = match host {
        Ok(host) => (host, None),
        Err(error) => (Host::default(), Some(Failure::from(error))),
    };
    let report = Report::new(wish, facts, host, trouble.as_ref(), &std::env::current_exe);
    let status = report.exit_status(wish);
    let text = if wish.json {
        format!("{}\n", document::of(&report, status == EXIT_WORKS))
    } else {
        report.to_string()
    };
    // A reader who left has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    status
}

type FindHelper<'a> = &'a dyn Fn() -> std::io::Result<PathBuf>;

impl Report {
    fn new(
        wish: &Wish,
        facts: Facts,
        host: Host,
        trouble: Option<&Failure>,
        find_helper: FindHelper<'_>,
    ) -> Self {
        let names = groups::names(&host);
        let mendable =
            |name: &&String| host.hierarchies.is_empty() || groups::home(&host, name).is_some();
        let mut wanted = wish.need.clone();
        if wanted.is_empty() {
            wanted = names.iter().filter(mendable).cloned().collect();
        }
        let base = wish.base.clone();
        let base = base.unwrap_or_else(|| groups::choose_base(&host, &wanted));
        let view = View {
            facts: &facts,
            host: &host,
            base: &base,
            wanted: &wanted,
        };
        let mut verdict = view.verdict(&wish.need);
        verdict.given = wish.base.is_some();
        let mut controllers: Vec<Controller> = vec![];
        if verdict
            .outcome
            .as_ref()
            .err()
            .is_none_or(|failure| failure.errno != libc::EINVAL)
        {
            controllers.extend(names.iter().map(|name| view.controller(name)));
        }
        if wish.probe && verdict.outcome.is_ok() {
            try_out(&mut verdict, &facts, &host, find_helper);
        }
        let kill = groups::kill_method(&facts, verdict.outcome.as_ref().ok());
        let mut checks = checks::processes(&facts);
        checks
            .extend(trouble.map(|failure| Check::new("mounts", Status::Fail, failure.to_string())));
        checks.extend(groups::checks(&view));
        checks.push(Check::new("kill method", Status::Info, kill));
        let request = request_check(&verdict, wish.is_request() || wish.probe);
        Self {
            facts,
            host,
            checks,
            controllers,
            verdict,
            request,
            kill,
        }
    }

    /// Whether what was asked for works, else whether programs can be run and contained.
    fn exit_status(&self, wish: &Wish) -> u8 {
        let broken = self.checks.iter().any(|check| check.status == Status::Fail);
        let asked = wish.is_request() || wish.probe;
        if broken || (asked && self.verdict.outcome.is_err()) {
            EXIT_DOES_NOT
        } else {
            EXIT_WORKS
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

fn try_out(verdict: &mut Verdict, facts: &Facts, host: &Host, find_helper: FindHelper<'_>) {
    verdict.probed = true;
    let helper = find_helper().unwrap_or_else(|_| "muontrap".into());
    if let Err(failure) = probe::probe(&helper, verdict) {
        let case = Case {
            facts,
            host,
            base: &verdict.base,
            controllers: &verdict.controllers,
        };
        verdict.mends = case.mends(&failure);
        verdict.outcome = Err(failure);
    }
}

/// The last line: what was asked for, or what could be.
fn request_check(verdict: &Verdict, asked: bool) -> Check {
    let controllers = match verdict.controllers.as_slice() {
        [] => "without controllers".to_owned(),
        names => format!("with {}", names.join(", ")),
    };
    let what = format!("cgroup_base {:?} {controllers}", verdict.base);
    match &verdict.outcome {
        Ok(plan) => {
            let does = if verdict.probed {
                "works"
            } else {
                "would work"
            };
            let found = format!("{what} {does}, in {}", bases(plan));
            Check::new("request", Status::Ok, found)
        }
        Err(failure) => {
            let does = if verdict.probed {
                "does not work"
            } else {
                "would not work"
            };
            let found = format!("{what} {does}: {}", groups::reason(failure));
            let status = if asked { Status::Fail } else { Status::Warn };
            Check::new("request", status, found).mend(verdict.mends.clone())
        }
    }
}

/// The directories of the base.
fn bases(plan: &Plan) -> String {
    let locations = plan.locations.iter();
    let bases =
        locations.filter_map(|location| Some(location.path.parent()?.display().to_string()));
    bases.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "mod_test.rs"]
mod tests;
