// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What this process may do with cgroups, and whether a request would work.

use std::fs;
use std::path::{Path, PathBuf};

use super::checks::{Check, Status};
use super::facts::Facts;
use super::kernel::{v1_name, v2_name};
use super::mend::{Case, Mend};
use crate::cgroup::{Error, Hierarchy, Host, Location, Plan, Request, Version, is_writable};
use crate::error::Failure;

/// What is looked for on every host, by its v2 name.
const USUAL: [&str; 5] = ["memory", "cpu", "pids", "io", "cpuset"];
/// Controllers with nothing to limit, that always work or that nobody asks for.
const IDLE: [&str; 3] = ["freezer", "devices", "debug"];

/// One controller.
#[derive(Clone, Debug)]
pub struct Controller {
    /// Its name on this host.
    pub name: String,
    /// The hierarchy that has it.
    pub home: Option<(Version, PathBuf)>,
    /// Whether the kernel has it, and it is not turned off.
    pub enabled: bool,
    /// v2: whether it is passed on as far as the base, or the deepest group on the way to it.
    pub delegated: Option<bool>,
    /// Whether a group may be made there.
    pub writable: bool,
    /// Why a request for it would fail.
    pub failure: Option<Failure>,
    /// What mends that.
    pub mends: Vec<Mend>,
}

/// What was asked for, or containment alone, and what would become of it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// As `:cgroup_base`.
    pub base: String,
    /// Whether the base was given, not chosen.
    pub given: bool,
    /// As `:cgroup_controllers`.
    pub controllers: Vec<String>,
    /// What would be made, or why not.
    pub outcome: Result<Plan, Failure>,
    /// What mends that.
    pub mends: Vec<Mend>,
    /// Whether it was tried, not only looked at.
    pub probed: bool,
}

/// A group in this base that nobody else has; none where the base is none.
pub fn leaf(base: &str) -> String {
    if base.is_empty() {
        return String::new();
    }
    format!("{}/{}", base.trim_end_matches('/'), leaf_name())
}

fn leaf_name() -> String {
    format!("muontrap-doctor-{}", std::process::id())
}

fn request(base: &str, controllers: &[String]) -> Request {
    Request {
        group: leaf(base),
        controllers: controllers.to_vec(),
        settings: vec![],
    }
}

/// What is known about the host, and for what it is to be mended.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The host and the process.
    pub facts: &'a Facts,
    /// Its hierarchies.
    pub host: &'a Host,
    /// As `:cgroup_base`.
    pub base: &'a str,
    /// The controllers that mends are for.
    pub wanted: &'a [String],
}

impl View<'_> {
    fn try_dry(&self, controllers: &[String]) -> Result<Plan, (Failure, Vec<Mend>)> {
        let case = Case {
            facts: self.facts,
            host: self.host,
            base: self.base,
            controllers: self.wanted,
        };
        check(self.host, &request(self.base, controllers)).map_err(|error| {
            let failure = Failure::from(error);
            let mends = case.mends(&failure);
            (without_leaf(failure), mends)
        })
    }

    /// Judges a request. Looks only.
    pub fn verdict(&self, controllers: &[String]) -> Verdict {
        let (outcome, mends) = match self.try_dry(controllers) {
            Ok(plan) => (Ok(plan), vec![]),
            Err((failure, mends)) => (Err(failure), mends),
        };
        Verdict {
            base: self.base.to_owned(),
            given: true,
            controllers: controllers.to_vec(),
            outcome,
            mends,
            probed: false,
        }
    }

    /// Judges one controller. Only those that are wanted are worth mending.
    pub fn controller(&self, name: &str) -> Controller {
        let host = self.host;
        let home = home(host, name);
        let unified = home.filter(|hierarchy| hierarchy.version == Version::V2);
        let listed = self.facts.controller(v1_name(name));
        let place = home.map(|hierarchy| Location::new(hierarchy, self.base).deepest_existing());
        let (failure, mends) = self.try_dry(&[name.to_owned()]).err().unzip();
        let wanted = self
            .wanted
            .iter()
            .any(|wanted| v2_name(wanted) == v2_name(name));
        Controller {
            name: name.to_owned(),
            enabled: listed.map_or(home.is_some(), |listed| listed.enabled),
            delegated: unified
                .and(place.as_ref())
                .map(|place| passes_on(place, v2_name(name))),
            writable: place.as_ref().is_some_and(|place| is_writable(place)),
            home: home.map(|hierarchy| (hierarchy.version, hierarchy.mount_point.clone())),
            failure,
            mends: mends.filter(|_| wanted).unwrap_or_default(),
        }
    }
}

/// Whether a request would work. Looks only.
fn check(host: &Host, request: &Request) -> Result<Plan, Error> {
    Plan::new(host, request)?.check()
}

/// The hierarchy that has a controller.
pub fn home<'a>(host: &'a Host, name: &str) -> Option<&'a Hierarchy> {
    let unified = host.unified().filter(|unified| {
        let offered = unified.offered();
        offered.iter().any(|known| known == v2_name(name))
    });
    unified.or_else(|| host.legacy_with(v1_name(name)))
}

/// What is wrong with a base is wrong without a group in it.
fn without_leaf(failure: Failure) -> Failure {
    if failure.errno != libc::EINVAL {
        return failure;
    }
    let message = failure.message.replace(&format!("/{}", leaf_name()), "");
    Failure { message, ..failure }
}

/// The base where most of these work: `muontrap` if it does, else next to this process or higher.
pub fn choose_base(host: &Host, controllers: &[String]) -> String {
    let mut candidates = vec!["muontrap".to_owned()];
    for hierarchy in &host.hierarchies {
        for group in own_groups(hierarchy) {
            candidates.push(format!("{group}/muontrap"));
        }
    }
    let score = |base: &String| {
        let works = |list: &[String]| check(host, &request(base, list)).is_ok();
        let single = controllers.chunks(1).filter(|one| works(one)).count();
        single + usize::from(works(&[]))
    };
    // The first of the best: max_by_key would take the last.
    let best = candidates.iter().rev().max_by_key(|base| score(base));
    best.cloned().unwrap_or_else(|| "muontrap".to_owned())
}

/// The group of this process and those above it but the top, deepest first.
fn own_groups(hierarchy: &Hierarchy) -> Vec<String> {
    let own = hierarchy.own_directory().unwrap_or_default();
    let below = own
        .strip_prefix(&hierarchy.mount_point)
        .unwrap_or(Path::new(""));
    let groups = below
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty());
    groups
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}

/// The controllers of this host, and the usual ones that it lacks.
pub fn names(host: &Host) -> Vec<String> {
    let v1_only = host.unified().is_none() && host.legacy().next().is_some();
    let on_v1 = |name: &str| v1_only || host.legacy_with(v1_name(name)).is_some();
    let usual = USUAL.map(|name| if on_v1(name) { v1_name(name) } else { name });
    let mut names: Vec<String> = usual.map(String::from).to_vec();
    for hierarchy in &host.hierarchies {
        for name in hierarchy.offered() {
            let known = names.iter().any(|known| v2_name(known) == v2_name(name));
            if !known && !name.starts_with("name=") && !IDLE.contains(&name.as_str()) {
                names.push(name.clone());
            }
        }
    }
    names
}

fn passes_on(group: &Path, controller: &str) -> bool {
    let has = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    has.split_whitespace().any(|name| name == controller)
}

/// What is mounted where, and where this process is.
pub fn checks(view: &View<'_>) -> Vec<Check> {
    vec![mounts(view), own_place(view)]
}

/// One word for what is mounted.
pub fn kind(host: &Host) -> &'static str {
    match (host.legacy().next(), host.unified()) {
        (None, None) => "none",
        (None, Some(_)) => "v2",
        (Some(_), None) => "v1",
        (Some(_), Some(_)) => "hybrid",
    }
}

fn mounts(view: &View<'_>) -> Check {
    let host = view.host;
    let legacy: Vec<String> = host.legacy().map(|h| h.controllers.join(",")).collect();
    let v1 = format!("v1 with {}", legacy.join(" "));
    let v2 = host.unified().map(|unified| {
        let offered = match unified.offered() {
            [] => "no controllers".to_owned(),
            offered => offered.join(" "),
        };
        format!("v2 at {} with {offered}", unified.mount_point.display())
    });
    let found = match (legacy.is_empty(), v2) {
        (true, Some(v2)) => v2,
        (false, None) => v1,
        (false, Some(v2)) => format!("hybrid: {v1}; {v2}"),
        (true, None) => {
            let mends = view.verdict(&[]).mends;
            let found =
                "none is mounted: no limits; processes are held together by subreaper and /proc";
            return Check::new("cgroups", Status::Warn, found).mend(mends);
        }
    };
    let read_only: Vec<String> = host
        .hierarchies
        .iter()
        .filter(|hierarchy| hierarchy.read_only)
        .map(|hierarchy| hierarchy.mount_point.display().to_string())
        .collect();
    if read_only.is_empty() {
        return Check::new("cgroups", Status::Ok, found);
    }
    let found = format!("{found}; read-only: {}", read_only.join(" "));
    Check::new("cgroups", Status::Warn, found)
}

/// Where this process is, and from where on downward the groups are its user's.
fn own_place(view: &View<'_>) -> Check {
    let name = "own group";
    let hierarchies = &view.host.hierarchies;
    if hierarchies.is_empty() {
        return Check::new(name, Status::Info, "there are no groups to be in");
    }
    let found = by_place(hierarchies, |hierarchy| Some(hierarchy.own_path.clone()));
    let delegated = by_place(hierarchies, delegated);
    if delegated.is_empty() {
        let verdict = view.verdict(&[]);
        let works = verdict.outcome.is_ok();
        let status = if works { Status::Info } else { Status::Warn };
        let found = format!("{found}; not delegated to {}", view.facts.user);
        return Check::new(name, status, found).mend(verdict.mends);
    }
    let how = if view.facts.uid == 0 {
        "writable"
    } else {
        "delegated"
    };
    Check::new(
        name,
        Status::Ok,
        format!("{found}; {how} from here on: {delegated}"),
    )
}

/// Groups, each with those hierarchies in which it is that, unless it is in all.
fn by_place(hierarchies: &[Hierarchy], place: impl Fn(&Hierarchy) -> Option<String>) -> String {
    let mut places: Vec<(String, Vec<String>)> = vec![];
    for hierarchy in hierarchies {
        let label = match hierarchy.version {
            Version::V1 => hierarchy.controllers.join(","),
            Version::V2 => "v2".to_owned(),
        };
        let Some(path) = place(hierarchy) else {
            continue;
        };
        match places.iter_mut().find(|(known, _)| *known == path) {
            Some((_, labels)) => labels.push(label),
            None => places.push((path, vec![label])),
        }
    }
    let shown = places.iter().map(|(path, labels)| match labels.len() {
        all if all == hierarchies.len() => path.clone(),
        _ => format!("{path} ({})", labels.join(" ")),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The highest group, from this process upward, in which this user may make groups and enter them.
pub fn delegated(hierarchy: &Hierarchy) -> Option<String> {
    let own = hierarchy.own_directory()?;
    let ours = |path: &&Path| is_writable(path) && is_writable(&path.join("cgroup.procs"));
    let below_mount = own
        .ancestors()
        .take_while(|path| path.starts_with(&hierarchy.mount_point));
    let highest = below_mount.take_while(ours).last()?;
    let group = highest.strip_prefix(&hierarchy.mount_point).ok()?;
    Some(Path::new("/").join(group).display().to_string())
}

/// How all processes of a program would be killed.
pub fn kill_method(facts: &Facts, plan: Option<&Plan>) -> &'static str {
    let Some(plan) = plan else {
        return "SIGSTOP and SIGKILL for every descendant in /proc (no cgroup)";
    };
    match plan.holder() {
        Some(holder) if holder.version == Version::V1 => "the v1 freezer, then SIGKILL until empty",
        Some(holder) if has_kill_file(facts, holder) => "cgroup.kill",
        Some(_) => "cgroup.freeze, then SIGKILL until empty",
        None => "SIGKILL until empty",
    }
}

/// Only groups below the top of the hierarchy have the file, if the kernel has it.
fn has_kill_file(facts: &Facts, unified: &Hierarchy) -> bool {
    let below = fs::read_dir(&unified.mount_point)
        .into_iter()
        .flatten()
        .flatten();
    let below = below.map(|entry| entry.path());
    let mut groups = unified.own_directory().into_iter().chain(below);
    let group = groups.find(|group| group.join("cgroup.events").exists());
    group.map_or_else(
        || !facts.older_than((5, 14)),
        |group| group.join("cgroup.kill").exists(),
    )
}

/// Why it fails, without the advice, for the mends say more.
pub fn reason(failure: &Failure) -> String {
    let failure = Failure {
        advice: String::new(),
        ..failure.clone()
    };
    failure.to_string()
}

#[cfg(test)]
#[path = "groups_test.rs"]
mod tests;
