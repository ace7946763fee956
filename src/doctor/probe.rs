// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Tries a request out: a whole run of muontrap, with a program that ends at once.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::groups::{Verdict, leaf};
use crate::cgroup::Plan;
use crate::error::{Failure, Step};

/// Runs `helper --version` by `helper` in a group of the verdict's base, with its controllers. The
/// group is removed by that run, and afterwards the groups above it that it had to make. What was
/// passed on in groups that were there stays passed on.
pub fn probe(helper: &Path, verdict: &Verdict) -> Result<(), Failure> {
    let failed = |message: String| Failure::new(Step::Cgroup, message);
    let plan = verdict.outcome.as_ref();
    let missing = plan.map(Plan::missing_above).unwrap_or_default();
    let mut command = Command::new(helper);
    command.arg(format!("--group={}", leaf(&verdict.base)));
    for name in &verdict.controllers {
        command.arg(format!("--controller={name}"));
    }
    command.arg("--").arg(helper).arg("--version");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = command.spawn();
    let mut child = started
        .map_err(|error| failed(format!("cannot run {}", helper.display())).caused_by(&error))?;
    // Its end would stop the program.
    let stdin = child.stdin.take();
    let mut errors = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut errors);
    }
    let status = child.wait();
    drop(stdin);
    undo(&missing);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(match errors.trim() {
            "" => format!("the trial run ended with {status}"),
            errors => errors.trim_start_matches("muontrap: ").to_owned(),
        })),
        Err(error) => Err(failed("the trial run was lost".into()).caused_by(&error)),
    }
}

/// One that somebody else uses by now cannot be removed, and that is right.
fn undo(missing: &[PathBuf]) {
    for path in missing.iter().rev() {
        let _ = fs::remove_dir(path);
    }
}
