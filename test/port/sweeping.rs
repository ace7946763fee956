// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Which processes the sweep kills, and which it does not.

use crate::executable;
use crate::frames;
use crate::frozen::Frozen;
use crate::harness::{Setup, captured, framed, helper_path, pid_of, plain};
use crate::processes::{Mark, eventually, is_alive, status_field};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[test]
fn children_from_before_the_exec_are_nobody_of_ours() {
    let mark = Mark::new();
    let script = "sleep 1000 & echo $!; exec \"$HELPER\" -- sh -c 'sleep 1000 & exit 4'";
    let mut holder = Command::new("sh");
    holder.args(["-c", script]).env("HELPER", helper_path());
    holder.env(Mark::VARIABLE, mark.value());
    let mut child = holder
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut status = None;
    let hold = child.stdin.take();
    eventually("the helper exits", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    drop(hold);
    assert_eq!(status.unwrap().code(), Some(4));
    let mut first = String::new();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut reader, &mut first).unwrap();
    let stranger: i32 = first.trim().parse().unwrap();
    let alive: Vec<i32> = mark.alive().iter().map(|process| process.pid).collect();
    assert_eq!(alive, [stranger]);
}

#[test]
fn a_child_from_before_the_exec_may_die_meanwhile() {
    let stranger = ["sh", "-c", "sleep 0.2 & exec \"$@\"", "sh"];
    let mut owner = captured(&[])
        .sh("sleep 0.4; sleep 1000 & echo end; exit 4")
        .via(&stranger)
        .start();
    owner.read_until("end");
    assert_eq!(owner.finish().code(), 4);
}

/// It becomes a child of the helper, when its parent is killed while the program runs.
#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn grandchildren_from_before_the_exec_are_not_even_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let file = file.to_str().unwrap();
    let stranger = format!(
        "sh -c 'sleep 1000 & echo $$ $! >{file}; wait' & until [ -s {file} ]; do :; done; exec \"$@\""
    );
    let script = format!(
        "read parent child <{file}; kill -9 $parent; while [ -e /proc/$parent ]; do :; done; exit 4"
    );
    let mut owner = captured(&[])
        .sh(&script)
        .via(&["sh", "-c", &stranger, "sh"])
        .start();
    owner.read_to_last();
    let (outcome, mark) = owner.end_with_survivors();
    assert_eq!((outcome.code(), outcome.report().swept), (4, 0));
    let states: Vec<u8> = mark.alive().iter().map(|process| process.state).collect();
    assert!(states.len() == 1 && states != [b'T'], "{states:?}");
}

/// Double forks without a pause, and a process that stays at their end.
const CHAIN: &str = "exec perl -e 'for (1..300) { fork and exit } sleep 1000'";

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn children_from_before_the_exec_do_not_let_others_escape() {
    for _ in 0..20 {
        let stranger = ["sh", "-c", "sleep 1001 & exec \"$@\"", "sh"];
        let script = "for i in 1 2 3 4; do setsid sh -c \"$CHAIN\" & done; exit 4";
        let mut owner = captured(&[])
            .sh(script)
            .env("CHAIN", CHAIN)
            .via(&stranger)
            .start();
        owner.read_to_last();
        let (helper, mark) = (owner.pid, owner.mark.clone());
        // The other process may not have called exec yet.
        eventually("only the stranger is left", || {
            let alive = mark.alive_besides(&[helper]);
            alive.len() == 1 && alive[0].name == "sleep"
        });
        owner.end_with_survivors();
    }
}

/// Chains of processes that each fork a successor and exit. Should a test fail, they end by themselves.
const CHAINS: &str = "exec perl -e 'for (1..50) {
        next if fork;
        while (time < $^T + 20) { select undef, undef, undef, 0.002; exit if fork }
        exit
    }
    print qq(ready\\n); close STDOUT; <STDIN>; exit 3'";

#[test]
#[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
fn processes_that_fork_a_successor_and_exit_without_pause() {
    let mut owner = captured(&[]).sh(CHAINS).start_until("ready");
    owner.send(&frames::input_eof());
    let outcome = owner.finish();
    assert_eq!((outcome.code(), outcome.report().survivors), (3, 0));
}

#[test]
fn bystanders_are_left_alone() {
    // In the helper's session and process group, but no descendant of the helper.
    let mark = Mark::new();
    let bystander = Command::new("sleep")
        .arg("1000")
        .env(Mark::VARIABLE, mark.value())
        .spawn();
    let mut bystander = bystander.unwrap();
    captured(&[]).sh("sleep 1000 & exit 0").run();
    let pid = pid_of(&bystander);
    assert!(is_alive(pid));
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn orphans_that_die_while_the_program_runs_are_no_zombies() {
    let mut owner = captured(&[])
        .sh("i=0; while [ $i -lt 50 ]; do sh -c 'sleep 0.01 &'; i=$((i+1)); done; echo ready; exec sleep 1000")
        .start_until("ready");
    let helper = owner.pid;
    let children = || {
        let table = crate::processes::pids().filter_map(crate::processes::Process::find);
        table.filter(|process| process.ppid == helper).count()
    };
    eventually("the program is the only child", || children() == 1);
    // Without a subreaper, they are no children.
    owner.mark.wait_for(2);
    owner.send(&frames::stop());
    assert_eq!(owner.finish().report().swept, 0);
}

#[test]
fn a_deep_tree() {
    let script = "if [ $1 -gt 0 ]; then sh -c \"$0\" \"$0\" $(($1-1)) & fi; sleep 1000 & wait";
    let mut owner = captured(&[])
        .program(&[
            "sh",
            "-c",
            "echo ready; sh -c \"$0\" \"$0\" 30 & wait",
            script,
        ])
        .start_until("ready");
    // The helper, the program, 31 shells and a sleep for each.
    owner.mark.wait_for(2 + 31 * 2);
    owner.send(&frames::stop());
    assert_eq!(owner.finish().report().swept, 62);
}

#[test]
fn hundreds_of_children() {
    let script = "i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; echo ready; read x";
    let mut owner = captured(&[]).sh(script).start_until("ready");
    owner.send(&frames::input_eof());
    assert_eq!(owner.finish().report().swept, 300);
}

/// A helper of another user, and the path of one of `odd_programs.rs` as a set-user-id executable of root.
fn with_setuid_program(odd: &str) -> (TempDir, Setup, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let helper = directory.path().join("muontrap");
    let root = directory.path().join("root");
    executable::copy(helper_path(), &helper, 0o755);
    executable::copy(crate::odd_programs::path(), &root, 0o4755);
    let setup = captured(&[]).env(crate::odd_programs::VARIABLE, odd);
    (directory, setup.helper(&helper, Some(65_534)), root)
}

/// Its program leaves one process that it may not kill and one that it may. It writes "ready" and waits for the end of its
/// input.
pub fn leaving_one_that_becomes_root() -> (TempDir, Setup) {
    let (directory, setup, root) = with_setuid_program("become-root");
    let setup = setup
        .sh("\"$ROOT\" & sleep 1000 & read x; exit 3")
        .env("ROOT", &root);
    (directory, setup)
}

#[test]
#[ignore = "needs root"]
fn a_process_that_becomes_root_cannot_be_killed_by_another_user() {
    let (_directory, setup) = leaving_one_that_becomes_root();
    let mut owner = setup.start_until("ready");
    owner.send(&frames::input_eof());
    owner.read_to_last();
    let (outcome, mark) = owner.end_with_survivors();
    let report = outcome.report();
    assert_eq!((report.code, report.swept, report.survivors), (3, 1, 1));
    assert!(outcome.errors.contains("not permitted to kill"));
    assert_eq!(mark.alive().len(), 1);
}

/// The program ends only when its child does.
#[test]
#[ignore = "needs root"]
fn a_program_that_becomes_root_keeps_its_group_running() {
    let (_directory, setup, root) = with_setuid_program("root-awaits-child");
    let setup = setup.program(&[&root]).flags(&["-k", "0"]);
    let mut owner = setup.start_until("ready");
    owner.send(&frames::stop());
    let refused = format!("cannot send signal 9 to {}", owner.program);
    eventually("SIGKILL is refused", || owner.errors().contains(&refused));
    owner.send(&frames::input_eof());
    assert_eq!(owner.finish().code(), 5);
}

#[test]
fn an_orphan_of_a_killed_subtree_is_found() {
    // Its parents are killed while the program runs, so that only the subreaper knows of it.
    let script = "sh -c 'sh -c \"sleep 1000 & echo ready; wait\" & wait' & mid=$!
        read x; kill -9 $mid; exit 0";
    let mut owner = captured(&[]).sh(script).start_until("ready");
    owner.send(&frames::input_eof());
    assert_eq!(owner.finish().code(), 0);
}

#[test]
fn plain_use_sweeps_too() {
    let mut owner = plain(&[]).sh("sleep 1000 & exit 5").start();
    eventually("the helper exits", || owner.has_exited());
    assert_eq!(owner.end().status.code(), Some(5));
}

#[test]
fn no_capture_no_difference() {
    let outcome = framed(&[]).sh("sleep 1000 & exit 5").run();
    assert_eq!(outcome.report().swept, 1);
}

#[test]
#[cfg_attr(
    not(feature = "portable"),
    ignore = "needs root and /sys/fs/cgroup/freezer"
)]
#[cfg_attr(
    feature = "portable",
    ignore = "needs root, fork events and /sys/fs/cgroup/freezer"
)]
fn the_wait_for_a_frozen_descendant_costs_little() {
    let mark = Mark::new();
    let frozen = Frozen::new();
    let script = "sleep 1000 & echo $! >$FROZEN/cgroup.procs
        echo FROZEN >$FROZEN/freezer.state; echo ready; read x; exit 3";
    let setup = captured(&[]).sh(script).env("FROZEN", &frozen.path);
    let mut owner = setup.mark(&mark).start_until("ready");
    owner.send(&frames::input_eof());
    eventually("the program is gone", || !is_alive(owner.program));
    let wakes = || -> u32 {
        let count = status_field(owner.pid, "voluntary_ctxt_switches");
        count.parse().unwrap()
    };
    let (begin, before) = (Instant::now(), wakes());
    eventually("it has looked some times", || wakes() >= before + 11);
    // A slow machine cannot make this smaller.
    assert!(
        begin.elapsed() > Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    frozen.thaw();
    let outcome = owner.finish();
    assert_eq!((outcome.code(), outcome.report().swept), (3, 1));
}
