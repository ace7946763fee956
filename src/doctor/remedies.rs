// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! How to fix it: the one table of commands and lines to copy, by problem and kind of host.
//!
//! Sources: [cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html),
//! [systemd.resource-control(5)](https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html),
//! [docker run](https://docs.docker.com/reference/cli/docker/container/run/),
//! [podman run](https://docs.podman.io/en/latest/markdown/podman-run.1.html),
//! [erlinit](https://github.com/nerves-project/erlinit),
//! [kernel parameters](https://docs.kernel.org/admin-guide/kernel-parameters.html) and the help
//! texts of `init/Kconfig`.

use super::facts::HostKind;
use HostKind::{Container, Nerves, Plain, Systemd};
#[allow(clippy::enum_glob_use)]
use Problem::*;

/// One way to fix a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// When or where to do it, as a heading without a colon.
    pub place: String,
    /// The commands, or the lines of a file.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    NotRoot,
    /// Root lacks capabilities.
    NoCapability,
    /// The user namespace has one user, or denies setgroups.
    OneUser,
    AmbientCapabilities,
    NoPrctl,
    NoProc,
    HiddenProcesses,
    /// The kernel was built without it.
    NotInKernel,
    /// The controller was disabled at boot, as memory is on many boards.
    Disabled,
    /// The kernel has the controller for v1 alone, and it is not mounted there.
    NotMounted,
    /// No hierarchy is mounted.
    NothingMounted,
    /// The same where the kernel has controllers on v1.
    NothingMountedV1,
    /// What is mounted is part of a hierarchy, and the group above does not enable the controller.
    NotEnabledAbove,
    /// Hierarchies are mounted read-only.
    ReadOnly,
    /// A container that cannot mount has no hierarchy that it can write to.
    Confined,
    ConfinedV1,
    /// The top of what is mounted in a container is a group like any other, and holds its processes.
    ProcessesAtTop,
    /// The base is not the user's.
    NotDelegated,
    NotDelegatedV1,
    /// v2: a group cannot enable controllers because of its processes.
    HasProcesses,
}

/// Problems, kinds of host, place and text. A line whose placeholder has no value is left out.
type Row = (
    &'static [Problem],
    &'static [HostKind],
    &'static str,
    &'static str,
);

const ANY: &[HostKind] = &[Container, Nerves, Plain, Systemd];
const BUT_NERVES: &[HostKind] = &[Container, Plain, Systemd];
const BUT_SYSTEMD: &[HostKind] = &[Container, Nerves, Plain];

const AS_ROOT: &str = "run the BEAM as root, if programs have to run as other users";
const V1_KERNEL: &str = "as root; this kernel has controllers on cgroup v1, and `cgroup_no_v1=all` at boot gives them to v2";
const ERLINIT: &str = "rootfs_overlay/etc/erlinit.config of the Nerves system";

/// The likeliest fix of a problem first.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    (&[NotRoot], &[Container], AS_ROOT, "docker run --user 0 IMAGE"),
    (&[NotRoot], &[Systemd], AS_ROOT, "[Service]\nUser=root"),
    (&[NotRoot], &[Nerves], AS_ROOT, "remove --uid and --gid from erlinit.config"),
    (&[NotRoot], &[Plain], AS_ROOT, "sudo -E COMMAND"),
    (&[NoCapability], &[Systemd], "add to the unit that runs the application",
        "[Service]\nCapabilityBoundingSet={names}"),
    (&[NoCapability], BUT_SYSTEMD, "Docker or Podman",
        "docker run {flags} IMAGE"),
    (&[OneUser], ANY, "the user's ranges, as root, then start the container anew",
        "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME"),
    (&[AmbientCapabilities], ANY, "the unit that runs the application: remove this line",
        "AmbientCapabilities="),
    (&[NoPrctl], ANY, "allow prctl(2) in the seccomp profile, or use Linux 3.4 or newer",
        "docker run --security-opt seccomp=PROFILE.json IMAGE"),
    (&[NoProc], ANY, "as root", "mount -t proc proc /proc"),
    (&[HiddenProcesses], ANY, "as root, and in /etc/fstab", "mount -o remount,hidepid=0 /proc"),

    (&[NotInKernel], ANY, "the kernel's configuration, for Nerves the linux defconfig of a custom system",
        "CONFIG_CGROUPS=y\n{options}"),
    (&[Disabled], &[Nerves],
        "the kernel's command line, in cmdline.txt (Raspberry Pi) or the boot loader's script of the Nerves \
         system; then reboot",
        "cgroup_enable={v1_name}"),
    (&[Disabled], BUT_NERVES,
        "the kernel's command line, in GRUB_CMDLINE_LINUX in /etc/default/grub, or cmdline.txt on a Raspberry \
         Pi; then reboot",
        "cgroup_enable={v1_name}"),
    (&[NotMounted], &[Nerves],
        "rootfs_overlay/etc/erlinit.config of the Nerves system, below its line for tmpfs:/sys/fs/cgroup",
        "-m {v1_name}:/sys/fs/cgroup/{v1_name}:cgroup:nodev,noexec,nosuid:{v1_name}"),
    (&[NotMounted], BUT_NERVES, V1_KERNEL,
        "mkdir -p /sys/fs/cgroup/{v1_name} && mount -t cgroup -o {v1_name} cgroup /sys/fs/cgroup/{v1_name}"),
    (&[NothingMounted, NothingMountedV1], &[Nerves], ERLINIT,
        "-m cgroup2:/sys/fs/cgroup:cgroup2:nodev,noexec,nosuid:"),
    (&[NothingMounted], BUT_NERVES, "as root",
        "mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"),
    (&[NothingMountedV1], BUT_NERVES, V1_KERNEL,
        "mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup\n\
         for c in {names}; do mkdir -p /sys/fs/cgroup/$c && mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c; done"),
    (&[NotEnabledAbove], ANY, "outside, as root, in the group above the one that is mounted here",
        "echo +{v2_name} > cgroup.subtree_control"),

    (&[ReadOnly], ANY, "as root", "{remounts}"),
    (&[Confined], ANY, "Docker Engine 28 and newer",
        "docker run --cgroupns=private --security-opt writable-cgroups=true IMAGE"),
    (&[Confined], ANY, "Podman",
        "podman run --cgroupns=private --security-opt unmask=/sys/fs/cgroup IMAGE"),
    (&[Confined], ANY,
        "Kubernetes, containerd 2.1 and newer: config.toml of the node, in the section of the runtime",
        "cgroup_writable = true"),
    (&[Confined], ANY, "older ones; gives the container far more than this",
        "docker run --cgroupns=private --privileged IMAGE"),
    (&[ConfinedV1], ANY,
        "Docker or Podman on a host with cgroup v1; the container then sees the host's groups",
        "docker run --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw IMAGE"),
    (&[Confined, ProcessesAtTop], ANY, "as the first lines of the container's entry point, as root",
        "mkdir -p {point}/main\n\
         for p in $(cat {point}/cgroup.procs); do echo $p > {point}/main/cgroup.procs || :; done 2> /dev/null\n\
         echo \"{pluses}\" > {point}/cgroup.subtree_control\n\
         chown {owner} {point} {point}/cgroup.procs {point}/cgroup.subtree_control {point}/main \
         {point}/main/cgroup.procs"),

    (&[HasProcesses], ANY, "a group that enables controllers must hold no process itself: as its owner",
        "mkdir -p {group}/main\n\
         for p in $(cat {group}/cgroup.procs); do echo $p > {group}/main/cgroup.procs || :; done 2> /dev/null"),
    (&[NotDelegated, HasProcesses], &[Systemd],
        "a service, with systemd 254 or newer: `systemctl edit NAME.service`, then `systemctl restart \
         NAME.service`; its cgroup_base is \"system.slice/NAME.service/muontrap\"",
        "[Service]\nUser={owner}\nDelegate=yes\nDelegateSubgroup=main"),
    (&[NotDelegated], &[Systemd],
        "a service, with an older systemd: `Delegate=yes` alone, and this script for ExecStart=",
        "#!/bin/sh\n\
         g={point}$(sed -n s/^0:://p /proc/self/cgroup)\n\
         mkdir -p $g/main && echo $$ > $g/main/cgroup.procs && exec COMMAND"),
    (&[NotDelegated], &[Systemd],
        "a shell: start what uses MuonTrap in place of COMMAND; `{doctor}` in its place tells the cgroup_base",
        "systemd-run --user --scope -p Delegate=yes sh -c 'g={point}$(sed -n s/^0:://p /proc/self/cgroup) && \
         mkdir $g/main && echo $$ > $g/main/cgroup.procs && exec COMMAND'"),
    (&[NotDelegated], &[Systemd],
        "more controllers than memory and pids for all users' shells: /etc/systemd/system/user@.service.d/delegate.conf, then \
         `systemctl daemon-reload` and log in again",
        "[Service]\nDelegate=cpu cpuset io memory pids"),
    (&[NotDelegated], BUT_SYSTEMD,
        "as root, in the shell that then starts the application, such as by `su {user}`; cgroup_base is {base}",
        "g={directory}\n\
         mkdir -p $g/main\n\
         h={point}; for name in {base_names} main; do echo \"{pluses}\" > $h/cgroup.subtree_control; h=$h/$name; done\n\
         chown {owner} $g $g/cgroup.procs $g/cgroup.subtree_control $g/main $g/main/cgroup.procs\n\
         echo $$ > $g/main/cgroup.procs"),
    (&[NotDelegatedV1], ANY, "as root; cgroup_base is {base}",
        "for g in {v1_directories}; do mkdir -p $g && chown -R {owner} $g; done"),
];

type Values = [(&'static str, String)];

/// How to fix a problem on this kind of host. Placeholders become `values`.
pub fn fixes(kind: HostKind, problem: Problem, values: &Values) -> Vec<Fix> {
    let rows = TABLE.iter();
    let rows =
        rows.filter(|(problems, kinds, ..)| problems.contains(&problem) && kinds.contains(&kind));
    let fixes = rows.map(|(_, _, place, text)| Fix {
        place: fill(place, values),
        text: fill(text, values),
    });
    fixes.filter(|fix| !fix.text.is_empty()).collect()
}

fn fill(template: &str, values: &Values) -> String {
    let lines = template.lines().filter_map(|line| {
        let mut line = line.to_owned();
        for (name, value) in values {
            let placeholder = format!("{{{name}}}");
            if value.is_empty() && line.contains(&placeholder) {
                return None;
            }
            line = line.replace(&placeholder, value);
        }
        Some(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "remedies_test.rs"]
mod tests;
