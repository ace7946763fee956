// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Every outcome of the checks of processes, users and cgroups.

use super::*;
use crate::cgroup::Request;
use crate::doctor::facts::HostKind;

/// Root on a good kernel.
fn good() -> Facts {
    Facts {
        linux: true,
        release: "6.1.0".into(),
        user: "root".into(),
        status: "CapEff:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n".into(),
        proc_is_ours: true,
        ..Facts::default()
    }
}

fn check(facts: &Facts, name: &str) -> Check {
    let mut all = processes(facts).into_iter();
    all.find(|check| check.name == name).expect("a check")
}

#[track_caller]
fn expect(facts: &Facts, name: &str, status: Status, part: &str) -> Vec<Fix> {
    let check = check(facts, name);
    assert_eq!(check.status, status, "{check:?}");
    assert!(check.found.contains(part), "{check:?}");
    assert!(
        check.fixes.iter().all(|fix| !fix.text.contains('{')),
        "{check:?}"
    );
    check.fixes
}

#[test]
fn nothing_is_wrong_with_root() {
    for check in processes(&good()) {
        assert!(
            matches!(check.status, Status::Ok | Status::Info),
            "{check:?}"
        );
        assert_eq!(check.fixes, [], "{check:?}");
    }
}

#[test]
fn what_an_old_kernel_lacks() {
    let old = Facts {
        release: "5.4.0-1".into(),
        ..good()
    };
    expect(
        &old,
        "kernel",
        Status::Ok,
        "without close_range (5.11), cgroup.kill (5.14), memory.peak",
    );
}

#[test]
fn another_system() {
    let other = Facts {
        linux: false,
        death_signal_error: Some("none".into()),
        ..good()
    };
    expect(&other, "kernel", Status::Warn, "not Linux");
    expect(&other, "subreaper", Status::Warn, "none on this system");
    expect(&other, "death signal", Status::Warn, "none on this system");
}

#[test]
fn only_root_switches_users_and_not_without_its_capabilities() {
    let user = Facts {
        uid: 1000,
        status: "CapEff:\t0000000000000000\n".into(),
        ..good()
    };
    let commands = [
        (HostKind::Container, "docker run --user 0"),
        (HostKind::Systemd, "User=root"),
        (HostKind::Nerves, "erlinit.config"),
        (HostKind::Plain, "sudo"),
    ];
    for (kind, command) in commands {
        let user = Facts {
            kind,
            ..user.clone()
        };
        let fixes = expect(&user, "user switch", Status::Warn, "only root");
        assert!(fixes[0].text.contains(command), "{fixes:?}");
    }
    // KILL and SETGID are missing.
    let root = Facts {
        status: "CapEff:\t0000000000000080\n".into(),
        ..good()
    };
    let fixes = expect(
        &root,
        "user switch",
        Status::Warn,
        "root lacks CAP_SETGID CAP_KILL",
    );
    assert_eq!(
        fixes[0].text,
        "docker run --cap-add=SETGID --cap-add=KILL IMAGE"
    );
    let unit = Facts {
        kind: HostKind::Systemd,
        ..root
    };
    let fixes = expect(&unit, "user switch", Status::Warn, "root lacks");
    assert!(
        fixes[0]
            .text
            .ends_with("CapabilityBoundingSet=CAP_SETGID CAP_KILL")
    );
}

#[test]
fn user_namespaces_limit_the_switch() {
    for (uid_map, setgroups) in [("0 1000 1\n", ""), ("", "deny\n")] {
        let alone = Facts {
            uid_map: uid_map.into(),
            setgroups: setgroups.into(),
            ..good()
        };
        expect(&alone, "user switch", Status::Warn, "cannot be used");
    }
    let some = Facts {
        uid_map: "0 100000 65536\n".into(),
        ..good()
    };
    expect(&some, "user switch", Status::Ok, "");
    expect(&some, "user", Status::Info, "with 65536 user ids");
}

#[test]
fn what_is_inherited() {
    let ambient = Facts {
        status: "CapEff:\t00000000000000e0\nCapAmb:\t0000000000000080\n".into(),
        ..good()
    };
    let fixes = expect(&ambient, "user", Status::Warn, "every program inherits");
    assert_eq!(fixes[0].text, "AmbientCapabilities=");
    let strict = Facts {
        status: "NoNewPrivs:\t1\n".into(),
        ..good()
    };
    expect(&strict, "user", Status::Info, "no_new_privs");
}

#[test]
fn what_every_run_needs() {
    let bare = Facts {
        subreaper_error: Some("EPERM".into()),
        death_signal_error: Some("EPERM".into()),
        proc_is_ours: false,
        ..good()
    };
    for name in ["subreaper", "death signal", "/proc"] {
        expect(&bare, name, Status::Fail, "");
    }
    assert_eq!(
        check(&bare, "/proc").fixes[0].text,
        "mount -t proc proc /proc"
    );
}

#[test]
fn hidden_processes() {
    let hidden = Facts {
        mountinfo: "2 1 0:2 / /proc rw - proc proc rw,hidepid=invisible\n".into(),
        ..good()
    };
    expect(&hidden, "/proc", Status::Ok, "all processes");
    let user = Facts {
        uid: 1000,
        status: "CapEff:\t0000000000000000\n".into(),
        ..hidden
    };
    let fixes = expect(&user, "/proc", Status::Warn, "hidepid=invisible");
    assert_eq!(fixes[0].text, "mount -o remount,hidepid=0 /proc");
}

fn host(mounts: &str, own: &str) -> Host {
    Host::from_parts(mounts, own)
}

const V1: &str = "\
1 0 0:1 / /cg/blkio rw - cgroup c rw,blkio
2 0 0:2 / /cg/rdma ro - cgroup c rw,rdma
";
const V2: &str = "3 0 0:3 / /cg/unified rw - cgroup2 c rw\n";
const OWN: &str = "3:blkio:/x\n2:rdma:/y\n0::/x\n";

fn cgroup_check(mounts: &str, name: &str) -> Check {
    let facts = Facts {
        user: "joe".into(),
        cgroups: host(mounts, OWN),
        ..good()
    };
    let mut checks = cgroups(&facts).into_iter();
    checks.find(|check| check.name == name).expect("a check")
}

#[test]
fn mounted_versions() {
    let hybrid = format!("{V1}{V2}");
    for (mounts, expected) in [("", "none"), (V1, "v1"), (V2, "v2"), (&hybrid, "hybrid")] {
        assert_eq!(versions(&host(mounts, OWN)), expected);
        let found = cgroup_check(mounts, "cgroups").found;
        assert!(found.starts_with(expected), "{found}");
    }
    let check = cgroup_check(V1, "cgroups");
    assert_eq!(check.found, "v1 with blkio rdma; read-only: /cg/rdma");
    assert_eq!(check.status, Status::Warn);
}

#[test]
fn the_group_of_this_process() {
    let found = |mounts| cgroup_check(mounts, "own group").found;
    assert_eq!(found(""), "none");
    assert_eq!(found(V1), "/x, /y; not delegated to joe");
    let root = tempfile::tempdir().expect("a folder");
    let own = root.path().join("x");
    std::fs::create_dir(&own).expect("directory");
    std::fs::write(own.join("cgroup.procs"), "").expect("file");
    let mounts = format!("1 0 0:26 / {} rw - cgroup2 c rw\n", root.path().display());
    assert_eq!(found(&mounts), "/x; joe may write to /x and below");
}

#[test]
fn killing() {
    let plan = |mounts: &str, own: &str, controllers: &[&str]| {
        let request = Request {
            group: "b/x".into(),
            controllers: controllers.iter().map(ToString::to_string).collect(),
            ..Request::default()
        };
        Plan::new(&host(mounts, own), &request).expect("a plan")
    };
    let old = Facts {
        release: "5.10.0".into(),
        ..good()
    };
    let v2 = plan(V2, "0::/\n", &[]);
    assert_eq!(kill_method(&good(), Some(&v2)), "cgroup.kill");
    assert!(kill_method(&old, Some(&v2)).starts_with("cgroup.freeze"));
    let freezer = "1 0 0:1 / /f rw - cgroup c rw,freezer\n";
    let v1 = plan(freezer, "1:freezer:/\n", &["freezer"]);
    assert!(kill_method(&good(), Some(&v1)).contains("v1 freezer"));
    let memory = "1 0 0:1 / /m rw - cgroup c rw,memory\n";
    let alone = plan(memory, "1:memory:/\n", &["memory"]);
    assert_eq!(kill_method(&good(), Some(&alone)), "SIGKILL until empty");
    assert!(kill_method(&good(), None).contains("/proc"));
}
