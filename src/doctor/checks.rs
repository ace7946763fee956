// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Checks of processes, users and mounted cgroups, and of the request.

use std::collections::BTreeSet;
use std::path::Path;

use super::args::Args;
use super::controllers::Refusal;
use super::facts::Facts;
use super::remedies::{Fix, Problem, fixes};
use crate::cgroup::{Hierarchy, Host, Plan, is_writable};

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    Info,
    /// Something that only some options need does not work, or not fully.
    Warn,
    /// Something that every run needs does not work.
    Fail,
}

impl Status {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub status: Status,
    /// What was found, as a sentence without a full stop.
    pub found: String,
    /// How to fix it.
    pub fixes: Vec<Fix>,
}

impl Check {
    pub fn new(name: &'static str, status: Status, found: impl Into<String>) -> Self {
        let (found, fixes) = (found.into(), vec![]);
        Self {
            name,
            status,
            found,
            fixes,
        }
    }

    fn fixed_by(self, fixes: Vec<Fix>) -> Self {
        Self { fixes, ..self }
    }
}

const KILL: (u32, &str) = (5, "KILL");
const SETGID: (u32, &str) = (6, "SETGID");
const SETUID: (u32, &str) = (7, "SETUID");
const SYS_PTRACE: u32 = 19;

/// What MuonTrap uses where the kernel has it, by the first version that does.
const RECENT: [((u32, u32), &str); 4] = [
    ((5, 1), "pidfd_send_signal (5.1)"),
    ((5, 11), "close_range (5.11)"),
    ((5, 14), "cgroup.kill (5.14)"),
    ((5, 19), "memory.peak of cgroup v2 (5.19)"),
];

pub fn processes(facts: &Facts) -> Vec<Check> {
    let orphans = [
        "orphans of a program become children of its helper",
        "orphans cannot be found",
    ];
    let survival = [
        "a program dies with its helper",
        "a program would outlive a helper that is killed",
    ];
    vec![
        kernel(facts),
        user(facts),
        user_switch(facts),
        tried(facts, "subreaper", facts.subreaper_error.as_ref(), orphans),
        tried(
            facts,
            "death signal",
            facts.death_signal_error.as_ref(),
            survival,
        ),
        proc_fs(facts),
    ]
}

fn kernel(facts: &Facts) -> Check {
    if !facts.linux {
        let found = "this is not Linux: only the program's process group is killed";
        return Check::new("kernel", Status::Warn, found);
    }
    let lacks = RECENT.iter().filter(|(since, _)| facts.older_than(*since));
    let lacks: Vec<&str> = lacks.map(|(_, what)| *what).collect();
    let mut found = format!("Linux {}", facts.release);
    if !lacks.is_empty() {
        found = format!("{found}, without {}", lacks.join(", "));
    }
    Check::new("kernel", Status::Ok, found)
}

fn user(facts: &Facts) -> Check {
    let mut found = format!("{} ({})", facts.user, facts.uid);
    if let Some(count) = facts.mapped_users() {
        found = format!("{found}, in a user namespace with {count} user ids");
    }
    if facts.no_new_privileges() {
        found += ", no_new_privs is set: sudo and other setuid programs gain nothing";
    }
    if facts.has_ambient_capabilities() {
        found += ", with ambient capabilities, which every program inherits unless it is run as another user";
        let fixes = fixes(facts.kind, Problem::AmbientCapabilities, &[]);
        return Check::new("user", Status::Warn, found).fixed_by(fixes);
    }
    Check::new("user", Status::Info, found)
}

fn user_switch(facts: &Facts) -> Check {
    let mut lacks = vec![SETUID, SETGID, KILL];
    lacks.retain(|(number, _)| !facts.has_capability(*number));
    let list = |prefix: &str| {
        let names = lacks.iter().map(|(_, name)| format!("{prefix}{name}"));
        names.collect::<Vec<_>>().join(" ")
    };
    let names = list("CAP_");
    let one_user = facts.mapped_users() == Some(1) || facts.setgroups.trim() == "deny";
    let (why, problem) = match (lacks.is_empty(), facts.uid) {
        (false, 0) => (&*format!("root lacks {names}"), Problem::NoCapability),
        (false, _) => ("only root can switch users", Problem::NotRoot),
        (true, _) if one_user => (
            "this user namespace has one user, or denies setgroups",
            Problem::OneUser,
        ),
        _ => return Check::new("user switch", Status::Ok, "uid, gid and groups can be used"),
    };
    let values = [("names", names), ("flags", list("--cap-add="))];
    let found = format!("uid, gid and groups cannot be used: {why}");
    Check::new("user switch", Status::Warn, found).fixed_by(fixes(facts.kind, problem, &values))
}

/// What this process tried on itself, and what follows from success and failure.
fn tried(
    facts: &Facts,
    name: &'static str,
    error: Option<&String>,
    [works, fails]: [&str; 2],
) -> Check {
    match error {
        _ if !facts.linux => Check::new(name, Status::Warn, "there is none on this system"),
        None => Check::new(name, Status::Ok, works),
        Some(error) => {
            let found = format!("{fails}, so no program is run: {error}");
            let fixes = fixes(facts.kind, Problem::NoPrctl, &[]);
            Check::new(name, Status::Fail, found).fixed_by(fixes)
        }
    }
}

fn proc_fs(facts: &Facts) -> Check {
    let fixes = |problem| fixes(facts.kind, problem, &[]);
    if !facts.proc_is_ours {
        let found = "/proc is not readable, or belongs to another pid namespace: what leaves the program's \
                     process group, or its cgroup, escapes";
        return Check::new("/proc", Status::Fail, found).fixed_by(fixes(Problem::NoProc));
    }
    let sees_all = facts.has_capability(SYS_PTRACE);
    let Some(hidepid) = facts.hidepid().filter(|_| !sees_all) else {
        return Check::new("/proc", Status::Ok, "readable, and shows all processes");
    };
    let found = format!(
        "hidepid={hidepid} hides processes of other users, such as those that sudo starts: without a \
         cgroup they escape"
    );
    Check::new("/proc", Status::Warn, found).fixed_by(fixes(Problem::HiddenProcesses))
}

/// What is mounted, and where this process is.
pub fn cgroups(facts: &Facts) -> Vec<Check> {
    let error = facts.cgroups_error.as_ref();
    let unreadable = error.map(|error| Check::new("mounts", Status::Fail, error));
    let checks = [mounts(&facts.cgroups), own_group(facts)];
    unreadable.into_iter().chain(checks).collect()
}

/// The versions that are mounted, in one word.
pub fn versions(host: &Host) -> &'static str {
    match (host.legacy().next(), host.unified()) {
        (None, None) => "none",
        (None, Some(_)) => "v2",
        (Some(_), None) => "v1",
        (Some(_), Some(_)) => "hybrid",
    }
}

fn mounts(host: &Host) -> Check {
    let names = host.hierarchies.iter().map(|h| h.offered().join(","));
    let names: Vec<String> = names.filter(|names| !names.is_empty()).collect();
    let found = format!("{} with {}", versions(host), names.join(" "));
    let read_only = host.hierarchies.iter().filter(|h| h.read_only);
    let read_only = distinct(read_only.map(|h| h.mount_point.display().to_string()));
    if host.hierarchies.is_empty() {
        let found =
            "none is mounted: nothing can be limited, and descendants are found in /proc alone";
        Check::new("cgroups", Status::Warn, found)
    } else if read_only.is_empty() {
        Check::new("cgroups", Status::Ok, found)
    } else {
        let found = format!("{found}; read-only: {read_only}");
        Check::new("cgroups", Status::Warn, found)
    }
}

fn own_group(facts: &Facts) -> Check {
    let hierarchies = &facts.cgroups.hierarchies;
    let own = distinct(hierarchies.iter().map(|h| h.own_path.clone()));
    let delegated = distinct(hierarchies.iter().filter_map(delegated_from));
    let found = if hierarchies.is_empty() {
        "none".to_owned()
    } else if delegated.is_empty() {
        format!("{own}; not delegated to {}", facts.user)
    } else {
        format!("{own}; {} may write to {delegated} and below", facts.user)
    };
    Check::new("own group", Status::Info, found)
}

fn distinct(items: impl Iterator<Item = String>) -> String {
    let items: BTreeSet<String> = items.collect();
    items.into_iter().collect::<Vec<_>>().join(", ")
}

/// The highest group, from this process upward, in which this user may make groups and enter them.
pub fn delegated_from(hierarchy: &Hierarchy) -> Option<String> {
    let own = hierarchy.own_directory()?;
    let point = &hierarchy.mount_point;
    let ours = |path: &&Path| is_writable(path) && is_writable(&path.join("cgroup.procs"));
    let mounted = own.ancestors().take_while(|path| path.starts_with(point));
    let highest = mounted.take_while(ours).last()?;
    let group = highest.strip_prefix(point).ok()?;
    Some(format!("/{}", group.display()))
}

/// How all processes of a program would be killed.
pub fn kill_method(facts: &Facts, plan: Option<&Plan>) -> &'static str {
    let Some(plan) = plan else {
        return "SIGSTOP and SIGKILL for every descendant in /proc (no cgroup)";
    };
    let Some(holder) = plan.holder() else {
        return "SIGKILL until empty";
    };
    match holder.kill_file() {
        None => "the v1 freezer, then SIGKILL until empty",
        Some(_) if facts.older_than((5, 14)) => "cgroup.freeze, then SIGKILL until empty",
        Some(file) => file,
    }
}

/// Whether what was asked for works. If nothing was, it may fail.
pub fn request(args: &Args, base: &str, outcome: &Result<Plan, Refusal>) -> Check {
    let controllers = match args.need.as_slice() {
        [] => "without controllers".to_owned(),
        names => format!("with {}", names.join(", ")),
    };
    let request = format!("cgroup_base {base:?} {controllers}");
    let status = if args.is_request() {
        Status::Fail
    } else {
        Status::Warn
    };
    let refusal = match outcome {
        Ok(_) if args.probe => return Check::new("request", Status::Ok, request + " works"),
        Ok(_) => return Check::new("request", Status::Ok, request + " would work"),
        Err(refusal) => refusal,
    };
    let found = format!("{request} would not work: {}", refusal.why);
    Check::new("request", status, found).fixed_by(refusal.fixes.clone())
}

#[cfg(test)]
#[path = "checks_test.rs"]
mod tests;
