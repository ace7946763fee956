// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Whole reports of hosts that are made up.

use super::*;

fn wish(words: &[&str]) -> Wish {
    let matches = command().try_get_matches_from(words).expect("good flags");
    Wish::new(&matches).expect("good values")
}

fn facts() -> Facts {
    Facts {
        linux: true,
        release: "6.1.0".into(),
        user: "joe".into(),
        uid: 1000,
        filesystems: "nodev\tcgroup2\n".into(),
        proc_is_ours: true,
        ..Facts::default()
    }
}

fn report(words: &[&str], facts: Facts, host: Host) -> (Report, u8) {
    let wish = wish(words);
    let nowhere = || Ok(PathBuf::from("/no/such/helper"));
    let report = Report::new(&wish, facts, host, None, &nowhere);
    let status = report.exit_status(&wish);
    (report, status)
}

/// A v2 mount whose top is ours.
fn open_host() -> (tempfile::TempDir, Host) {
    let root = tempfile::tempdir().expect("a folder");
    for (file, text) in [
        ("cgroup.controllers", "memory"),
        ("cgroup.subtree_control", "memory"),
        ("cgroup.procs", ""),
    ] {
        std::fs::write(root.path().join(file), text).expect("file");
    }
    let mounts = format!("1 0 0:26 / {} rw - cgroup2 c rw\n", root.path().display());
    let mut host = Host::from_parts(&mounts, "0::/\n");
    host.read_available();
    (root, host)
}

#[test]
fn the_flags() {
    command().debug_assert();
    assert_eq!(wish(&[]), Wish::default());
    let all = wish(&["--need", "memory,cpu", "--base=b", "--probe", "--json"]);
    let expected = Wish {
        need: vec!["memory".into(), "cpu".into()],
        base: Some("b".into()),
        probe: true,
        json: true,
    };
    assert_eq!(all, expected);
    for bad in ["", "a,,b", ",a", "a,"] {
        let matches = command()
            .try_get_matches_from(["--need", bad])
            .expect("flags");
        assert!(Wish::new(&matches).is_err(), "{bad:?}");
    }
    assert!(command().try_get_matches_from(["--what"]).is_err());
    assert!(command().try_get_matches_from(["program"]).is_err());
}

#[test]
fn without_cgroups_programs_run_and_requests_fail() {
    let (report, status) = report(&[], facts(), Host::default());
    assert_eq!(status, EXIT_WORKS);
    let text = report.to_string();
    assert!(
        text.contains("warn  cgroups       none is mounted"),
        "{text}"
    );
    assert!(
        text.contains("mount -t cgroup2 cgroup2 /sys/fs/cgroup"),
        "{text}"
    );
    for words in [&["--need", "memory"][..], &["--base", "b"], &["--probe"]] {
        let (report, status) = super::tests::report(words, facts(), Host::default());
        assert_eq!(status, EXIT_DOES_NOT, "{words:?}");
        let text = report.to_string();
        assert!(text.contains("fail  request"), "{text}");
    }
}

#[test]
fn a_request_that_would_work() {
    let (_root, host) = open_host();
    let (report, status) = report(&["--need", "memory", "--base", "b"], facts(), host);
    assert_eq!(status, EXIT_WORKS);
    let text = report.to_string();
    assert!(
        text.contains("cgroup_base \"b\" with memory would work"),
        "{text}"
    );
    assert!(text.contains("kill method   cgroup.kill"), "{text}");
}

#[test]
fn what_every_run_needs_decides_too() {
    let (_root, host) = open_host();
    let blind = Facts {
        proc_is_ours: false,
        ..facts()
    };
    let (_, status) = report(&["--base", "b"], blind, host);
    assert_eq!(status, EXIT_DOES_NOT);
}

#[test]
fn a_probe_that_fails() {
    let (root, host) = open_host();
    let (report, status) = report(&["--probe", "--base", "b"], facts(), host);
    assert_eq!(status, EXIT_DOES_NOT);
    let text = report.to_string();
    assert!(
        text.contains("does not work: cannot run /no/such/helper"),
        "{text}"
    );
    assert!(!root.path().join("b").exists());
}

#[test]
fn what_mends_several_things_is_said_once() {
    let (report, _) = report(&[], facts(), Host::default());
    let text = report.to_string();
    assert_eq!(text.matches("mount -t cgroup2").count(), 1, "{text}");
    assert!(text.matches("[2]").count() > 2, "{text}");
}

#[test]
fn one_line_of_json() {
    let (_root, host) = open_host();
    let (report, status) = report(&["--need=memory", "--base=b"], facts(), host);
    let json = document::of(&report, status == EXIT_WORKS).to_string();
    assert!(!json.contains('\n'));
    for part in [
        "{\"version\":\"1.0.0\",\"works\":true,\"host\":\"plain\",\"kernel\":\"6.1.0\",\"user\":\"joe\"",
        "{\"name\":\"subreaper\",\"status\":\"ok\",",
        "\"cgroups\":\"v2\",\"hierarchies\":[{\"version\":2,\"controllers\":[\"memory\"]",
        "{\"name\":\"memory\",\"version\":2,\"mounted\":\"/",
        "\"request\":{\"base\":\"b\",\"base_given\":true,\"controllers\":[\"memory\"],\"probed\":false,\
         \"works\":true,\"why_not\":null,",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
}
