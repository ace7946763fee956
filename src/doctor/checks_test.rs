// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Every judgement about processes and users.

use super::*;

/// Root on a good kernel.
fn good() -> Facts {
    Facts {
        linux: true,
        release: "6.1.0".into(),
        user: "root".into(),
        status: "CapEff:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n".into(),
        proc_is_ours: true,
        close_range: true,
        pidfd: true,
        ..Facts::default()
    }
}

fn check(facts: &Facts, name: &str) -> Check {
    let mut all = processes(facts).into_iter();
    all.find(|check| check.name == name).expect("a check")
}

#[track_caller]
fn expect(facts: &Facts, name: &str, status: Status, part: &str) -> Vec<Mend> {
    let check = check(facts, name);
    assert_eq!(check.status, status, "{check:?}");
    assert!(check.found.contains(part), "{check:?}");
    check.mends
}

#[test]
fn nothing_is_wrong_with_root() {
    for check in processes(&good()) {
        assert!(
            matches!(check.status, Status::Ok | Status::Info),
            "{check:?}"
        );
        assert_eq!(check.mends, [], "{check:?}");
    }
}

#[test]
fn an_old_kernel_says_what_it_lacks() {
    let old = Facts {
        release: "5.4.0-1".into(),
        close_range: false,
        pidfd: false,
        ..good()
    };
    expect(
        &old,
        "kernel",
        Status::Ok,
        "without cgroup.kill (5.14), memory.peak",
    );
    expect(&old, "close_range", Status::Info, "Linux 5.11");
    expect(&old, "pidfd", Status::Info, "does not work");
}

#[test]
fn another_system() {
    let other = Facts {
        linux: false,
        death_signal: Some("none".into()),
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
        (Setting::Container, "docker run --user 0"),
        (Setting::Systemd, "User=root"),
        (Setting::Nerves, "erlinit.config"),
        (Setting::Plain, "sudo"),
    ];
    for (setting, command) in commands {
        let user = Facts {
            setting,
            ..user.clone()
        };
        let mends = expect(&user, "user switch", Status::Warn, "only root");
        assert!(mends[0].text.contains(command), "{mends:?}");
    }
    // KILL and SETGID are missing.
    let root = Facts {
        status: "CapEff:\t0000000000000080\n".into(),
        ..good()
    };
    let mends = expect(
        &root,
        "user switch",
        Status::Warn,
        "without CAP_SETGID, CAP_KILL",
    );
    assert_eq!(
        mends[0].text,
        "docker run --cap-add=SETGID --cap-add=KILL IMAGE"
    );
    let unit = Facts {
        setting: Setting::Systemd,
        ..root
    };
    let mends = expect(&unit, "user switch", Status::Warn, "without");
    assert!(
        mends[0]
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
    let mends = expect(&ambient, "user", Status::Warn, "every program inherits");
    assert_eq!(mends[0].text, "AmbientCapabilities=");
    let strict = Facts {
        status: "NoNewPrivs:\t1\n".into(),
        ..good()
    };
    expect(&strict, "user", Status::Info, "no_new_privs");
}

#[test]
fn what_every_run_needs() {
    let bare = Facts {
        subreaper: Some("EPERM".into()),
        death_signal: Some("EPERM".into()),
        proc_is_ours: false,
        ..good()
    };
    for name in ["subreaper", "death signal", "/proc"] {
        expect(&bare, name, Status::Fail, "");
    }
    assert_eq!(
        check(&bare, "/proc").mends[0].text,
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
    let mends = expect(&user, "/proc", Status::Warn, "hidepid=invisible");
    assert_eq!(mends[0].text, "mount -o remount,hidepid=0 /proc");
}
