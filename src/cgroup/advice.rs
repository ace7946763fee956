// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What to do about it: one command, ready to copy, wherever there is one.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, geteuid};

use super::mounts::{Hierarchy, Version};
use super::request::Request;

/// A group could not be made or opened.
pub(super) fn mkdir(hierarchy: &Hierarchy, group: &Path, error: &io::Error) -> String {
    let point = hierarchy.mount_point.display();
    match error.raw_os_error() {
        Some(libc::EROFS) => format!(
            "make it writable with `mount -o remount,rw {point}`; a container needs to be started with a \
             writable cgroup mount"
        ),
        Some(libc::EACCES | libc::EPERM) => delegate(hierarchy, group),
        Some(libc::EAGAIN) => "a group above it has reached its cgroup.max.descendants or \
                               cgroup.max.depth"
            .into(),
        Some(libc::ENOTDIR | libc::EEXIST) => {
            "choose another name: it is a file of the cgroup".into()
        }
        _ => String::new(),
    }
}

/// How to get a writable group: the one we are in, if there is one, or the commands that make it.
fn delegate(hierarchy: &Hierarchy, group: &Path) -> String {
    if let Some(own) = delegated(hierarchy) {
        return format!(
            "use a group that is delegated to this user, such as {:?}",
            own.join("muontrap").display().to_string()
        );
    }
    let base = base_of(hierarchy, group);
    let (base, user) = (base.display(), geteuid());
    match hierarchy.version {
        Version::V1 => {
            format!("as root: `mkdir -p {base} && chown -R {user} {base}`, or run muontrap as root")
        }
        Version::V2 => format!(
            "with systemd: `Delegate=yes` in the unit; else as root: `mkdir -p {base} && chown {user} {base} \
             {base}/cgroup.procs {base}/cgroup.subtree_control`, or run muontrap as root"
        ),
    }
}

/// The group that is to be ours for good: the one above a fresh group, or the fixed one.
fn base_of(hierarchy: &Hierarchy, group: &Path) -> PathBuf {
    let parent = group
        .parent()
        .filter(|parent| *parent != hierarchy.mount_point);
    parent.unwrap_or(group).to_path_buf()
}

/// The highest group above this process that it may write to, as an absolute path in the
/// hierarchy.
fn delegated(hierarchy: &Hierarchy) -> Option<PathBuf> {
    let own = hierarchy.own_directory()?;
    let below_mount = |path: &&Path| path.starts_with(&hierarchy.mount_point);
    let writable = |path: &Path| {
        [path, &path.join("cgroup.procs")]
            .iter()
            .all(|file| access(*file, AccessFlags::W_OK).is_ok())
    };
    let found = own
        .ancestors()
        .take_while(below_mount)
        .filter(|path| writable(path))
        .last()?;
    Some(Path::new("/").join(found.strip_prefix(&hierarchy.mount_point).ok()?))
}

/// A v1 controller is mounted nowhere.
pub(super) fn mount(controller: &str) -> String {
    format!(
        "if /proc/cgroups lists it, as root: `mkdir -p /sys/fs/cgroup/{controller} && mount -t cgroup -o \
         {controller} cgroup /sys/fs/cgroup/{controller}`"
    )
}

/// A v2 controller is not offered by the kernel.
pub(super) fn boot(controller: &str, root: &Path) -> String {
    let list = root.join("cgroup.controllers");
    let list = list.display();
    match controller {
        "memory" => format!(
            "`cat {list}` shows what there is; boot with `cgroup_enable=memory` if /proc/cgroups shows that \
             it is off"
        ),
        _ => format!("`cat {list}` shows what there is"),
    }
}

/// A controller could not be passed on to the groups below.
pub(super) fn enable(controller: &str, group: &Path, error: &io::Error) -> String {
    let path = group.display();
    match error.raw_os_error() {
        Some(libc::EBUSY) => format!(
            "a group that passes controllers on must hold no process itself: `mkdir {path}/main && for p in \
             $(cat {path}/cgroup.procs); do echo $p > {path}/main/cgroup.procs; done`; with systemd 254 or \
             newer: `DelegateSubgroup=main` in the unit"
        ),
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => {
            format!("as root: `echo +{controller} > {path}/cgroup.subtree_control`")
        }
        Some(libc::EOPNOTSUPP) => {
            format!("`cat {path}/cgroup.type` says threaded: only a domain can be used")
        }
        _ => String::new(),
    }
}

/// A setting was refused.
pub(super) fn setting(file: &str, error: &io::Error) -> String {
    let swap = file.contains(".memsw.") || file.contains(".swap.");
    match error.raw_os_error() {
        Some(libc::ENOENT) if swap => "boot with `swapaccount=1`".into(),
        Some(libc::EACCES | libc::EPERM) if !file.is_empty() => {
            "the file belongs to another user, or the limits above do not allow it".into()
        }
        Some(libc::ENODEV) => {
            "`lsblk` shows the MAJ:MIN of each disk; it must be a whole disk".into()
        }
        _ => String::new(),
    }
}

/// The program could not enter its group.
pub(super) fn enter(hierarchy: &Hierarchy, group: &Path, error: &io::Error) -> String {
    let path = group.display();
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) if hierarchy.version == Version::V2 => {
            let base = base_of(hierarchy, group);
            let (base, parent) = (base.display(), nix::unistd::getppid());
            format!(
                "moving a process needs a writable cgroup.procs in the nearest group above both places: start \
                 what runs muontrap inside a delegated group (systemd: `Delegate=yes`), or as root: `mkdir -p \
                 {base}/main && echo {parent} > {base}/main/cgroup.procs`"
            )
        }
        Some(libc::EBUSY) => {
            format!("it passes controllers on: `cat {path}/cgroup.subtree_control` must be empty")
        }
        Some(libc::EOPNOTSUPP) => {
            format!("`cat {path}/cgroup.type` must say domain: a group above it is threaded")
        }
        Some(libc::ENOSPC) => "its cpuset.cpus or cpuset.mems is empty".into(),
        _ => String::new(),
    }
}

/// A group above is frozen.
pub(super) fn thaw(version: Version, frozen: &Path) -> String {
    let path = frozen.display();
    match version {
        Version::V1 => format!("`echo THAWED > {path}/freezer.state` lets it go on"),
        Version::V2 => format!("`echo 0 > {path}/cgroup.freeze` lets it go on"),
    }
}

/// The command that says all that is needed for these controllers.
pub(super) fn doctor(controllers: &[String], request: &Request) -> String {
    let base = request.group.rsplit_once('/').map(|(base, _)| base);
    let base = base.filter(|base| !base.is_empty());
    let base = base.unwrap_or(&request.group);
    let need = match controllers {
        [] => String::new(),
        names => format!(" --need {}", names.join(",")),
    };
    format!(
        "`{}{need} --base {base}` has the commands for all that is missing",
        doctor_command()
    )
}

/// The doctor, by the path of this program: there may be no Mix here.
pub fn doctor_command() -> String {
    let helper = std::env::current_exe().unwrap_or_else(|_| "muontrap".into());
    format!("{} doctor", helper.display())
}
