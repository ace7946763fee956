// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The report for people. What mends several things is printed once, at the end.

use std::fmt::{self, Write as _};

use super::Report;
use super::checks::{Check, Status};
use super::groups::{Controller, reason};
use super::mend::Mend;

/// Writes the report.
pub fn write(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut notes = Notes::default();
    writeln!(
        f,
        "MuonTrap {} on this host ({})\n",
        env!("CARGO_PKG_VERSION"),
        report.facts.setting.name()
    )?;
    for check in &report.checks {
        write_check(f, check, &mut notes)?;
    }
    if !report.controllers.is_empty() {
        write_controllers(f, report, &mut notes)?;
    }
    writeln!(f)?;
    write_check(f, &report.request, &mut notes)?;
    notes.write(f)
}

fn write_check(f: &mut fmt::Formatter<'_>, check: &Check, notes: &mut Notes) -> fmt::Result {
    let status = check.status.name();
    let notes = notes.add(&check.mends);
    writeln!(f, "{status:<5} {:<13} {}{notes}", check.name, check.found)
}

fn write_controllers(
    f: &mut fmt::Formatter<'_>,
    report: &Report,
    notes: &mut Notes,
) -> fmt::Result {
    writeln!(
        f,
        "\nControllers, for groups in {:?}\n\n      {:<11} {:<31} {:<8} {:<10} writable",
        report.verdict.base, "name", "mounted", "enabled", "delegated"
    )?;
    for controller in &report.controllers {
        write_controller(f, controller)?;
        if let Some(failure) = &controller.failure {
            let notes = notes.add(&controller.mends);
            writeln!(f, "      {:<11} {}{notes}", "", reason(failure))?;
        }
    }
    Ok(())
}

fn write_controller(f: &mut fmt::Formatter<'_>, controller: &Controller) -> fmt::Result {
    let yes = |value: bool| if value { "yes" } else { "no" };
    let status = match controller.failure {
        None => Status::Ok,
        Some(_) => Status::Warn,
    };
    let home = controller.home.as_ref();
    let home = home.map_or("no".to_owned(), |(_, path)| path.display().to_string());
    let delegated = controller.delegated.map_or("-", yes);
    writeln!(
        f,
        "{:<5} {:<11} {home:<31} {:<8} {delegated:<10} {}",
        status.name(),
        controller.name,
        yes(controller.enabled),
        yes(controller.writable)
    )
}

/// What mends things, each once.
#[derive(Debug, Default)]
struct Notes(Vec<Mend>);

impl Notes {
    /// Takes them in, and returns their numbers to be put behind what they mend.
    fn add(&mut self, mends: &[Mend]) -> String {
        let mut marks = String::new();
        for mend in mends {
            let known = self.0.iter().position(|known| known == mend);
            let index = known.unwrap_or_else(|| {
                self.0.push(mend.clone());
                self.0.len() - 1
            });
            let _ = write!(marks, " [{}]", index + 1);
        }
        marks
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            writeln!(f, "\nWhat mends it")?;
        }
        for (index, mend) in self.0.iter().enumerate() {
            writeln!(f, "\n[{}] {}:\n", index + 1, mend.place)?;
            for line in mend.text.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
