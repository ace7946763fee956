// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! `muontrap doctor` as a command, on the host that the tests run on. Its fixes are carried out, and have to
//! work.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "port/executable.rs"]
mod executable;

const HELPER: &str = env!("CARGO_BIN_EXE_muontrap");
const AS_NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";

struct Outcome {
    status: i32,
    out: String,
    errors: String,
}

#[track_caller]
fn run(command: &mut Command) -> Outcome {
    let output = command.output().expect("run");
    Outcome {
        status: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        errors: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn doctor(words: &[&str]) -> Outcome {
    let mut command = Command::new(HELPER);
    run(command.arg("doctor").args(words).stdin(Stdio::null()))
}

/// Runs a script in which `$DOCTOR` is the doctor, executable by everybody. stderr joins stdout.
#[track_caller]
fn script(text: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), everybody).expect("permissions");
    let copy = folder.path().join("muontrap");
    executable::copy(HELPER, &copy, 0o755);
    let doctor = format!("{} doctor", copy.display());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec 2>&1\n{text}")]);
    run(command.env("DOCTOR", doctor).stdin(Stdio::null()))
}

/// The same in a mount namespace of its own.
#[track_caller]
fn script_with_own_mounts(text: &str) -> Outcome {
    script(&format!(
        "exec unshare -m sh -ec 'mount --make-rprivate /\n{text}'"
    ))
}

fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("muontrap-doctor-test-{}-{count}", std::process::id())
}

/// The directories of groups of this name, in all hierarchies.
fn groups(name: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let cgroups = mounts.lines().filter(|line| line.contains(" - cgroup"));
    let points = cgroups.filter_map(|line| line.split(' ').nth(4));
    let groups = points.map(|point| Path::new(point).join(name));
    groups.filter(|group| group.exists()).collect()
}

fn remove(name: &str) {
    for group in groups(name) {
        let _ = fs::remove_dir(group.join("main"));
        fs::remove_dir(&group).expect("an empty group");
    }
}

/// The commands of each fix whose place begins like this.
fn fixes(report: &str, place: &str) -> Vec<String> {
    let lines: Vec<&str> = report.lines().collect();
    let is_heading = |line: &str| {
        let heading = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("] "));
        heading.is_some_and(|(_, heading)| heading.starts_with(place))
    };
    let headings = (0..lines.len()).filter(|&index| is_heading(lines[index]));
    let commands = headings.map(|heading| {
        let lines = lines.iter().skip(heading + 2);
        let lines = lines.take_while(|line| line.starts_with("    "));
        let lines: Vec<&str> = lines.map(|line| line.trim()).collect();
        lines.join("\n")
    });
    commands.collect()
}

/// The commands of the first of these.
#[track_caller]
fn fix(report: &str, place: &str) -> String {
    let first = fixes(report, place).into_iter().next();
    first.unwrap_or_else(|| panic!("no {place:?} in {report}"))
}

#[test]
fn a_report_for_people_and_one_for_programs() {
    let outcome = doctor(&[]);
    assert_eq!(outcome.status, 0, "{}", outcome.out);
    assert_eq!(outcome.errors, "");
    for line in [
        "MuonTrap ",
        "ok    subreaper",
        "ok    /proc",
        "info  kill method",
    ] {
        assert!(outcome.out.contains(line), "{}", outcome.out);
    }
    let json = doctor(&["--json"]);
    assert_eq!((json.status, json.out.lines().count()), (0, 1));
    assert!(json.out.starts_with("{\"version\":\""), "{}", json.out);
    assert!(json.out.ends_with("}\n"), "{}", json.out);
}

#[test]
fn the_command_line() {
    for words in [
        &["--bogus"][..],
        &["word"],
        &["--need", ""],
        &["--need"],
        &["--base"],
    ] {
        let outcome = doctor(words);
        assert_eq!(outcome.status, 125, "{words:?}");
        assert_eq!(outcome.out, "");
        assert_ne!(outcome.errors, "");
    }
    let help = doctor(&["--help"]);
    assert_eq!(help.status, 0);
    assert!(help.out.contains("--need <list>"), "{}", help.out);
}

#[test]
fn a_program_of_this_name_can_still_be_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("doctor");
    executable::write(&program, "#!/bin/sh\nexit 7\n", 0o755);
    let mut command = Command::new(HELPER);
    command.args(["--", "doctor"]).env("PATH", folder.path());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("spawn");
    let stdin = child.stdin.take();
    assert_eq!(child.wait().expect("wait").code(), Some(7));
    drop(stdin);
}

#[test]
fn requests_that_can_never_work() {
    for (words, reason) in [
        (&["--base", "../x"][..], "\"../x\""),
        (&["--base", "/sys/fs/cgroup/x"], "mount point"),
        (&["--base", ""], "empty"),
        (&["--base", "x", "--need", "nonsense"], "nonsense"),
        (&["--need", "memroy"], "(did you mean \"memory\"?)"),
    ] {
        let outcome = doctor(words);
        assert_eq!(outcome.status, 1, "{words:?}: {}", outcome.out);
        let request = outcome
            .out
            .lines()
            .find(|line| line.starts_with("fail  request"));
        let request = request.unwrap_or_else(|| panic!("{}", outcome.out));
        assert!(request.contains(reason), "{request}");
    }
}

#[test]
#[ignore = "needs cgroups"]
fn looking_and_probing_leave_nothing() {
    let base = unique();
    let nested = format!("{base}/a/b");
    for words in [
        &["--need", "memory,pids", "--base", &nested][..],
        &["--need", "memory,pids", "--base", &nested, "--probe"],
        &["--base", &nested, "--probe"],
    ] {
        let outcome = doctor(words);
        assert_eq!(outcome.status, 0, "{words:?}: {}", outcome.out);
        let works = if words.contains(&"--probe") {
            "works"
        } else {
            "would work"
        };
        assert!(outcome.out.contains(works), "{}", outcome.out);
        assert_eq!(groups(&base), Vec::<PathBuf>::new());
    }
}

#[test]
#[ignore = "needs cgroups"]
fn the_fix_for_a_user_works() {
    let base = unique();
    let ask = format!("{AS_NOBODY} $DOCTOR --need memory,pids --base {base}");
    let before = script(&ask);
    assert_eq!(before.status, 1, "{}", before.out);
    assert!(before.out.contains("Permission denied"), "{}", before.out);
    let not_here = ["Delegate=yes", "container's entry point"];
    if not_here.iter().any(|fix| before.out.contains(fix)) {
        // These change a unit or an image, which a test must not do.
        return;
    }
    let fix = fix(&before.out, "as root");
    // Without controllers, any of these hierarchies will do.
    let ask_none = format!("{AS_NOBODY} $DOCTOR --base {base} --probe");
    let after = script(&format!("set -e\n{fix}\n{ask} --probe\n{ask_none}"));
    remove(&base);
    assert_eq!(after.status, 0, "{fix}\n{}", after.out);
    assert_eq!(
        after.out.matches("ok    request").count(),
        2,
        "{}",
        after.out
    );
}

/// The lines about a controller that does not work: its mount, and why.
fn refused(report: &str) -> Vec<(&str, &str)> {
    let table = report.lines().skip_while(|line| !line.contains(" name "));
    let lines: Vec<&str> = table.collect();
    let pairs = lines.windows(2).filter(|pair| pair[0].starts_with("warn "));
    let mounted = pairs.filter_map(|pair| Some((pair[0].split_whitespace().nth(2)?, pair[1])));
    mounted
        .filter(|(mount, _)| mount.starts_with('/'))
        .collect()
}

#[test]
#[ignore = "needs cgroups"]
fn a_warning_goes_away_when_all_its_fixes_are_applied() {
    let base = unique();
    let ask = format!("{AS_NOBODY} $DOCTOR --base {base}");
    let before = script(&ask).out;
    let refusals = refused(&before);
    assert!(!refusals.is_empty(), "{before}");
    for (mount, reason) in refusals {
        assert!(reason.contains(mount), "{reason} is not about {mount}");
    }
    let not_here = ["Delegate=yes", "container's entry point"];
    if not_here.iter().any(|fix| before.contains(fix)) {
        return;
    }
    let fixes = fixes(&before, "as root").join("\n");
    let after = script(&format!("set -e\n{fixes}\n{ask}"));
    remove(&base);
    let report = after.out;
    assert_eq!(after.status, 0, "{fixes}\n{report}");
    for part in ["Permission denied", "not delegated", "] as root"] {
        assert!(!report.contains(part), "{part}: {fixes}\n{report}");
    }
    assert!(report.contains("ok    request"), "{report}");
}

#[test]
#[ignore = "needs cgroups and cgroup v2 alone"]
fn processes_in_the_way_are_moved() {
    let base = unique();
    let enter = format!(
        "set -e; g=/sys/fs/cgroup/{base}; mkdir $g; chown 65534 $g $g/cgroup.*; echo $$ > $g/cgroup.procs"
    );
    let ask = format!("{AS_NOBODY} $DOCTOR --need memory --base {base}");
    let before = script(&format!("{enter}\n{ask}"));
    assert_eq!(before.status, 1, "{}", before.out);
    assert!(before.out.contains("busy"), "{}", before.out);
    let fix = fix(&before.out, "a group that enables controllers");
    remove(&base);
    let after = script(&format!("{enter}\n{fix}\n{ask} --probe"));
    remove(&base);
    assert_eq!(after.status, 0, "{fix}\n{}", after.out);
    // Without --base, it finds that base by itself.
    let chosen = script(&format!(
        "{enter}\n{fix}\n{AS_NOBODY} $DOCTOR --need memory"
    ));
    remove(&base);
    assert_eq!(chosen.status, 0, "{}", chosen.out);
    let expected = format!("cgroup_base \"{base}/muontrap\" with memory would work");
    assert!(chosen.out.contains(&expected), "{}", chosen.out);
}

#[test]
#[ignore = "needs cgroups and a mount namespace"]
fn no_cgroups_at_all() {
    let hide = "umount -a -t cgroup,cgroup2; umount /sys/fs/cgroup 2>/dev/null || true";
    let plain = script_with_own_mounts(&format!("{hide}\n$DOCTOR"));
    assert_eq!(plain.status, 0, "{}", plain.out);
    assert!(plain.out.contains("none is mounted"), "{}", plain.out);
    let asked = script_with_own_mounts(&format!("{hide}\n$DOCTOR --need memory"));
    assert_eq!(asked.status, 1, "{}", asked.out);
    let fix = fix(&asked.out, "as root");
    let after = script_with_own_mounts(&format!("{hide}\n{fix}\n$DOCTOR --need memory --probe"));
    assert_eq!(after.status, 0, "{fix}\n{}", after.out);
}

#[test]
#[ignore = "needs cgroups and a mount namespace"]
fn read_only_mounts() {
    let protect = "for point in $(grep \" - cgroup\" /proc/self/mountinfo | cut -d\" \" -f5); do \
                   mount -o remount,ro,bind $point; done";
    let before = script_with_own_mounts(&format!("{protect}\n$DOCTOR --need memory"));
    assert_eq!(before.status, 1, "{}", before.out);
    assert!(before.out.contains("Read-only"), "{}", before.out);
    let fix = fix(&before.out, "as root");
    let after = script_with_own_mounts(&format!("{protect}\n{fix}\n$DOCTOR --need memory --probe"));
    assert_eq!(after.status, 0, "{fix}\n{}", after.out);
}
