// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Judges what concerns processes and users, from the facts alone.

use super::facts::{Facts, Setting};
use super::json::Json;
use super::mend::Mend;

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It works.
    Ok,
    /// It is so.
    Info,
    /// Something that only some options need does not work, or not fully.
    Warn,
    /// Something that every run needs does not work.
    Fail,
}

impl Status {
    /// As it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What became of it.
    pub status: Status,
    /// What was found, as a sentence without a full stop.
    pub found: String,
    /// What mends it.
    pub mends: Vec<Mend>,
}

impl Check {
    /// Without a need for mending.
    pub fn new(name: &'static str, status: Status, found: impl Into<String>) -> Self {
        Self {
            name,
            status,
            found: found.into(),
            mends: vec![],
        }
    }

    /// With what mends it.
    #[must_use]
    pub fn mend(mut self, mends: impl IntoIterator<Item = Mend>) -> Self {
        self.mends.extend(mends);
        self
    }
}

impl From<Check> for Json {
    fn from(check: Check) -> Self {
        Self::Map(vec![
            ("name", check.name.into()),
            ("status", check.status.name().into()),
            ("found", check.found.into()),
            ("mend", Self::list(check.mends)),
        ])
    }
}

/// `CAP_KILL`, `CAP_SETGID`, `CAP_SETUID` and `CAP_SYS_PTRACE`.
const KILL: (u32, &str) = (5, "KILL");
const SETGID: (u32, &str) = (6, "SETGID");
const SETUID: (u32, &str) = (7, "SETUID");
const SYS_PTRACE: u32 = 19;

/// All of them.
pub fn processes(facts: &Facts) -> Vec<Check> {
    vec![
        kernel(facts),
        user(facts),
        user_switch(facts),
        subreaper(facts),
        death_signal(facts),
        proc_fs(facts),
        close_range(facts),
        pidfd(facts),
    ]
}

fn kernel(facts: &Facts) -> Check {
    if !facts.linux {
        let found = "this is not Linux: only the program's process group is killed";
        return Check::new("kernel", Status::Warn, found);
    }
    let lacks: Vec<&str> = [
        ((5, 14), "cgroup.kill (5.14)"),
        ((5, 19), "memory.peak of cgroup v2 (5.19)"),
    ]
    .into_iter()
    .filter(|(version, _)| facts.older_than(*version))
    .map(|(_, what)| what)
    .collect();
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
    if facts.has_ambient() {
        found += ", with ambient capabilities, which every program inherits unless it is run as another user";
        return Check::new("user", Status::Warn, found).mend([Mend::new(
            "the unit that runs the application: remove this line",
            "AmbientCapabilities=",
        )]);
    }
    Check::new("user", Status::Info, found)
}

fn user_switch(facts: &Facts) -> Check {
    let name = "user switch";
    let lacks: Vec<&str> = [SETUID, SETGID, KILL]
        .into_iter()
        .filter(|(number, _)| !facts.has_capability(*number))
        .map(|(_, name)| name)
        .collect();
    if facts.uid != 0 && !lacks.is_empty() {
        let found = "uid, gid and groups cannot be used: only root can switch users";
        let place = "run the BEAM as root, if programs have to run as other users";
        let text = match facts.setting {
            Setting::Container => "docker run --user 0 IMAGE",
            Setting::Systemd => "[Service]\nUser=root",
            Setting::Nerves => "remove --uid and --gid from erlinit.config",
            Setting::Plain => "sudo -E COMMAND",
        };
        return Check::new(name, Status::Warn, found).mend([Mend::new(place, text)]);
    }
    if !lacks.is_empty() {
        let found = format!(
            "uid, gid and groups cannot be used: without CAP_{}, root cannot switch users or kill their \
             programs",
            lacks.join(", CAP_")
        );
        return Check::new(name, Status::Warn, found).mend([give_back(facts.setting, &lacks)]);
    }
    if facts.mapped_users() == Some(1) || facts.setgroups.trim() == "deny" {
        let found = "uid, gid and groups cannot be used: this user namespace has one user, or denies setgroups";
        return Check::new(name, Status::Warn, found).mend([Mend::new(
            "the user's ranges, as root, then start the container anew",
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME",
        )]);
    }
    Check::new(name, Status::Ok, "uid, gid and groups can be used")
}

fn give_back(setting: Setting, lacks: &[&str]) -> Mend {
    let with = |prefix: &str| {
        let names: Vec<String> = lacks.iter().map(|name| format!("{prefix}{name}")).collect();
        names.join(" ")
    };
    if setting == Setting::Systemd {
        let text = format!("[Service]\nCapabilityBoundingSet={}", with("CAP_"));
        Mend::new("add to the unit that runs the application", text)
    } else {
        let text = format!("docker run {} IMAGE", with("--cap-add="));
        Mend::new("Docker or Podman", text)
    }
}

fn subreaper(facts: &Facts) -> Check {
    match &facts.subreaper {
        Some(why) if facts.linux => Check::new(
            "subreaper",
            Status::Fail,
            format!("orphans are out of reach, and no program runs: {why}"),
        )
        .mend([Mend::new(
            "allow prctl(2) in the seccomp profile, or use Linux 3.4 or newer",
            "docker run --security-opt seccomp=PROFILE.json IMAGE",
        )]),
        None if facts.linux => {
            Check::new("subreaper", Status::Ok, "orphans of a program come back")
        }
        _ => Check::new("subreaper", Status::Warn, "there is none on this system"),
    }
}

fn death_signal(facts: &Facts) -> Check {
    let name = "death signal";
    match &facts.death_signal {
        Some(why) if facts.linux => Check::new(
            name,
            Status::Fail,
            format!("a program would outlive a helper that is killed, and none runs: {why}"),
        ),
        None => Check::new(name, Status::Ok, "a program dies with its helper"),
        Some(_) => Check::new(name, Status::Warn, "there is none on this system"),
    }
}

fn proc_fs(facts: &Facts) -> Check {
    if !facts.proc_is_ours {
        let found = "/proc is not readable, or is that of another pid namespace: what leaves the program's \
                     process group, or its cgroup, escapes";
        return Check::new("/proc", Status::Fail, found)
            .mend([Mend::new("as root", "mount -t proc proc /proc")]);
    }
    let hidden = facts
        .hidepid()
        .filter(|_| !facts.has_capability(SYS_PTRACE));
    let Some(hidepid) = hidden else {
        return Check::new("/proc", Status::Ok, "readable, and shows all processes");
    };
    let found = format!(
        "hidepid={hidepid} hides processes of other users, such as those that sudo starts: they escape \
         where there is no cgroup"
    );
    Check::new("/proc", Status::Warn, found).mend([Mend::new(
        "as root, and in /etc/fstab",
        "mount -o remount,hidepid=0 /proc",
    )])
}

fn close_range(facts: &Facts) -> Check {
    let found = if facts.close_range {
        "works"
    } else {
        "does not work (Linux 5.11): descriptors are closed one by one"
    };
    Check::new("close_range", Status::Info, found)
}

fn pidfd(facts: &Facts) -> Check {
    let found = if facts.pidfd {
        "works; MuonTrap does not need it"
    } else {
        "does not work (Linux 5.3); MuonTrap does not need it"
    };
    Check::new("pidfd", Status::Info, found)
}

#[cfg(test)]
#[path = "checks_test.rs"]
mod tests;
