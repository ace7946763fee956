// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The report: as text for people, and as the JSON object that `docs/doctor.md` describes.

use std::path::Path;

use super::args::Args;
use super::checks::{Check, delegated_from, versions};
use super::controllers::{Controller, Refusal};
use super::facts::Facts;
use super::remedies::Fix;
use crate::cgroup::{Hierarchy, Plan};

/// A JSON object of values in JSON ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)).
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {
        format!("{{{}}}", [$(format!(concat!("\"", $name, "\":{}"), $value)),*].join(","))
    };
}

#[derive(Debug)]
pub struct Report {
    pub args: Args,
    pub facts: Facts,
    /// As `:cgroup_base`, if it was given or not.
    pub base: String,
    /// Whether a cgroup as it was asked for, or one without controllers, works.
    pub outcome: Result<Plan, Refusal>,
    pub kill_method: &'static str,
    pub checks: Vec<Check>,
    pub controllers: Vec<Controller>,
    /// Whether what was asked for works, or, if nothing was, whether programs can be run and contained.
    pub works: bool,
}

impl Report {
    /// Fixes are numbered, and each is written once, at the end.
    pub fn text(&self) -> String {
        let (version, kind) = (env!("CARGO_PKG_VERSION"), self.facts.kind.name());
        let mut parts = vec![format!("MuonTrap {version} on this host ({kind})\n\n")];
        let mut fixes = vec![];
        for check in &self.checks {
            let (status, marks) = (check.status.name(), marks(&check.fixes, &mut fixes));
            let (name, found) = (check.name, &check.found);
            parts.push(format!("{status:<5} {name:<13} {found}{marks}\n"));
        }
        if !self.controllers.is_empty() {
            parts.push(format!("\nControllers, for groups in {:?}\n\n", self.base));
            let columns = ["name", "mounted", "enabled", "delegated", "writable"];
            parts.push(row("", columns));
        }
        for controller in &self.controllers {
            parts.push(controller_rows(controller, &mut fixes));
        }
        if !fixes.is_empty() {
            parts.push("\nHow to fix it\n".into());
        }
        for (index, fix) in fixes.iter().enumerate() {
            let (number, place) = (index + 1, &fix.place);
            let lines = fix.text.replace('\n', "\n    ");
            parts.push(format!("\n[{number}] {place}:\n\n    {lines}\n"));
        }
        parts.concat()
    }

    /// One line.
    pub fn json(&self) -> String {
        let facts = &self.facts;
        let report = object! {
            "version": string(env!("CARGO_PKG_VERSION")),
            "works": self.works,
            "host": string(facts.kind.name()),
            "kernel": string(&facts.release),
            "user": string(&facts.user),
            "uid": facts.uid,
            "checks": array(&self.checks, check),
            "cgroups": string(versions(&facts.cgroups)),
            "hierarchies": array(&facts.cgroups.hierarchies, hierarchy),
            "controllers": array(&self.controllers, controller),
            "kill_method": string(self.kill_method),
            "request": self.request(),
        };
        report + "\n"
    }

    fn request(&self) -> String {
        let refusal = self.outcome.as_ref().err();
        let groups = self.outcome.iter().flat_map(|plan| &plan.locations);
        let directories = groups.filter_map(|group| group.path.parent());
        let directories: Vec<_> = directories.map(Path::to_string_lossy).collect();
        object! {
            "base": string(&self.base),
            "base_given": self.args.base.is_some(),
            "controllers": array(&self.args.need, |name| string(name)),
            "probed": self.args.probe,
            "works": refusal.is_none(),
            "why_not": nullable(refusal, |refusal| string(&refusal.why)),
            "directories": array(&directories, |path| string(path)),
            "fix": refusal.map_or("[]".into(), |refusal| array(&refusal.fixes, fix)),
        }
    }
}

fn row(status: &str, [name, mounted, enabled, delegated, writable]: [&str; 5]) -> String {
    format!("{status:<5} {name:<11} {mounted:<31} {enabled:<8} {delegated:<10} {writable}\n")
}

/// A row of the table, and below it why the controller cannot be used.
fn controller_rows(controller: &Controller, known: &mut Vec<Fix>) -> String {
    let yes = |value: bool| if value { "yes" } else { "no" };
    let home = controller.home.as_ref();
    let mounted = home.map_or("no".into(), |home| home.mount_point.to_string_lossy());
    let delegated = controller.delegated.map_or("-", yes);
    let (enabled, writable) = (yes(controller.enabled), yes(controller.writable));
    let columns = [&controller.name, &*mounted, enabled, delegated, writable];
    let Some(refusal) = &controller.refusal else {
        return row("ok", columns);
    };
    let marks = marks(&refusal.fixes, known);
    format!("{}{:18}{}{marks}\n", row("warn", columns), "", refusal.why)
}

/// The numbers of these fixes, such as ` [1] [3]`. Those that are not `known` yet become so.
fn marks(fixes: &[Fix], known: &mut Vec<Fix>) -> String {
    let mark = |fix: &Fix| {
        if !known.contains(fix) {
            known.push(fix.clone());
        }
        let before = known.iter().take_while(|known| *known != fix);
        format!(" [{}]", before.count() + 1)
    };
    fixes.iter().map(mark).collect()
}

fn check(check: &Check) -> String {
    object! {
        "name": string(check.name),
        "status": string(check.status.name()),
        "found": string(&check.found),
        "fix": array(&check.fixes, fix),
    }
}

fn fix(fix: &Fix) -> String {
    object! { "place": string(&fix.place), "do": string(&fix.text) }
}

fn hierarchy(hierarchy: &Hierarchy) -> String {
    object! {
        "version": hierarchy.version.number(),
        "controllers": array(hierarchy.offered(), |name| string(name)),
        "mounted": string(&hierarchy.mount_point.to_string_lossy()),
        "read_only": hierarchy.read_only,
        "own_group": string(&hierarchy.own_path),
        "delegated_from": nullable(delegated_from(hierarchy), |group| string(&group)),
    }
}

fn controller(controller: &Controller) -> String {
    let (home, refusal) = (controller.home.as_ref(), controller.refusal.as_ref());
    object! {
        "name": string(&controller.name),
        "version": nullable(home, |home| home.version.number().to_string()),
        "mounted": nullable(home, |home| string(&home.mount_point.to_string_lossy())),
        "enabled": controller.enabled,
        "delegated": nullable(controller.delegated, |value| value.to_string()),
        "writable": controller.writable,
        "usable": refusal.is_none(),
        "why_not": nullable(refusal, |refusal| string(&refusal.why)),
        "fix": refusal.map_or("[]".to_owned(), |refusal| array(&refusal.fixes, fix)),
    }
}

fn array<T>(items: &[T], json: impl FnMut(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(json).collect();
    format!("[{}]", items.join(","))
}

fn nullable<T>(value: Option<T>, json: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "null".to_owned(), json)
}

fn string(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c < ' ' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}
