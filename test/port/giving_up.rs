// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! An owner that disconnects or sends STOP before the program is started, or after the end.

use crate::executable;
use crate::frames::{self, Frame};
use crate::groups::Group;
use crate::harness::{Outcome, Owner, Setup, captured, framed};
use crate::processes::{Mark, eventually, state, status_field};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

const STOP_SIGNALS: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
];

#[test]
fn a_signal_ends_it_after_a_failure() {
    for signal in STOP_SIGNALS {
        let mut owner = framed(&[]).program(&["/no/such"]).start();
        owner.read_to_last();
        owner.signal_helper(signal);
        assert_eq!(owner.exit_status(), 127, "{signal}");
    }
}

#[test]
fn a_signal_ends_it_after_the_end() {
    for signal in STOP_SIGNALS {
        let mut owner = captured(&[]).sh("exit 3").start();
        owner.read_to_last();
        owner.signal_helper(signal);
        assert_eq!(owner.exit_status(), 3, "{signal}");
    }
}

#[test]
fn it_stops_reading_after_a_failure() {
    let mut owner = framed(&[]).program(&["/no/such"]).start();
    owner.read_to_last();
    owner.output = None;
    assert_eq!(owner.exit_status(), 127);
}

#[test]
fn a_frame_does_not_end_it_after_the_end() {
    let mut owner = captured(&[]).sh("exit 3").start();
    owner.read_to_last();
    owner.send(&frames::stop());
    owner.send(&frames::ack(0));
    assert_eq!(owner.finish().code(), 3);
}

/// Gives up a program that is not started yet, in one of five ways.
fn give_up(owner: &mut Owner, way: usize) {
    match way {
        0 => owner.send(&frames::stop()),
        1 => owner.input = None,
        2 => owner.signal_helper(Signal::SIGTERM),
        // Other frames may come before it.
        3 => owner.send(&[frames::input(&vec![0; 100_000]), frames::stop()].concat()),
        _ => owner.signal_helper(Signal::SIGINT),
    }
}

/// Gives up a set-up that waits, in each of the ways.
#[track_caller]
fn each_way(setup: impl Fn() -> Setup, waits: impl Fn(&Owner) -> bool) {
    // Before its handlers are installed, a signal would kill it.
    let waits = |owner: &Owner| catches_sigterm(owner.pid) && waits(owner);
    for way in 0..5 {
        let mut owner = setup().start();
        eventually("it waits", || waits(&owner));
        give_up(&mut owner, way);
        owner.read_to_last();
        assert_eq!(failed_step(&owner.end()), "stopped", "{way}");
    }
    let mut owner = setup().start();
    eventually("it waits", || waits(&owner));
    owner.output = None;
    assert_eq!(owner.exit_status(), 125);
}

fn catches_sigterm(pid: i32) -> bool {
    let caught = u64::from_str_radix(&status_field(pid, "SigCgt"), 16).unwrap();
    caught & 1 << (libc::SIGTERM - 1) != 0
}

#[track_caller]
fn failed_step(outcome: &Outcome) -> &str {
    assert_eq!(outcome.status.code(), Some(125));
    &outcome.failure().step
}

/// A cgroup that a helper uses, and that helper.
fn group_in_use() -> (Group, Owner) {
    let group = Group::new("busy");
    let setup = captured(&["--group", &group.name]).sh("echo ready; exec sleep 1000");
    (group, setup.start_until("ready"))
}

#[test]
#[ignore = "needs cgroups"]
fn while_another_has_the_group() {
    let (group, other) = group_in_use();
    let setup = || framed(&["--group", &group.name]).program(&["true"]);
    each_way(setup, |owner| state(owner.pid) == b'S');
    other.end();
}

#[test]
#[ignore = "needs cgroups"]
fn commands_that_come_while_it_waits_are_obeyed_later() {
    let (group, other) = group_in_use();
    let mut owner = captured(&["--group", &group.name])
        .sh("cat; kill -STOP $$")
        .start();
    owner.send(&[frames::input(&vec![b'x'; 300_000]), frames::input_eof()].concat());
    owner.send(&frames::signal(10));
    other.end();
    owner.read_to_last();
    let outcome = owner.finish();
    assert_eq!(outcome.report().status(), 128 + 10);
}

#[test]
fn while_a_file_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let path = fifo.to_str().unwrap();
    for flag in ["--stdin-path", "--stdout-path"] {
        let setup = || captured(&[flag, path]).program(&["cat"]);
        each_way(setup, |owner| state(owner.pid) == b'S');
    }
    // No process is left that would open it.
    let writer = fs::File::options()
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&fifo);
    assert_eq!(writer.unwrap_err().raw_os_error(), Some(libc::ENXIO));
}

/// A getent that never answers, in a mount namespace of its own.
struct Silent {
    directory: TempDir,
    /// Set by each getent, since the helper starts it with an empty environment. It is not the helper's, which may end
    /// a moment before the children of getent that it has killed.
    mark: Mark,
}

impl Silent {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            executable::write(&path, text, 0o755);
        };
        let pids = directory.path().join("pids");
        let pids = pids.display();
        let mark = Mark::new();
        let set = format!("env {}={}", Mark::VARIABLE, mark.value());
        let wait = format!("trap \"\" TERM; echo $$ >>{pids}; while :; do sleep 1000; done");
        write("getent", &format!("#!/bin/sh\nexec {set} sh -c '{wait}'\n"));
        write("nsswitch.conf", "passwd: files sss\ngroup: files sss\n");
        Self { directory, mark }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn helper(&self) -> Setup {
        let script = format!(
            "mount --bind {} /etc/nsswitch.conf; mount --bind {} $(readlink -f /usr/bin/getent); exec \"$@\"",
            self.path("nsswitch.conf"),
            self.path("getent"),
        );
        let shell = ["unshare", "--mount", "sh", "-c", &script, "sh"];
        framed(&["--uid", "no-such-user"])
            .program(&["true"])
            .via(&shell)
    }
}

impl Silent {
    /// The pids of those that were started.
    fn pids(&self) -> Vec<String> {
        let pids = fs::read_to_string(self.path("pids")).unwrap_or_default();
        pids.lines().map(str::to_owned).collect()
    }

    /// Whether one has started its own child.
    fn is_asked_by(&self, helper: i32) -> bool {
        let children = |pid: i32| {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            children.unwrap_or_default()
        };
        let pids = self.pids();
        let is_last = |child: &&str| Some(*child) == pids.last().map(String::as_str);
        let asked = children(helper);
        let mut asked = asked.split_whitespace().filter(is_last);
        asked.any(|child| !children(child.parse().unwrap()).is_empty())
    }
}

#[test]
#[ignore = "needs root, a mount namespace and /usr/bin/getent"]
fn while_getent_does_not_answer() {
    let silent = Silent::new();
    each_way(|| silent.helper(), |owner| silent.is_asked_by(owner.pid));
    assert_eq!(silent.pids().len(), 6);
    silent.mark.wait_for(0);
}

/// A group of v2 in which everything is frozen.
struct Frozen {
    path: PathBuf,
    group: Group,
    /// Reports the groups that are made in it, however short their life.
    made: Inotify,
}

impl Frozen {
    fn new() -> Self {
        let group = Group::new("frozen");
        let path = group.create();
        fs::write(path.join("cgroup.freeze"), "1").unwrap();
        let made = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        made.add_watch(&path, AddWatchFlags::IN_CREATE).unwrap();
        Self { path, group, made }
    }

    /// Whether a group was made in it since the last call.
    fn had_group(&self) -> bool {
        self.made.read_events().is_ok()
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = fs::write(self.path.join("cgroup.freeze"), "0");
    }
}

#[test]
#[ignore = "needs cgroups and cgroup v2"]
fn while_a_group_above_is_frozen() {
    let frozen = Frozen::new();
    let group = format!("{}/below", frozen.group.name);
    // The helper tries for a while, and creates the cgroup again each time.
    let setup = || {
        frozen.had_group();
        framed(&["--group", &group]).program(&["true"])
    };
    each_way(setup, |_| frozen.had_group());
    assert!(!frozen.path.join("below").exists());
}

#[test]
fn a_failure_is_not_hidden_by_a_stop_that_comes_with_it() {
    let mut owner = framed(&[]).program(&["/no/such"]).start();
    owner.send(&frames::stop());
    let last = owner.read_to_last();
    let Some(Frame::Failed(failed)) = last else {
        panic!("{last:?}");
    };
    assert_eq!(failed.step, "exec");
    owner.end();
}
