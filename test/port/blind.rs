// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Sweeps by a helper that cannot list the processes that it has to kill.

use crate::executable;
use crate::frames;
use crate::groups::Group;
use crate::harness::{Outcome, Owner, captured, helper_path};
use crate::processes::{Mark, eventually, status_field};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Leaves a child, a child in another session, and an orphan with a child in another session.
const LEAVES: &str = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &)
    echo ready; read x; exit 3";

#[test]
#[ignore = "needs prlimit and a subreaper"]
fn a_program_that_takes_all_descriptors_from_its_helper() {
    let outcome = captured(&[])
        .sh(&format!(
            "prlimit --pid $PPID --nofile=3 || exit 9; {LEAVES}"
        ))
        .start_until("ready");
    assert_swept(outcome);
}

#[test]
#[ignore = "needs cgroups, prlimit and a subreaper"]
fn a_program_in_a_group_that_takes_all_descriptors_from_its_helper() {
    let group = Group::new("blind");
    let script = format!("prlimit --pid $PPID --nofile=3 || exit 9; {LEAVES}");
    let mut owner = captured(&["--group", &group.name])
        .sh(&script)
        .start_until("ready");
    owner.mark.wait_for(2 + 5);
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_eq!((outcome.code(), outcome.report().survivors), (3, 0));
    let complaints = outcome.errors.matches("cannot empty the cgroup").count();
    assert_eq!(complaints, 1, "{}", outcome.errors);
}

#[track_caller]
fn assert_swept(mut owner: Owner) {
    // The helper, the program, and the five that it leaves.
    owner.mark.wait_for(2 + 5);
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_ended(&outcome, 0);
    assert_eq!(outcome.report().swept, 5, "{}", outcome.errors);
}

/// Checks that the program exited with 3, and that so many of its descendants are alive.
#[track_caller]
fn assert_ended(outcome: &Outcome, survivors: u32) {
    let report = outcome.report();
    let ended = (report.code, report.survivors);
    assert_eq!(ended, (3, survivors), "{}", outcome.errors);
}

/// A tracer that makes system calls of the helper fail.
struct Tracer(Child);

impl Tracer {
    fn new(pid: i32, injections: &[String]) -> Self {
        let mut command = Command::new("strace");
        command.args(["-qq", "-o", "/dev/null", "-p", &pid.to_string()]);
        for injection in injections {
            command.args(["-e", &format!("inject={injection}")]);
        }
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        eventually("the tracer is there", || {
            status_field(pid, "TracerPid") != "0"
        });
        Self(child)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sweep_in_spite_of(injections: &[String]) {
    let owner = captured(&[]).sh(LEAVES).start_until("ready");
    let _tracer = Tracer::new(owner.pid, injections);
    eprintln!("{injections:?}");
    assert_swept(owner);
}

#[test]
#[ignore = "needs root, strace and a subreaper"]
fn any_error_of_any_call_that_looks_for_processes() {
    for call in [
        "open,openat",
        "getdents64",
        "pread64",
        "fstat,newfstatat,statx",
        "lseek",
        "waitid",
    ] {
        for errno in ["EMFILE", "ENOMEM", "EACCES", "EIO"] {
            sweep_in_spite_of(&[format!("{call}:error={errno}")]);
        }
    }
}

#[test]
#[ignore = "needs root, strace and a subreaper"]
fn an_error_of_every_other_call() {
    for call in ["open,openat", "getdents64", "pread64"] {
        for first in [1, 2] {
            sweep_in_spite_of(&[format!("{call}:error=EIO:when={first}+2")]);
        }
    }
}

#[test]
#[ignore = "needs root, strace and a subreaper"]
fn no_look_at_processes_succeeds_at_all() {
    let calls = ["open,openat", "getdents64", "pread64"];
    sweep_in_spite_of(&calls.map(|call| format!("{call}:error=EIO")));
}

/// A helper of another user in a mount namespace where /proc hides the processes of other users.
fn with_hidden_processes(hidepid: &str, directory: &Path, script: &str) -> Owner {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let helper = directory.join("muontrap");
    executable::copy(helper_path(), &helper, 0o755);
    // A process whose executable cannot be read is not dumpable, and so hidden from its own user.
    let unreadable = directory.join("sleep");
    executable::copy("/bin/sleep", &unreadable, 0o711);
    let root = directory.join("root");
    executable::copy(crate::odd_programs::path(), &root, 0o4755);
    let mount = format!(
        "mount -t proc -o hidepid={hidepid} proc /proc || exit 99
        exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\""
    );
    captured(&[])
        .sh(script)
        .env("SLEEP", &unreadable)
        .env("ROOT", &root)
        .env(crate::odd_programs::VARIABLE, "become-root")
        .helper(&helper, None)
        .via(&["unshare", "--mount", "sh", "-c", &mount, "sh"])
        .start()
}

#[test]
#[ignore = "needs root, a mount namespace and a subreaper"]
fn hidden_processes_of_its_own_user_are_killed() {
    for hidepid in ["1", "2"] {
        let directory = tempfile::tempdir().unwrap();
        let script = "\"$SLEEP\" 1000 & (setsid \"$SLEEP\" 1000 &); exit 3";
        let owner = with_hidden_processes(hidepid, directory.path(), script);
        assert_ended(&owner.finish(), 0);
    }
}

#[test]
#[ignore = "needs root, a mount namespace and a subreaper"]
fn hidden_processes_of_another_user_are_survivors() {
    for hidepid in ["1", "2"] {
        let directory = tempfile::tempdir().unwrap();
        let script = "(\"$ROOT\" &) ; sleep 1000 & read x; exit 3";
        let mut owner = with_hidden_processes(hidepid, directory.path(), script);
        owner.read_until("ready");
        owner.send(&frames::input_eof());
        owner.read_to_last();
        let (outcome, mark) = owner.end_with_survivors();
        assert_ended(&outcome, 1);
        assert_eq!(mark.alive().len(), 1);
    }
}

/// The command in front of a helper that has it traced from its start, by a grandchild without the mark.
fn traced(mark: &Mark, arguments: &[&str]) -> Vec<String> {
    let set_mark = format!("{}={}", Mark::VARIABLE, mark.value());
    let strace = [
        "env",
        "-u",
        Mark::VARIABLE,
        "strace",
        "-D",
        "-q",
        "-E",
        &set_mark,
    ];
    let words = strace.iter().chain(arguments);
    words.map(|&word| word.to_owned()).collect()
}

#[test]
#[ignore = "needs strace and a subreaper"]
fn a_kernel_without_lists_of_children() {
    let mark = Mark::new();
    let own = "/proc/thread-self/children";
    let inject = "inject=open,openat:error=ENOENT";
    let via = traced(&mark, &["-o", "/dev/null", "-P", own, "-e", inject]);
    let setup = captured(&[]).sh(LEAVES).mark(&mark);
    assert_swept(setup.via(&via).start_until("ready"));
}

/// A sweep does not get slower by unrelated processes. strace reads paths in the memory of the helper, which is not
/// dumpable, so this takes root.
#[test]
#[ignore = "needs root, strace, /proc/thread-self/children and a subreaper"]
fn processes_of_others_are_not_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trace");
    let mark = Mark::new();
    let mut bystander = Command::new("sleep").arg("1000").spawn().unwrap();
    let via = traced(&mark, &["-o", file.to_str().unwrap()]);
    let setup = captured(&[]).sh(LEAVES).mark(&mark).via(&via);
    assert_swept(setup.start_until("ready"));
    let trace = || fs::read_to_string(&file).unwrap();
    eventually("the trace is complete", || trace().contains("exited with"));
    let looks = trace().matches("\"/proc/").count();
    let at_bystander = trace().contains(&format!("\"/proc/{}", bystander.id()));
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(looks >= 5 && !at_bystander, "{}", trace());
}
