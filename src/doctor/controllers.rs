// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Whether a request for a cgroup would work: for each controller, and for what was asked for.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::diagnosis::Context;
use super::facts::Facts;
use super::remedies::Fix;
use crate::cgroup::{
    Cgroup, Error, Hierarchy, Host, Location, Plan, Request, is_writable, v1_name, v2_name,
};
use crate::error::Failure;
use crate::wait::Undisturbed;

/// What is looked for on every host, by its v2 name.
const USUAL: [&str; 5] = ["memory", "cpu", "pids", "io", "cpuset"];
/// Controllers without limits, which always work or which nobody asks for.
const UNLISTED: [&str; 3] = ["freezer", "devices", "debug"];

/// Why a request does not work.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub why: String,
    pub fixes: Vec<Fix>,
}

#[derive(Clone, Debug)]
pub struct Controller {
    /// Its name on this host.
    pub name: String,
    /// The hierarchy that has it.
    pub home: Option<Hierarchy>,
    /// Whether the kernel has it and it was not disabled at boot.
    pub enabled: bool,
    /// v2: whether it is enabled as far as the base, or the deepest existing group on the way to it.
    pub delegated: Option<bool>,
    /// Whether a group can be made there.
    pub writable: bool,
    pub refusal: Option<Refusal>,
}

impl Context<'_> {
    /// Looks whether a cgroup with these controllers would work.
    pub fn look(&self, controllers: &[String]) -> Result<Plan, Refusal> {
        self.plan(controllers).map_err(|error| self.refusal(&error))
    }

    fn plan(&self, controllers: &[String]) -> Result<Plan, Error> {
        let plan = |group: &str| {
            let request = Request {
                group: group.to_owned(),
                controllers: controllers.to_vec(),
                settings: vec![],
            };
            Plan::new(&self.facts.cgroups, &request)
        };
        // The base alone first, so that an error names it without the group of the doctor.
        plan(self.base)?;
        let base = self.base.trim_end_matches('/');
        plan(&format!("{base}/muontrap-doctor-{}", std::process::id()))?.check()
    }

    /// Carries a plan out, moves a process into the cgroup, and removes all that was made.
    pub fn probe(&self, plan: Plan) -> Result<Plan, Refusal> {
        let cgroup = Cgroup::create(&plan, &Undisturbed).map_err(|error| self.refusal(&error))?;
        let entered = enter(&cgroup);
        cgroup.discard();
        match entered {
            Ok(None) => Ok(plan),
            Ok(Some(error)) => Err(self.refusal(&error)),
            Err(error) => Err(Refusal {
                why: format!("cannot start a process to move: {error}"),
                fixes: vec![],
            }),
        }
    }

    fn refusal(&self, error: &Error) -> Refusal {
        // Its advice is to ask the doctor.
        let failure = Failure::from(error.clone()).advice("");
        Refusal {
            why: failure.to_string(),
            fixes: self.fixes(error),
        }
    }

    /// The rows of the table of controllers. Empty if the base is invalid.
    pub fn controllers(&self, names: &[String]) -> Vec<Controller> {
        if matches!(self.plan(&[]), Err(Error::Invalid { .. })) {
            return vec![];
        }
        names.iter().map(|name| self.controller(name)).collect()
    }

    fn controller(&self, name: &str) -> Controller {
        let home = home(&self.facts.cgroups, name);
        let listed = self.facts.controller(v1_name(name));
        let place = home.map(|hierarchy| Location::new(hierarchy, self.base).deepest_existing());
        let controllers_file = home.zip(place.as_ref());
        let controllers_file =
            controllers_file.and_then(|(home, place)| home.controllers_file(place));
        let mut wanted = self.controllers.iter();
        let is_wanted = wanted.any(|wanted| v2_name(wanted) == v2_name(name));
        let refusal = self.look(&[name.to_owned()]).err();
        let without_fixes = |refusal: Refusal| Refusal {
            fixes: vec![],
            ..refusal
        };
        Controller {
            name: name.to_owned(),
            enabled: listed.map_or(home.is_some(), |listed| listed.enabled),
            delegated: controllers_file.map(|file| lists(&file, v2_name(name))),
            writable: place.as_ref().is_some_and(|place| is_writable(place)),
            home: home.cloned(),
            refusal: if is_wanted {
                refusal
            } else {
                refusal.map(without_fixes)
            },
        }
    }
}

/// Moves a process into a cgroup and kills it there. Returns why it cannot be moved.
fn enter(cgroup: &Cgroup) -> io::Result<Option<Error>> {
    // It waits for a frame, which never comes, and so stays until it is killed.
    let mut command = Command::new("/proc/self/exe");
    command.arg("--framed").stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let pid = child.id().to_string();
    let refused = cgroup.entries().find_map(|entry| {
        if let Err(frozen) = entry.await_thaw(&Undisturbed) {
            return Some(frozen);
        }
        let errno = nix::unistd::write(entry.procs, pid.as_bytes()).err()?;
        Some(entry.error(errno as i32))
    });
    child.kill()?;
    child.wait()?;
    Ok(refused)
}

fn lists(file: &Path, controller: &str) -> bool {
    let list = fs::read_to_string(file).unwrap_or_default();
    list.split_whitespace().any(|name| name == controller)
}

/// The hierarchy that has a controller.
pub fn home<'a>(host: &'a Host, name: &str) -> Option<&'a Hierarchy> {
    let unified = host.unified().filter(|unified| {
        let offered = unified.offered();
        offered.iter().any(|known| known == v2_name(name))
    });
    unified.or_else(|| host.legacy_with(v1_name(name)))
}

/// The controllers of this host, and the usual ones that it lacks.
pub fn names(host: &Host) -> Vec<String> {
    let v1_only = host.unified().is_none() && host.legacy().next().is_some();
    let on_v1 = |name: &str| v1_only || host.legacy_with(v1_name(name)).is_some();
    let usual = USUAL.map(|name| if on_v1(name) { v1_name(name) } else { name });
    let mut names: Vec<String> = usual.map(String::from).to_vec();
    for name in host.hierarchies.iter().flat_map(Hierarchy::offered) {
        let known = names.iter().any(|known| v2_name(known) == v2_name(name));
        if !known && !name.starts_with("name=") && !UNLISTED.contains(&name.as_str()) {
            names.push(name.clone());
        }
    }
    names
}

/// The base where most of these work: `muontrap` if it does, else next to this process or higher.
pub fn choose_base(facts: &Facts, controllers: &[String]) -> String {
    let mut candidates = vec!["muontrap".to_owned()];
    for hierarchy in &facts.cgroups.hierarchies {
        let own = hierarchy.own_directory().unwrap_or_default();
        let own = own.strip_prefix(&hierarchy.mount_point);
        let groups = own.unwrap_or(Path::new("")).ancestors();
        candidates.extend(groups.map(|group| group.join("muontrap").display().to_string()));
    }
    let score = |base: &String| {
        let context = Context {
            facts,
            base,
            controllers,
        };
        let works = |list: &[String]| context.plan(list).is_ok();
        let single = controllers.chunks(1).filter(|one| works(one)).count();
        single + usize::from(works(&[]))
    };
    // The first of the best: max_by_key would take the last.
    let best = candidates.iter().rev().max_by_key(|base| score(base));
    best.cloned().unwrap_or_default()
}

#[cfg(test)]
#[path = "controllers_test.rs"]
mod tests;
