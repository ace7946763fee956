// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Whole reports about invented hosts.

use super::*;
use crate::cgroup::Host;

fn args(words: &[&str]) -> Result<Args, clap::Error> {
    Args::parse(words.iter().map(Into::into))
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

fn report(words: &[&str], facts: Facts, host: Host) -> Report {
    let facts = Facts {
        cgroups: host,
        ..facts
    };
    examine(args(words).expect("good flags"), facts)
}

/// A v2 hierarchy that this user may write to.
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
    args::command().debug_assert();
    assert_eq!(args(&[]).expect("good"), Args::default());
    let all = args(&["--need", "memory,cpu", "--base=b", "--probe", "--json"]);
    let expected = Args {
        need: vec!["memory".into(), "cpu".into()],
        base: Some("b".into()),
        probe: true,
        json: true,
    };
    assert_eq!(all.expect("good"), expected);
    for bad in ["", "a,,b", ",a", "a,"] {
        assert!(args(&["--need", bad]).is_err(), "{bad:?}");
    }
    assert!(args(&["--what"]).is_err());
    assert!(args(&["program"]).is_err());
}

#[test]
fn without_cgroups_programs_run_and_requests_fail() {
    let plain = report(&[], facts(), Host::default());
    assert!(plain.works);
    let text = plain.text();
    for part in [
        "warn  cgroups       none is mounted",
        "warn  request ",
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
    ] {
        assert!(text.contains(part), "{text}");
    }
    for words in [&["--need", "memory"][..], &["--base", "b"], &["--probe"]] {
        let asked = report(words, facts(), Host::default());
        assert!(!asked.works, "{words:?}");
        let text = asked.text();
        assert!(text.contains("fail  request"), "{text}");
    }
}

#[test]
fn a_request_that_would_work() {
    let (_root, host) = open_host();
    let report = report(&["--need", "memory", "--base", "b"], facts(), host);
    assert!(report.works);
    let text = report.text();
    for part in [
        "cgroup_base \"b\" with memory would work",
        "kill method   cgroup.kill",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_every_run_needs_decides_too() {
    let (_root, host) = open_host();
    let blind = Facts {
        proc_is_ours: false,
        ..facts()
    };
    assert!(!report(&["--base", "b"], blind, host).works);
}

#[test]
fn a_probe_that_fails() {
    let (root, host) = open_host();
    // New directories have no cgroup.procs here.
    let report = report(&["--probe", "--base", "b"], facts(), host);
    assert!(!report.works);
    let text = report.text();
    assert!(text.contains("fail  request"), "{text}");
    assert!(text.contains("would not work: "), "{text}");
    assert!(!root.path().join("b").exists());
}

#[test]
fn a_fix_of_several_things_is_written_once() {
    let report = report(&[], facts(), Host::default());
    let text = report.text();
    assert_eq!(text.matches("mount -t cgroup2").count(), 1, "{text}");
    assert!(text.matches("[2]").count() > 2, "{text}");
}

#[test]
fn one_line_of_json() {
    let (_root, host) = open_host();
    let facts = Facts {
        user: "a\"b\\c\n\u{e9}".into(),
        ..facts()
    };
    let json = report(&["--need=memory", "--base=b"], facts, host).json();
    assert_eq!(json.find('\n'), Some(json.len() - 1));
    let user = "\"user\":\"a\\\"b\\\\c\\u000a\u{e9}\"";
    for part in [
        &format!(
            "{{\"version\":\"{}\",\"works\":true,",
            env!("CARGO_PKG_VERSION")
        ),
        &format!("\"host\":\"plain\",\"kernel\":\"6.1.0\",{user},\"uid\":1000,"),
        "{\"name\":\"subreaper\",\"status\":\"ok\",",
        "\"cgroups\":\"v2\",\"hierarchies\":[{\"version\":2,\"controllers\":[\"memory\"]",
        "{\"name\":\"memory\",\"version\":2,\"mounted\":\"/",
        "\"writable\":true,\"usable\":true,\"why_not\":null,\"fix\":[]}",
        "{\"place\":\"run the BEAM as root, if programs have to run as other users\",\"do\":\"sudo -E COMMAND\"}",
        "\"request\":{\"base\":\"b\",\"base_given\":true,\"controllers\":[\"memory\"],\"probed\":false,\
         \"works\":true,\"why_not\":null,",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
}
