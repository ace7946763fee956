// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What mends it: commands and files to copy, for the kind of host that this is.
//!
//! Sources: [cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html),
//! [systemd.resource-control(5)](https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html),
//! [docker run](https://docs.docker.com/reference/cli/docker/container/run/),
//! [podman run](https://docs.podman.io/en/latest/markdown/podman-run.1.html),
//! [erlinit](https://github.com/nerves-project/erlinit).

use std::path::{Path, PathBuf};

use super::facts::{Facts, Setting};
use super::json::Json;
use super::kernel::{boot, kernel_options, mount_v1, nerves_v1, v1_name, v2_name};
use crate::cgroup::{Hierarchy, Host, doctor_command, is_controller};
use crate::error::Failure;

/// `CAP_SYS_ADMIN`, which mounting takes.
const SYS_ADMIN: u32 = 21;

/// One way to mend something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mend {
    /// When or where to do it, as a heading without a colon.
    pub place: String,
    /// The commands, or the lines of a file.
    pub text: String,
}

impl Mend {
    /// With its lines.
    pub fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            text: text.into(),
        }
    }
}

impl From<Mend> for Json {
    fn from(mend: Mend) -> Self {
        Self::Map(vec![("place", mend.place.into()), ("do", mend.text.into())])
    }
}

/// A request for groups that fails, and all that is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The host and the process.
    pub facts: &'a Facts,
    /// Its hierarchies.
    pub host: &'a Host,
    /// The group that the program's own is to be made in.
    pub base: &'a str,
    /// The controllers that are wanted.
    pub controllers: &'a [String],
}

impl Case<'_> {
    /// What mends this failure, the likeliest first.
    pub fn mends(&self, failure: &Failure) -> Vec<Mend> {
        match failure.errno {
            libc::EROFS => self.read_only(),
            libc::EACCES | libc::EPERM => self.delegate(failure),
            libc::EBUSY => self.no_internal_processes(failure),
            libc::ENOENT if self.host.hierarchies.is_empty() => self.mount_something(),
            libc::ENOENT => self.missing_controller(&self.missing_name(failure)),
            _ if failure.advice.is_empty() => vec![],
            _ => vec![Mend::new("here", failure.advice.clone())],
        }
    }

    /// Their v2 names with a plus, as `cgroup.subtree_control` takes them.
    fn pluses(&self) -> String {
        let offered = self.host.unified().map(Hierarchy::offered);
        let names = self.controllers.iter().map(|name| v2_name(name));
        let names = names.filter(|name| {
            offered
                .as_ref()
                .is_some_and(|offered| offered.iter().any(|known| known == name))
        });
        names
            .map(|name| format!("+{name}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The mount is read-only.
    fn read_only(&self) -> Vec<Mend> {
        if self.facts.setting == Setting::Container && !self.facts.has_capability(SYS_ADMIN) {
            return self.container();
        }
        let points = self.host.hierarchies.iter().filter(|h| h.read_only);
        let lines = points.map(|h| format!("mount -o remount,rw,bind {}", h.mount_point.display()));
        vec![Mend::new("as root", lines.collect::<Vec<_>>().join("\n"))]
    }

    fn is_read_only(&self) -> bool {
        self.host
            .hierarchies
            .iter()
            .any(|hierarchy| hierarchy.read_only)
    }

    /// A container has the mount read-only, or lacks the group's owner.
    fn container(&self) -> Vec<Mend> {
        let mut mends = vec![];
        if self.host.unified().is_some() && self.host.legacy().next().is_none() {
            mends.push(Mend::new(
                "Docker Engine 28 and newer",
                "docker run --cgroupns=private --security-opt writable-cgroups=true IMAGE",
            ));
            mends.push(Mend::new(
                "Podman",
                "podman run --cgroupns=private --security-opt unmask=/sys/fs/cgroup IMAGE",
            ));
            mends.push(Mend::new(
                "Kubernetes, containerd 2.1 and newer: config.toml of the node, in the section of the runtime",
                "cgroup_writable = true",
            ));
            mends.push(Mend::new(
                "older ones; gives the container far more than this",
                "docker run --cgroupns=private --privileged IMAGE",
            ));
            mends.push(self.entrypoint());
        } else {
            mends.push(Mend::new(
                "Docker or Podman on a host with cgroup v1; the container then sees the host's groups",
                "docker run --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw IMAGE",
            ));
        }
        mends
    }

    /// In a container, the group at the top of what is mounted is one like any other.
    fn entrypoint(&self) -> Mend {
        let point = self.unified_point();
        let point = point.display();
        let mut lines = vec![
            format!("mkdir -p {point}/main"),
            move_all(&point.to_string()),
        ];
        let pluses = self.pluses();
        if !pluses.is_empty() {
            lines.push(format!(
                "echo \"{pluses}\" > {point}/cgroup.subtree_control"
            ));
        }
        if self.facts.uid != 0 {
            lines.push(format!(
                "chown {user} {point} {point}/cgroup.procs {point}/cgroup.subtree_control {point}/main \
                 {point}/main/cgroup.procs",
                user = self.facts.user
            ));
        }
        Mend::new(
            "as the first lines of the container's entry point, as root",
            lines.join("\n"),
        )
    }

    fn unified_point(&self) -> PathBuf {
        let unified = self.host.unified();
        unified.map_or_else(|| "/sys/fs/cgroup".into(), |h| h.mount_point.clone())
    }

    /// The group belongs to somebody else.
    fn delegate(&self, failure: &Failure) -> Vec<Mend> {
        let hybrid = self.host.legacy().next().is_some();
        let on_v2 = Path::new(&failure.path).starts_with(self.unified_point());
        match self.facts.setting {
            // Its controllers are not on v1. Where it is wanted for none, the freezer of v1 does as well.
            _ if hybrid && on_v2 && !self.pluses().is_empty() => vec![self.chown_v2()],
            _ if hybrid => vec![self.chown_v1()],
            Setting::Container if self.is_read_only() => self.container(),
            Setting::Container if self.below_another() => vec![self.entrypoint()],
            Setting::Systemd => self.systemd(),
            _ => vec![self.chown_v2()],
        }
    }

    fn systemd(&self) -> Vec<Mend> {
        let user = match self.facts.uid {
            0 => String::new(),
            _ => format!("User={}\n", self.facts.user),
        };
        let point = self.unified_point();
        let point = point.display();
        let mut mends = vec![
            Mend::new(
                "a service: `systemctl edit NAME.service`, then `systemctl restart NAME.service`; its \
                 cgroup_base is \"system.slice/NAME.service/muontrap\" (DelegateSubgroup= needs systemd 254)",
                format!("[Service]\n{user}Delegate=yes\nDelegateSubgroup=main"),
            ),
            Mend::new(
                format!(
                    "a shell: start what uses MuonTrap in place of COMMAND; `{}` in its place tells the \
                     cgroup_base",
                    doctor_command()
                ),
                format!(
                    "systemd-run --user --scope -p Delegate=yes sh -c 'g={point}$(sed -n s/^0:://p \
                     /proc/self/cgroup) && mkdir $g/main && echo $$ > $g/main/cgroup.procs && exec COMMAND'"
                ),
            ),
        ];
        let beyond = |name: &String| !matches!(v2_name(name), "memory" | "pids");
        if self.controllers.iter().any(beyond) {
            mends.push(Mend::new(
                "more controllers for all users' shells: /etc/systemd/system/user@.service.d/delegate.conf, \
                 then `systemctl daemon-reload` and log in again",
                "[Service]\nDelegate=cpu cpuset io memory pids",
            ));
        }
        mends
    }

    /// As root, with the tools of any system.
    fn chown_v2(&self) -> Mend {
        let point = self.unified_point();
        let user = &self.facts.user;
        let mut lines = vec![
            format!("g={}", point.join(self.base.trim_matches('/')).display()),
            "mkdir -p $g/main".to_owned(),
        ];
        let pluses = self.pluses();
        if !pluses.is_empty() {
            let mut above = point;
            for name in self.base.trim_matches('/').split('/') {
                lines.push(format!(
                    "echo \"{pluses}\" > {}/cgroup.subtree_control",
                    above.display()
                ));
                above.push(name);
            }
            lines.push(format!("echo \"{pluses}\" > $g/cgroup.subtree_control"));
        }
        lines.push(format!(
            "chown {user} $g $g/cgroup.procs $g/cgroup.subtree_control $g/main $g/main/cgroup.procs"
        ));
        lines.push("echo $$ > $g/main/cgroup.procs".to_owned());
        Mend::new(
            format!(
                "as root, in the shell that then starts the application, such as by `su {user}`; cgroup_base \
                 is {:?}",
                self.base
            ),
            lines.join("\n"),
        )
    }

    fn chown_v1(&self) -> Mend {
        let names = self.controllers.iter().map(|name| v1_name(name));
        let wanted = names.chain(["freezer"]);
        let mut points: Vec<&Path> = vec![];
        for hierarchy in wanted.filter_map(|name| self.host.legacy_with(name)) {
            if !points.contains(&hierarchy.mount_point.as_path()) {
                points.push(&hierarchy.mount_point);
            }
        }
        let base = self.base.trim_matches('/');
        let groups: Vec<String> = points
            .iter()
            .map(|point| point.join(base).display().to_string())
            .collect();
        Mend::new(
            format!("as root; cgroup_base is {:?}", self.base),
            format!(
                "for g in {}; do mkdir -p $g && chown -R {} $g; done",
                groups.join(" "),
                self.facts.user
            ),
        )
    }

    /// v2: a group that passes controllers on must hold no process itself.
    fn no_internal_processes(&self, failure: &Failure) -> Vec<Mend> {
        let path = Path::new(&failure.path);
        let Some(group) = path
            .parent()
            .filter(|_| path.ends_with("cgroup.subtree_control"))
        else {
            return vec![Mend::new("here", failure.advice.clone())];
        };
        let mut mends = vec![];
        if self.facts.setting == Setting::Container && group == self.unified_point() {
            mends.push(self.entrypoint());
        } else {
            let group = group.display().to_string();
            let lines = format!("mkdir -p {group}/main\n{}", move_all(&group));
            mends.push(Mend::new(
                "a group that passes controllers on must hold no process itself: as its owner",
                lines,
            ));
        }
        if self.facts.setting == Setting::Systemd {
            mends.push(Mend::new(
                "a service, with systemd 254 and newer: `systemctl edit NAME.service`, then \
                 `systemctl restart NAME.service`",
                "[Service]\nDelegate=yes\nDelegateSubgroup=main",
            ));
        }
        mends
    }

    fn missing_name(&self, failure: &Failure) -> String {
        let named = |name: &&String| {
            let quoted = [v1_name(name), v2_name(name)].map(|name| format!("{name:?}"));
            quoted.iter().any(|quoted| failure.message.contains(quoted))
        };
        let found = self.controllers.iter().find(named);
        found.cloned().unwrap_or_default()
    }

    /// Nothing is mounted.
    fn mount_something(&self) -> Vec<Mend> {
        let on_v1: Vec<&str> = ["memory", "pids", "cpu", "freezer"]
            .into_iter()
            .filter(|name| {
                self.facts
                    .controller(name)
                    .is_some_and(|listed| listed.on_v1)
            })
            .collect();
        match self.facts.setting {
            _ if !self.facts.has_filesystem("cgroup2") && !self.facts.has_filesystem("cgroup") => {
                vec![kernel_options(self.controllers)]
            }
            Setting::Container if !self.facts.has_capability(SYS_ADMIN) => self.container(),
            Setting::Nerves => vec![Mend::new(
                "rootfs_overlay/etc/erlinit.config of the Nerves system",
                "-m cgroup2:/sys/fs/cgroup:cgroup2:nodev,noexec,nosuid:",
            )],
            _ if !on_v1.is_empty() => {
                let mut mend = mount_v1(&on_v1);
                let tmpfs = "mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup";
                mend.text = format!("{tmpfs}\n{}", mend.text);
                vec![mend]
            }
            _ => vec![Mend::new(
                "as root",
                "mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup",
            )],
        }
    }

    /// A controller is nowhere to be had.
    pub fn missing_controller(&self, name: &str) -> Vec<Mend> {
        let unified_only = self.host.legacy().next().is_none();
        let listed = self.facts.controller(v1_name(name));
        match listed {
            // No kernel has it.
            _ if !is_controller(name) => vec![],
            Some(listed) if !listed.enabled => vec![boot(self.facts.setting, v1_name(name))],
            Some(listed) if listed.on_v1 || !unified_only => {
                vec![match self.facts.setting {
                    Setting::Nerves => nerves_v1(v1_name(name)),
                    _ => mount_v1(&[v1_name(name)]),
                }]
            }
            _ if self.below_another() => vec![Mend::new(
                "outside, as root, in the group above the one that is mounted here",
                format!("echo +{} > cgroup.subtree_control", v2_name(name)),
            )],
            _ => vec![kernel_options(&[name.to_owned()])],
        }
    }

    /// Whether what is mounted is a part of a hierarchy, which gets what others pass on to it.
    fn below_another(&self) -> bool {
        self.unified_point().join("cgroup.events").exists()
    }
}

/// Moves all processes of a group to its sub-group. Those that end meanwhile, such as the `cat`
/// itself, cannot be moved, and need not be.
fn move_all(group: &str) -> String {
    format!(
        "for p in $(cat {group}/cgroup.procs); do echo $p > {group}/main/cgroup.procs || :; done 2> \
         /dev/null"
    )
}

#[cfg(test)]
#[path = "mend_test.rs"]
mod tests;
