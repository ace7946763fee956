// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! For each kind of host, what mends each kind of failure.

use super::*;
use crate::error::Step;

const V2: &str = "1 0 0:26 / /cg rw - cgroup2 c rw\n";
const READ_ONLY: &str = "1 0 0:26 / /cg ro - cgroup2 c rw\n";
const V1: &str = "\
1 0 0:1 / /cg/memory rw - cgroup c rw,memory
2 0 0:2 / /cg/cpu rw - cgroup c rw,cpu,cpuacct
3 0 0:3 / /cg/freezer rw - cgroup c rw,freezer
";
const OWN: &str = "3:memory:/\n2:cpu,cpuacct:/\n1:freezer:/\n0::/\n";

fn user(setting: Setting) -> Facts {
    Facts {
        uid: 1000,
        user: "joe".into(),
        status: "CapEff:\t0000000000000000\n".into(),
        filesystems: "nodev\tcgroup\nnodev\tcgroup2\n".into(),
        setting,
        ..Facts::default()
    }
}

fn failure(errno: i32, path: &str) -> Failure {
    Failure::new(Step::Cgroup, "no").errno(errno).path(path)
}

fn mends(facts: &Facts, mounts: &str, controllers: &[&str], failure: &Failure) -> Vec<Mend> {
    let mut host = Host::from_parts(mounts, OWN);
    host.read_available();
    let controllers: Vec<String> = controllers.iter().map(ToString::to_string).collect();
    let case = Case {
        facts,
        host: &host,
        base: "app/x",
        controllers: &controllers,
    };
    case.mends(failure)
}

fn texts(mends: &[Mend]) -> String {
    let texts: Vec<&str> = mends.iter().map(|mend| mend.text.as_str()).collect();
    texts.join("\n---\n")
}

#[test]
fn no_permission_on_v1() {
    let failure = failure(libc::EACCES, "/cg/memory");
    for setting in [Setting::Plain, Setting::Systemd, Setting::Nerves] {
        let mends = mends(&user(setting), V1, &["memory", "cpu", "cpuacct"], &failure);
        assert_eq!(
            texts(&mends),
            "for g in /cg/memory/app/x /cg/cpu/app/x /cg/freezer/app/x; do mkdir -p $g && chown -R \
             joe $g; done"
        );
    }
}

#[test]
fn no_permission_on_v2() {
    let failure = failure(libc::EACCES, "/cg/app");
    let plain = mends(&user(Setting::Plain), V2, &[], &failure);
    assert_eq!(
        texts(&plain),
        "g=/cg/app/x\nmkdir -p $g/main\nchown joe $g $g/cgroup.procs $g/cgroup.subtree_control $g/main \
         $g/main/cgroup.procs\necho $$ > $g/main/cgroup.procs"
    );
    let unit = texts(&mends(&user(Setting::Systemd), V2, &["memory"], &failure));
    assert!(unit.contains("[Service]\nUser=joe\nDelegate=yes\nDelegateSubgroup=main"));
    assert!(unit.contains("systemd-run --user --scope -p Delegate=yes sh -c 'g=/cg$(sed"));
    assert!(!unit.contains("Delegate=cpu"));
    let more = texts(&mends(&user(Setting::Systemd), V2, &["cpu"], &failure));
    assert!(more.ends_with("[Service]\nDelegate=cpu cpuset io memory pids"));
}

#[test]
fn controllers_are_passed_on_from_the_top() {
    let root = tempfile::tempdir().expect("a folder");
    let point = root.path().display().to_string();
    std::fs::write(root.path().join("cgroup.controllers"), "io memory").expect("file");
    let mounts = format!("1 0 0:26 / {point} rw - cgroup2 c rw\n");
    let failure = failure(libc::EACCES, "x");
    let plain = texts(&mends(
        &user(Setting::Plain),
        &mounts,
        &["blkio", "rdma"],
        &failure,
    ));
    let echo = |group: &str| format!("echo \"+io\" > {group}/cgroup.subtree_control\n");
    let lines = [echo(&point), echo(&format!("{point}/app")), echo("$g")].concat();
    assert!(plain.contains(&lines), "{plain}");
    // A top that is somebody else's sub-group: only in a container is it ours to arrange.
    std::fs::write(root.path().join("cgroup.events"), "").expect("file");
    let inside = texts(&mends(
        &user(Setting::Container),
        &mounts,
        &["io"],
        &failure,
    ));
    assert!(
        inside.starts_with(&format!("mkdir -p {point}/main\nfor p in")),
        "{inside}"
    );
    assert!(inside.contains(&echo(&point)), "{inside}");
    assert!(inside.contains(&format!("chown joe {point} ")), "{inside}");
}

#[test]
fn read_only_mounts() {
    let failure = failure(libc::EROFS, "/cg");
    let plain = mends(&user(Setting::Plain), READ_ONLY, &[], &failure);
    assert_eq!(texts(&plain), "mount -o remount,rw,bind /cg");
    let container = texts(&mends(
        &user(Setting::Container),
        READ_ONLY,
        &["memory"],
        &failure,
    ));
    for part in [
        "writable-cgroups=true",
        "unmask=/sys/fs/cgroup",
        "cgroup_writable",
        "--privileged",
    ] {
        assert!(container.contains(part), "{container}");
    }
    // The directory may look writable only for another user.
    let denied = Failure {
        errno: libc::EACCES,
        ..failure.clone()
    };
    let same = texts(&mends(
        &user(Setting::Container),
        READ_ONLY,
        &["memory"],
        &denied,
    ));
    assert_eq!(same, container);
    let v1 = V1.replace("/cg/memory rw", "/cg/memory ro");
    let v1 = texts(&mends(&user(Setting::Container), &v1, &[], &failure));
    assert_eq!(
        v1,
        "docker run --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw IMAGE"
    );
}

#[test]
fn processes_in_the_way() {
    let failure = failure(libc::EBUSY, "/cg/app/cgroup.subtree_control");
    let plain = texts(&mends(&user(Setting::Plain), V2, &["memory"], &failure));
    assert_eq!(
        plain,
        "mkdir -p /cg/app/main\nfor p in $(cat /cg/app/cgroup.procs); do echo $p > \
         /cg/app/main/cgroup.procs || :; done 2> /dev/null"
    );
    let unit = texts(&mends(&user(Setting::Systemd), V2, &["memory"], &failure));
    assert!(unit.ends_with("DelegateSubgroup=main"));
    let other = Failure::new(Step::Cgroup, "no")
        .errno(libc::EBUSY)
        .advice("look");
    assert_eq!(
        texts(&mends(&user(Setting::Plain), V2, &[], &other)),
        "look"
    );
}

#[test]
fn nothing_mounted() {
    let failure = failure(libc::ENOENT, "/proc/self/mountinfo");
    let with = |setting, proc_cgroups: &str, filesystems: &str| {
        let facts = Facts {
            proc_cgroups: proc_cgroups.into(),
            filesystems: filesystems.into(),
            ..user(setting)
        };
        texts(&mends(&facts, "", &["memory"], &failure))
    };
    let known = "nodev\tcgroup2\n";
    assert_eq!(
        with(Setting::Plain, "memory\t0\t1\t1\n", known),
        "mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    );
    assert!(with(Setting::Plain, "memory\t4\t1\t1\n", known).contains("mount -t cgroup -o memory"));
    assert!(with(Setting::Nerves, "", known).starts_with("-m cgroup2:/sys/fs/cgroup:cgroup2:"));
    assert!(with(Setting::Container, "", known).starts_with("docker run"));
    assert_eq!(
        with(Setting::Plain, "", "ext4\n"),
        "CONFIG_CGROUPS=y\nCONFIG_MEMCG=y"
    );
}

#[test]
fn a_controller_that_is_missing() {
    let with = |setting, mounts: &str, proc_cgroups: &str, name: &str| {
        let facts = Facts {
            proc_cgroups: proc_cgroups.into(),
            ..user(setting)
        };
        let failure = Failure {
            message: format!("no {:?}", v1_name(name)),
            ..failure(libc::ENOENT, "")
        };
        mends(&facts, mounts, &["pids", name], &failure)
    };
    let off = with(Setting::Plain, V2, "memory\t0\t1\t0\n", "memory");
    assert_eq!(texts(&off), "cgroup_enable=memory");
    assert!(off[0].place.contains("GRUB_CMDLINE_LINUX"));
    let off = with(Setting::Nerves, V2, "memory\t0\t1\t0\n", "memory");
    assert!(off[0].place.contains("cmdline.txt"));
    let on_v1 = with(Setting::Plain, V2, "blkio\t4\t1\t1\n", "io");
    assert!(texts(&on_v1).contains("mount -t cgroup -o blkio cgroup /sys/fs/cgroup/blkio"));
    let on_v1 = with(Setting::Nerves, V1, "blkio\t0\t1\t1\n", "io");
    assert_eq!(
        texts(&on_v1),
        "-m blkio:/sys/fs/cgroup/blkio:cgroup:nodev,noexec,nosuid:blkio"
    );
    for (name, option) in [
        ("memory", "CONFIG_MEMCG"),
        ("cpu", "CONFIG_CFS_BANDWIDTH"),
        ("cpuset", "CONFIG_CPUSETS"),
        ("io", "CONFIG_BLK_CGROUP"),
        ("hugetlb", "CONFIG_CGROUP_HUGETLB"),
    ] {
        let absent = texts(&with(Setting::Plain, V2, "", name));
        assert!(absent.contains(option), "{absent}");
    }
}

#[test]
fn what_nobody_foresaw_gets_the_advice_it_came_with() {
    let failure = failure(libc::EINVAL, "x");
    assert_eq!(mends(&user(Setting::Plain), V2, &[], &failure), []);
    let failure = failure.advice("give only \"a\"");
    let mends = mends(&user(Setting::Plain), V2, &[], &failure);
    assert_eq!(texts(&mends), "give only \"a\"");
}
