// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The user and the groups of the program.
//!
//! Tests of a switch need root. Tests of its refusal run as any user.

use crate::executable;
use crate::harness::{Outcome, Setup, captured, helper_path, plain};
use crate::processes::{eventually, field};
use nix::unistd::{Gid, Uid};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const EPERM: i32 = 1;
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The ids of the program.
#[derive(Debug, PartialEq, Eq)]
struct Ids {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

#[track_caller]
fn ids(outcome: &Outcome) -> Ids {
    assert_eq!(outcome.code(), 0);
    let status = outcome.text();
    let numbers = |name: &str| -> Vec<u32> {
        field(&status, name)
            .split_ascii_whitespace()
            .map(|id| id.parse().unwrap())
            .collect()
    };
    let one = |name: &str| {
        let all = numbers(name);
        // Real, effective, saved and file system's.
        assert_eq!(all, [all[0]; 4], "{name}");
        all[0]
    };
    Ids {
        uid: one("Uid"),
        gid: one("Gid"),
        groups: numbers("Groups"),
    }
}

fn status(flags: &[&str]) -> Setup {
    captured(flags).program(&["cat", "/proc/self/status"])
}

/// Switches as root, and checks the ids of the program.
#[track_caller]
fn switched(flags: &[&str], uid: u32, gid: u32, groups: &[u32]) {
    let outcome = status(flags).run();
    let groups = groups.to_vec();
    assert_eq!(ids(&outcome), Ids { uid, gid, groups }, "{flags:?}");
    // The capabilities are gone, too.
    assert_eq!(field(&outcome.text(), "CapEff"), "0000000000000000");
    assert_eq!(field(&outcome.text(), "CapPrm"), "0000000000000000");
}

#[test]
#[ignore = "needs root"]
fn a_user_by_name_and_by_number() {
    let id = |which: &str| -> u32 {
        let output = Command::new("id").args([which, "nobody"]).output();
        let number = String::from_utf8(output.unwrap().stdout).unwrap();
        number.trim().parse().unwrap()
    };
    let (uid, gid) = (id("-u"), id("-g"));
    switched(&["--uid", "nobody"], uid, gid, &[gid]);
    switched(&["-u", &uid.to_string()], uid, gid, &[gid]);
}

#[test]
#[ignore = "needs root"]
fn a_number_that_is_nobodys() {
    switched(&["--uid", "12345"], 12_345, NOBODY, &[]);
    switched(&["--uid", "4294967294"], 4_294_967_294, NOBODY, &[]);
}

// getent is asked where nsswitch.conf names other sources than files.
#[test]
#[ignore = "needs root and /proc/thread-self/children"]
fn whoever_was_asked_about_it_is_gone() {
    let children = "echo $$; cat /proc/$PPID/task/$PPID/children";
    for user in ["12345", "nobody"] {
        let setup = captured(&["--uid", user]).program(&["sh", "-c", children]);
        let outcome = setup.run();
        let text = outcome.text();
        let (own, all) = text.split_once('\n').unwrap();
        assert_eq!((outcome.code(), all.trim()), (0, own), "{user}");
        assert_eq!(outcome.report().swept, 0);
    }
}

#[test]
#[ignore = "needs root"]
fn groups_can_be_chosen() {
    switched(&["-u", "12345", "-a", "77"], 12_345, 77, &[]);
    switched(
        &["-u", "12345", "--gid", "77", "--groups", "88,99"],
        12_345,
        77,
        &[88, 99],
    );
    switched(
        &["-u", "nobody", "-a", "77", "--groups", ""],
        NOBODY,
        77,
        &[],
    );
}

#[test]
#[ignore = "needs root"]
fn id_shows_no_group_of_root() {
    for user in ["nobody", "65534", "12345"] {
        let outcome = captured(&["--uid", user]).program(&["id"]).run();
        let text = outcome.text();
        assert!(!text.contains("root") && !text.contains("=0"), "{text}");
    }
}

#[test]
fn nothing_asked_nothing_switched() {
    let mut own = nix::unistd::getgroups()
        .unwrap()
        .into_iter()
        .map(Gid::as_raw)
        .collect::<Vec<_>>();
    let mut ids = ids(&status(&[]).run());
    own.sort_unstable();
    ids.groups.sort_unstable();
    assert_eq!(ids.uid, Uid::effective().as_raw());
    assert_eq!(ids.gid, Gid::effective().as_raw());
    assert_eq!(ids.groups, own);
}

#[test]
fn refusals() {
    for (flag, step) in [("--uid", "uid"), ("--gid", "gid"), ("--groups", "groups")] {
        let bad = [
            "0",
            "root",
            "12x",
            "-1",
            "+1",
            " 1",
            "01",
            "0x1",
            "4294967295",
            "4294967296",
            "99999999999999999999",
            "no-such-name",
            "1 ",
        ];
        for value in bad {
            let outcome = status(&[&format!("{flag}={value}")]).run();
            let failed = outcome.failure();
            assert_eq!(failed.status, 125, "{flag} {value:?}");
            assert_eq!(failed.step, step, "{flag} {value:?}");
            assert!(failed.message.contains(value), "{failed:?}");
            assert!(!failed.message.contains("--"), "{failed:?}");
        }
    }
    for flag in [
        "--uid=",
        "--gid=",
        "--groups=1,",
        "--groups=,",
        "--groups=1,,2",
    ] {
        assert_eq!(status(&[flag]).run().failure().status, 125, "{flag}");
    }
}

#[test]
fn refusals_on_the_command_line_name_the_flag() {
    for flag in ["--uid", "--gid", "--groups"] {
        let mut owner = plain(&[flag, "0"]).program(&["true"]).start();
        eventually("the helper exits", || owner.has_exited());
        let outcome = owner.end();
        assert_eq!(outcome.status.code(), Some(125));
        assert!(outcome.errors.contains(flag), "{}", outcome.errors);
    }
}

#[test]
#[ignore = "needs root"]
fn the_program_has_to_be_allowed_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let script = directory.path().join("script");
    executable::write(&script, "#!/bin/sh\n", 0o755);
    let cd = directory.path().to_str().unwrap();
    let outcome = status(&["--uid", "12345", "--cd", cd]).run();
    assert_eq!(outcome.failure().step, "cd");
    assert_eq!(outcome.failure().errno, 13);
    let outcome = captured(&["--uid", "12345"]).program(&[&script]).run();
    assert_eq!(outcome.failure().step, "exec");
    assert_eq!(
        (outcome.failure().status, outcome.failure().errno),
        (126, 13)
    );
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_program_that_could_not_be_stopped_is_not_started() {
    let without_kill = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"];
    let outcome = status(&["--uid", "12345"]).via(&without_kill).run();
    let failed = outcome.failure();
    assert_eq!((failed.step.as_str(), failed.errno), ("uid", EPERM));
    assert!(failed.message.contains("CAP_KILL"), "{failed:?}");
    // Signals to processes of its own user need no capability.
    assert_eq!(status(&[]).via(&without_kill).run().code(), 0);
}

// As a user without privileges

/// A helper that any user may execute.
pub struct Unprivileged {
    _directory: TempDir,
    helper: PathBuf,
    pub user: u32,
}

impl Unprivileged {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let helper = directory.path().join("muontrap");
        executable::copy(helper_path(), &helper, 0o755);
        let user = if is_root() {
            NOBODY
        } else {
            Uid::effective().as_raw()
        };
        Self {
            _directory: directory,
            helper,
            user,
        }
    }

    fn status(&self, flags: &[&str]) -> Setup {
        self.captured(flags).program(&["cat", "/proc/self/status"])
    }

    /// A helper of this user.
    pub fn captured(&self, flags: &[&str]) -> Setup {
        let user = is_root().then_some(self.user);
        captured(flags).helper(&self.helper, user)
    }
}

#[test]
fn an_unprivileged_user_cannot_switch() {
    let unprivileged = Unprivileged::new();
    for (flags, step) in [
        (&["--uid", "12345"][..], "groups"),
        (&["--uid", "12345", "--groups", ""], "groups"),
        (&["--gid", "12345"], "gid"),
        (&["--groups", "12345"], "groups"),
        (&["--groups", ""], "groups"),
    ] {
        let outcome = unprivileged.status(flags).run();
        let failed = outcome.failure();
        assert_eq!((failed.status, failed.errno), (125, EPERM), "{flags:?}");
        assert!(
            [step, "uid", "gid"].contains(&failed.step.as_str()),
            "{failed:?}"
        );
        assert!(failed.advice.contains("root"), "{failed:?}");
    }
}

#[test]
fn an_unprivileged_user_may_stay_himself() {
    let unprivileged = Unprivileged::new();
    let user = unprivileged.user.to_string();
    let outcome = unprivileged.status(&["--uid", &user]).run();
    assert_eq!(ids(&outcome).uid, unprivileged.user);
}

#[test]
fn other_groups_for_himself_are_not_forgotten() {
    let unprivileged = Unprivileged::new();
    let user = unprivileged.user.to_string();
    // Groups that cannot be set are an error, and not left out.
    let flags = ["--uid", &user, "--groups", "12345"];
    let outcome = unprivileged.status(&flags).run();
    assert_eq!(outcome.failure().errno, EPERM);
    assert_eq!(outcome.failure().step, "groups");
}

#[test]
#[ignore = "needs root"]
fn groups_that_he_has_already_do_not_survive_a_request_for_none() {
    let unprivileged = Unprivileged::new();
    let start = |flags: &[&str]| {
        let setup = status(flags).helper(&unprivileged.helper, None);
        setup.via_odd("with-groups 65534:65534:1,2").run()
    };
    let outcome = start(&["--uid", "65534", "--groups", ""]);
    assert_eq!(outcome.failure().errno, EPERM);
    // Groups that are set already need no privilege.
    for flags in [
        &["--uid", "65534"][..],
        &["--uid", "65534", "--groups", "2,1"],
    ] {
        assert_eq!(ids(&start(flags)).groups, [1, 2], "{flags:?}");
    }
}

/// A script as another user.
#[track_caller]
fn as_other(flags: &[&str], script: &str) -> Outcome {
    let other = captured(&["--uid", "12345"]);
    other.flags(flags).sh(script).run()
}

#[test]
#[ignore = "needs root"]
fn the_program_may_open_its_pipes_by_name() {
    let write = "echo out > /dev/stdout && echo err | tee /dev/stderr";
    let outcome = as_other(&["--capture-stderr"], write);
    assert_eq!(outcome.text(), "out\nerr\nerr\n");
    let outcome = as_other(&["--capture-stderr-only"], "echo err > /dev/stderr");
    assert_eq!(outcome.stderr, b"err\n");
    let read = "exec 3< /dev/stdin && stat -Lc %u /dev/stdin";
    assert_eq!(as_other(&[], read).text(), "12345\n");
}

#[test]
#[ignore = "needs root"]
fn what_the_program_inherits_stays_its_owners() {
    let script = "stat -Lc %u /dev/stderr; ! (echo no > /dev/fd/3) 3>&2 2> /dev/null";
    let outcome = as_other(&[], script);
    assert_eq!(outcome.text(), "0\n");
    assert_eq!((outcome.code(), outcome.errors.as_str()), (0, ""));
}
