// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The parsers of `/proc`, and the kinds of hosts.

use super::*;

fn with_status(status: &str) -> Facts {
    Facts {
        status: status.to_owned(),
        ..Facts::default()
    }
}

#[test]
fn kernels() {
    let release = |text: &str| Facts {
        release: text.to_owned(),
        ..Facts::default()
    };
    assert_eq!(release("6.18.44-fc").kernel(), Some((6, 18)));
    assert_eq!(release("5.10-rc1").kernel(), Some((5, 10)));
    assert_eq!(release("").kernel(), None);
    assert!(release("5.4.0").older_than((5, 14)));
    assert!(!release("5.14.0").older_than((5, 14)));
    assert!(!release("?").older_than((5, 14)));
}

#[test]
fn capabilities() {
    let root = with_status("Name:\tx\nCapEff:\t00000000000000c0\nCapAmb:\t0000000000000000\n");
    assert!(root.has_capability(6) && root.has_capability(7));
    assert!(!root.has_capability(5) && !root.has_ambient_capabilities());
    assert!(with_status("CapAmb:\t0000000000000080\n").has_ambient_capabilities());
    assert!(with_status("NoNewPrivs:\t1\n").no_new_privileges());
    assert!(
        with_status("").has_capability(7),
        "root, and no word of less"
    );
}

#[test]
fn user_namespaces() {
    let map = |text: &str| {
        Facts {
            uid_map: text.to_owned(),
            ..Facts::default()
        }
        .mapped_users()
    };
    assert_eq!(map("         0          0 4294967295\n"), None);
    assert_eq!(map(""), None);
    assert_eq!(map("0 1000 1\n"), Some(1));
    assert_eq!(map("0 1000 1\n1 100000 65536\n"), Some(65537));
}

#[test]
fn hidden_processes() {
    let mounts = |options: &str| Facts {
        mountinfo: format!(
            "1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /proc rw,nosuid - proc proc {options}\n"
        ),
        ..Facts::default()
    };
    assert_eq!(mounts("rw").hidepid(), None);
    assert_eq!(mounts("rw,hidepid=off").hidepid(), None);
    assert_eq!(
        mounts("rw,gid=4,hidepid=invisible").hidepid(),
        Some("invisible")
    );
    assert_eq!(Facts::default().hidepid(), None);
}

#[test]
fn the_kernels_list_of_controllers() {
    let facts = Facts {
        proc_cgroups: "#subsys_name\thierarchy\tnum_cgroups\tenabled\n\
                       cpu\t3\t1\t1\nmemory\t0\t1\t0\n"
            .to_owned(),
        filesystems: "nodev\tcgroup2\n\text4\n".to_owned(),
        ..Facts::default()
    };
    let listed = |on_v1, enabled| Some(Listed { on_v1, enabled });
    assert_eq!(facts.controller("cpu"), listed(true, true));
    assert_eq!(facts.controller("memory"), listed(false, false));
    assert_eq!(facts.controller("io"), None);
    assert!(facts.has_filesystem("cgroup2") && facts.has_filesystem("ext4"));
    assert!(!facts.has_filesystem("cgroup"));
}

#[test]
fn kinds_of_hosts() {
    let root = tempfile::tempdir().expect("a folder");
    let file = |path: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        fs::write(path, "").expect("file");
    };
    let detect = |variable, namespace: Option<&str>| {
        HostKind::detect(root.path(), variable, namespace.map(Path::new))
    };
    let (initial, other) = (Some(INITIAL_PID_NAMESPACE), Some("pid:[4026532001]"));
    assert_eq!(detect(false, initial), HostKind::Plain);
    assert_eq!(detect(false, other), HostKind::Container);
    assert_eq!(detect(true, initial), HostKind::Container);
    assert_eq!(detect(false, None), HostKind::Plain);
    file(".dockerenv");
    assert_eq!(detect(false, None), HostKind::Container);
    assert_eq!(detect(false, initial), HostKind::Plain);
    file("run/systemd/system/x");
    assert_eq!(detect(false, other), HostKind::Systemd);
    file("etc/erlinit.config");
    assert_eq!(detect(false, initial), HostKind::Nerves);
}
