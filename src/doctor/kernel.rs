// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What has to be asked of the kernel, from its configuration to its mounts.
//!
//! Source: [kernel parameters](https://docs.kernel.org/admin-guide/kernel-parameters.html), and the
//! help texts of `init/Kconfig`.

use super::facts::Setting;
use super::mend::Mend;

/// Controllers that the kernel has on v1, mounted one by one.
pub fn mount_v1(names: &[&str]) -> Mend {
    let line = |name: &&str| {
        format!(
            "mkdir -p /sys/fs/cgroup/{name} && mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"
        )
    };
    let lines: Vec<String> = names.iter().map(line).collect();
    let place = "as root; this kernel has them on cgroup v1, and `cgroup_no_v1=all` at boot gives them to v2";
    Mend::new(place, lines.join("\n"))
}

/// The same on Nerves.
pub fn nerves_v1(name: &str) -> Mend {
    Mend::new(
        "rootfs_overlay/etc/erlinit.config of the Nerves system, below its line for tmpfs:/sys/fs/cgroup",
        format!("-m {name}:/sys/fs/cgroup/{name}:cgroup:nodev,noexec,nosuid:{name}"),
    )
}

/// It was turned off at boot, as memory is on many boards.
pub fn boot(setting: Setting, name: &str) -> Mend {
    let file = match setting {
        Setting::Nerves => {
            "cmdline.txt (Raspberry Pi) or the boot loader's script of the Nerves system"
        }
        _ => "GRUB_CMDLINE_LINUX in /etc/default/grub, or cmdline.txt on a Raspberry Pi",
    };
    Mend::new(
        format!("the kernel's command line, in {file}; then reboot"),
        format!("cgroup_enable={name}"),
    )
}

/// It was not compiled in.
pub fn kernel_options(controllers: &[String]) -> Mend {
    let mut options = vec!["CONFIG_CGROUPS=y"];
    for name in controllers {
        options.extend(match v2_name(name) {
            "memory" => &["CONFIG_MEMCG=y"][..],
            "pids" => &["CONFIG_CGROUP_PIDS=y"],
            "cpu" => &[
                "CONFIG_CGROUP_SCHED=y",
                "CONFIG_FAIR_GROUP_SCHED=y",
                "CONFIG_CFS_BANDWIDTH=y",
            ],
            "cpuset" => &["CONFIG_CPUSETS=y"],
            "io" => &["CONFIG_BLK_CGROUP=y", "CONFIG_BLK_DEV_THROTTLING=y"],
            "hugetlb" => &["CONFIG_CGROUP_HUGETLB=y"],
            "freezer" => &["CONFIG_CGROUP_FREEZER=y"],
            "cpuacct" => &["CONFIG_CGROUP_CPUACCT=y"],
            _ => &[],
        });
    }
    Mend::new(
        "the kernel's configuration, for Nerves the linux defconfig of a custom system",
        options.join("\n"),
    )
}

/// What v1 calls a controller.
pub fn v1_name(name: &str) -> &str {
    if name == "io" { "blkio" } else { name }
}

/// What v2 calls it.
pub fn v2_name(name: &str) -> &str {
    if name == "blkio" { "io" } else { name }
}
