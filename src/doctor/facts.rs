// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is known about this host and this process, and the parsers for it.
//!
//! Nearly all of it is text of `/proc`
//! ([proc(5)](https://man7.org/linux/man-pages/man5/proc.5.html)), empty where it cannot be read.

use std::fs;
use std::path::Path;

use nix::unistd::{Uid, geteuid};

use crate::cgroup::Host;
use crate::sys;
use crate::user::Accounts;

/// `PROC_PID_INIT_INO` of `include/linux/proc_ns.h`, the same in every kernel.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// How the host is set up, which decides how to fix it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostKind {
    /// Docker, Podman, Kubernetes and the like.
    Container,
    Nerves,
    Systemd,
    #[default]
    Plain,
}

impl HostKind {
    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Nerves => "nerves",
            Self::Systemd => "systemd",
            Self::Plain => "plain",
        }
    }

    /// `container` is whether the environment variable of that name is set, and `pid_namespace` the
    /// target of the link in `/proc/self/ns`.
    fn detect(root: &Path, container: bool, pid_namespace: Option<&Path>) -> Self {
        let has = |path: &str| root.join(path).exists();
        // The image of a container can also be booted, so its marker files are the weaker evidence.
        let inside = match pid_namespace {
            Some(namespace) => namespace != Path::new(INITIAL_PID_NAMESPACE),
            None => has(".dockerenv") || has("run/.containerenv"),
        };
        if has("etc/erlinit.config") {
            Self::Nerves
        } else if has("run/systemd/system") {
            Self::Systemd
        } else if container || inside {
            Self::Container
        } else {
            Self::Plain
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub linux: bool,
    pub release: String,
    /// The effective user id, and its name.
    pub uid: u32,
    pub user: String,
    pub status: String,
    pub uid_map: String,
    pub setgroups: String,
    pub mountinfo: String,
    /// `/proc/cgroups`
    pub proc_cgroups: String,
    pub filesystems: String,
    pub kind: HostKind,
    /// Whether `/proc/self` has the pid of this process, so that its children can be found there.
    pub proc_is_ours: bool,
    /// Why this process cannot become a subreaper.
    pub subreaper_error: Option<String>,
    /// Why a parent-death signal cannot be set.
    pub death_signal_error: Option<String>,
    /// The cgroup hierarchies.
    pub cgroups: Host,
    /// Why the hierarchies could not be read.
    pub cgroups_error: Option<String>,
}

impl Facts {
    /// Reads `/proc`, and tries on this process what a process can try on itself.
    pub fn gather() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let uid = geteuid();
        let own_link = fs::read_link("/proc/self").unwrap_or_default();
        let cgroups = Host::detect();
        let death_signal = sys::set_parent_death_signal(libc::SIGKILL);
        let death_signal = death_signal.and_then(|()| sys::set_parent_death_signal(0));
        Self {
            linux: cfg!(target_os = "linux"),
            release: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            uid: uid.as_raw(),
            user: user_name(uid),
            status: text("/proc/self/status"),
            uid_map: text("/proc/self/uid_map"),
            setgroups: text("/proc/self/setgroups"),
            mountinfo: text("/proc/self/mountinfo"),
            proc_cgroups: text("/proc/cgroups"),
            filesystems: text("/proc/filesystems"),
            kind: HostKind::detect(
                Path::new("/"),
                std::env::var_os("container").is_some(),
                fs::read_link("/proc/self/ns/pid").ok().as_deref(),
            ),
            proc_is_ours: own_link.as_os_str() == std::process::id().to_string().as_str(),
            subreaper_error: sys::become_subreaper().err().map(|error| error.to_string()),
            death_signal_error: death_signal.err().map(|error| error.to_string()),
            cgroups_error: cgroups.as_ref().err().map(ToString::to_string),
            cgroups: cgroups.unwrap_or_default(),
        }
    }

    /// Whether the kernel is certainly older than this version and patch level.
    pub fn older_than(&self, version: (u32, u32)) -> bool {
        self.kernel().is_some_and(|kernel| kernel < version)
    }

    fn kernel(&self) -> Option<(u32, u32)> {
        let mut numbers = self.release.split(['.', '-']);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// A field of `/proc/self/status`.
    fn status_of(&self, key: &str) -> Option<&str> {
        self.status.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == key).then(|| value.trim())
        })
    }

    /// Whether a capability is effective, by its number in
    /// [capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html). Without
    /// `/proc`, root is assumed to have them all.
    pub fn has_capability(&self, number: u32) -> bool {
        let set = self.status_of("CapEff");
        match set.and_then(|text| u64::from_str_radix(text, 16).ok()) {
            Some(set) => set >> number & 1 == 1,
            None => self.uid == 0,
        }
    }

    pub fn has_ambient_capabilities(&self) -> bool {
        self.status_of("CapAmb")
            .is_some_and(|text| text.bytes().any(|digit| digit != b'0'))
    }

    /// Whether setuid programs such as sudo gain nothing.
    pub fn no_new_privileges(&self) -> bool {
        self.status_of("NoNewPrivs") == Some("1")
    }

    /// How many user ids this user namespace has, unless it has all of them.
    pub fn mapped_users(&self) -> Option<u64> {
        let counts = self.uid_map.lines().filter_map(|line| {
            let count = line.split_whitespace().nth(2)?;
            count.parse::<u64>().ok()
        });
        let count = counts.sum();
        (count > 0 && count < u64::from(u32::MAX)).then_some(count)
    }

    /// The `hidepid` option of `/proc`, unless it is off.
    pub fn hidepid(&self) -> Option<&str> {
        let mount = self.mountinfo.lines().rfind(|line| {
            let kind = line.split_once(" - ").map(|(_, after)| after);
            line.split(' ').nth(4) == Some("/proc")
                && kind.is_some_and(|kind| kind.starts_with("proc "))
        })?;
        let options = mount.rsplit(' ').next()?.split(',');
        let mut values = options.filter_map(|option| option.strip_prefix("hidepid="));
        values.find(|value| !matches!(*value, "0" | "off"))
    }

    /// The line of `/proc/cgroups` about a controller, by its v1 name.
    pub fn controller(&self, name: &str) -> Option<Listed> {
        self.proc_cgroups.lines().find_map(|line| {
            let mut fields = line.split_whitespace();
            if fields.next()? != name {
                return None;
            }
            let hierarchy = fields.next()?;
            Some(Listed {
                on_v1: hierarchy != "0",
                enabled: fields.nth(1)? == "1",
            })
        })
    }

    /// Whether the kernel supports a file system.
    pub fn has_filesystem(&self, name: &str) -> bool {
        let mut lines = self.filesystems.lines();
        lines.any(|line| line.split_whitespace().last() == Some(name))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whether a v1 hierarchy has the controller.
    pub on_v1: bool,
    /// Whether it was not disabled at boot.
    pub enabled: bool,
}

/// The uid itself, where it has no name.
fn user_name(uid: Uid) -> String {
    match Accounts::of_this_system(&crate::wait::Undisturbed).user_by_id(uid.as_raw()) {
        Ok(Some(user)) => user.name.to_string_lossy().into_owned(),
        _ => uid.to_string(),
    }
}

#[cfg(test)]
#[path = "facts_test.rs"]
mod tests;
