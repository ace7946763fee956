// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

use std::fs;

use proptest::prelude::*;

use super::*;

const SYSTEMD_V1: &str = "\
25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw
30 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
33 25 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
34 33 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
35 33 0:30 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd
39 33 0:34 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:16 - cgroup cgroup rw,cpu,cpuacct
40 33 0:35 / /sys/fs/cgroup/memory rw,nosuid shared:17 - cgroup cgroup rw,memory
";
const SYSTEMD_V1_SELF: &str = "\
4:memory:/user.slice/user-1000.slice/session-2.scope
3:cpu,cpuacct:/user.slice
2:pids:/user.slice
1:name=systemd:/user.slice/user-1000.slice/session-2.scope
0::/user.slice/user-1000.slice/session-2.scope
";

fn points(host: &Host) -> Vec<&str> {
    host.hierarchies
        .iter()
        .filter_map(|hierarchy| hierarchy.mount_point.to_str())
        .collect()
}

#[test]
fn hybrid_with_controllers_mounted_together() {
    let host = Host::from_parts(SYSTEMD_V1, SYSTEMD_V1_SELF);
    let cpu = host.legacy_with("cpu").expect("cpu");
    assert_eq!(cpu, host.legacy_with("cpuacct").expect("cpuacct"));
    assert_eq!(cpu.mount_point, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
    assert_eq!(cpu.controllers, ["cpu", "cpuacct"]);
    assert_eq!(
        host.legacy_with("pids"),
        None,
        "known to the kernel, but not mounted"
    );
    assert!(host.legacy_with("name=systemd").is_some());
    let unified = host.unified().expect("v2");
    assert_eq!(unified.mount_point, Path::new("/sys/fs/cgroup/unified"));
    assert_eq!(
        unified.directory("/a/b"),
        Path::new("/sys/fs/cgroup/unified/a/b")
    );
    assert_eq!(
        unified.directory("a/b"),
        Path::new("/sys/fs/cgroup/unified/a/b")
    );
}

#[test]
fn unified_only() {
    let host = Host::from_parts(
        "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
        "0::/system.slice/app.service\n",
    );
    assert_eq!(points(&host), ["/sys/fs/cgroup"]);
    let unified = host.unified().expect("v2");
    let own = unified.own_directory().expect("own");
    assert_eq!(own, Path::new("/sys/fs/cgroup/system.slice/app.service"));
    for group in ["/system.slice", "system.slice/app.service", "/"] {
        assert!(unified.holds_us(group), "{group}");
    }
    for group in ["/system.slice/app", "/system.slice/app.service/x", "/other"] {
        assert!(!unified.holds_us(group), "{group}");
    }
}

#[test]
fn a_container_sees_its_group_as_the_root() {
    let host = Host::from_parts(
        "40 33 0:35 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        "4:memory:/docker/abc/sub\n",
    );
    let memory = host.legacy_with("memory").expect("memory");
    assert!(memory.read_only);
    assert_eq!(
        memory.own_directory(),
        Some(PathBuf::from("/sys/fs/cgroup/memory/sub"))
    );
    assert!(memory.holds_us("sub"));
    let elsewhere = Hierarchy {
        own_path: "/docker/abcd".into(),
        ..memory.clone()
    };
    assert_eq!(elsewhere.own_directory(), None);
    assert!(!elsewhere.holds_us("d"));
}

#[test]
fn of_several_mounts_the_widest_writable_one_is_used() {
    let host = Host::from_parts(
        "40 1 0:35 / /ro ro - cgroup cgroup rw,memory\n\
         41 1 0:35 /part /part rw - cgroup cgroup rw,memory\n\
         42 1 0:35 / /my\\040mount\\134x rw - cgroup cgroup rw,memory\n",
        "4:memory:/\n",
    );
    assert_eq!(points(&host), ["/my mount\\x"]);
}

#[test]
fn hidden_mounts_are_ignored() {
    let over = "30 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n31 30 0:2 / /cg rw - tmpfs tmpfs rw\n";
    assert_eq!(
        points(&Host::from_parts(over, "0::/\n")),
        Vec::<&str>::new()
    );
    let above = "31 29 0:2 / /sys/cg rw - cgroup2 c rw\n32 29 0:3 / /sys rw - tmpfs tmpfs rw\n";
    assert_eq!(
        points(&Host::from_parts(above, "0::/\n")),
        Vec::<&str>::new()
    );
    let below = "31 30 0:2 / /cg/u rw - cgroup2 c rw\n30 1 0:3 / /cg rw - tmpfs tmpfs rw\n";
    assert_eq!(
        points(&Host::from_parts(below, "0::/\n")),
        ["/cg/u"],
        "listed out of order"
    );
    let twice = "27 26 0:18 /x /cg rw - hostfs r rw\n21 29 0:19 / /cg rw - cgroup2 cgroup2 rw\n";
    assert_eq!(points(&Host::from_parts(twice, "0::/\n")), ["/cg"]);
}

#[test]
fn no_cgroups_at_all() {
    assert_eq!(Host::from_parts(SYSTEMD_V1, ""), Host::default());
    assert_eq!(Host::from_parts("", SYSTEMD_V1_SELF), Host::default());
    let root = tempfile::tempdir().expect("a directory");
    assert_eq!(Host::detect_below(root.path()), Ok(Host::default()));
}

#[test]
fn a_host_below_another_root() {
    let root = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(root.path().join("proc/self")).expect("proc");
    fs::write(
        root.path().join("proc/self/mountinfo"),
        "30 24 0:26 / /cg rw - cgroup2 c rw\n",
    )
    .expect("mountinfo");
    fs::write(root.path().join("proc/self/cgroup"), "0::/\n").expect("cgroup");
    fs::create_dir(root.path().join("cg")).expect("cg");
    fs::write(root.path().join("cg/cgroup.controllers"), "cpu io\n").expect("controllers");
    let host = Host::detect_below(root.path()).expect("a host");
    assert_eq!(host.unified().expect("v2").offered(), ["cpu", "io"]);
}

#[test]
fn the_host_of_the_tests() {
    let host = Host::detect().expect("a host");
    for hierarchy in &host.hierarchies {
        assert!(
            hierarchy.mount_point.join("cgroup.procs").exists(),
            "{hierarchy:?}"
        );
    }
}

fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            ' ' => "\\040".into(),
            '\t' => "\\011".into(),
            '\n' => "\\012".into(),
            '\\' => "\\134".into(),
            c => c.to_string(),
        })
        .collect()
}

proptest! {
    #[test]
    fn any_mount_point_survives_its_escaping(name in "[ -~\té\n]{1,20}") {
        prop_assume!(!name.contains('/'));
        let line = format!("30 24 0:26 / /{} rw - cgroup2 c rw\n", escape(&name));
        let host = Host::from_parts(&line, "0::/\n");
        prop_assert_eq!(&host.unified().expect("v2").mount_point, &Path::new("/").join(&name));
    }

    #[test]
    fn no_text_makes_it_panic(mountinfo in "[ -~\n]{0,200}", own in "[0-9:a-z/,=\n]{0,80}") {
        let _ = Host::from_parts(&mountinfo, &own);
    }
}
