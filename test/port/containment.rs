// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A table of what a program may be or leave behind, and of what may end it. Nothing is alive afterwards.

use crate::frames::{self, Report};
use crate::harness::{Owner, captured};
use crate::processes::{eventually, state};
use crate::table::table;
use nix::sys::signal::Signal;

const FLAGS: &[&str] = &["--delay-to-sigkill", "200"];

/// The start of a program of which everything is in place. `leaves` is one that exits by itself when
/// its stdin ends, and leaves the rest behind.
type Start = fn(leaves: bool) -> Owner;

fn script(leaves: bool, script: &str) -> Owner {
    let last = if leaves { "read x; exit 0" } else { "wait" };
    let script = format!("{script}\n{last}");
    captured(FLAGS).sh(&script).start_until("ready")
}

fn odd(leaves: bool, name: &str, more: &str) -> Owner {
    let fate = if leaves { "leave" } else { "stay" };
    let program = format!("{name} {fate} {more}");
    captured(FLAGS).odd(program.trim_end()).start_until("ready")
}

fn direct_child(leaves: bool) -> Owner {
    if leaves {
        script(true, "echo ready")
    } else {
        captured(FLAGS)
            .sh("echo ready; exec sleep 1000")
            .start_until("ready")
    }
}

fn background_child(leaves: bool) -> Owner {
    let owner = script(leaves, "sleep 1000 & (sleep 1000; :) & echo ready");
    owner.mark.wait_for(5);
    owner
}

fn session_leader(leaves: bool) -> Owner {
    odd(leaves, "session", "")
}

fn double_forked_daemon(leaves: bool) -> Owner {
    odd(leaves, "daemon", "")
}

fn tree_that_ignores_signals(leaves: bool) -> Owner {
    let tree = "trap '' TERM INT HUP QUIT\n sleep 1000 & (sleep 1000; :) & echo ready";
    let owner = script(leaves, tree);
    owner.mark.wait_for(5);
    owner
}

fn stopped_program(leaves: bool) -> Owner {
    if leaves {
        return script(true, "sleep 1000 & kill -STOP $!; echo ready");
    }
    let owner = script(
        false,
        "sleep 1000 & kill -STOP $!; echo ready; kill -STOP $$",
    );
    eventually("the program is stopped", || state(owner.program) == b'T');
    owner
}

fn stopped_tree(leaves: bool) -> Owner {
    let tree = "sh -c 'sleep 1000 & sleep 1000 & kill -STOP $!; kill -STOP $$; wait' &
        while ! grep -q ') T ' /proc/$!/stat; do :; done
        echo ready";
    if leaves {
        return script(true, tree);
    }
    // It stops its whole process group, and itself with it.
    let owner = script(false, &format!("{tree}; kill -STOP 0"));
    eventually("the program is stopped", || state(owner.program) == b'T');
    owner
}

fn blocked_in_write(leaves: bool) -> Owner {
    let program = "echo ready; yes & echo $! >&2";
    let last = if leaves { "read x; exit 0" } else { "wait" };
    let mut owner = captured(FLAGS).sh(&format!("{program}\n{last}")).start();
    owner.acks = false;
    owner.read_until("ready");
    let mut pid = None;
    eventually("yes writes", || {
        pid = owner.errors().trim().parse().ok();
        pid.is_some()
    });
    wait_until_blocked(&mut owner, pid.unwrap());
    owner
}

/// Both sleep and no output is under way: the pipe is full.
pub fn wait_until_blocked(owner: &mut Owner, writer: i32) {
    eventually("the writer is blocked", || {
        while owner.has_more() {
            owner.next();
        }
        let filled = owner.in_flight > owner.window / 2;
        filled && state(writer) == b'S' && state(owner.pid) == b'S' && !owner.has_more()
    });
}

fn fork_bomb(leaves: bool) -> Owner {
    odd(leaves, "bomb", "")
}

fn fork_bomb_that_wakes_its_own(leaves: bool) -> Owner {
    odd(leaves, "bomb", "noisy")
}

fn process_without_its_first_thread(leaves: bool) -> Owner {
    odd(leaves, "headless", "")
}

fn traced_process(leaves: bool) -> Owner {
    odd(leaves, "traced", "")
}

fn renamed_process(leaves: bool) -> Owner {
    let rename =
        "sh -c 'echo \") Z 1 1\" > /proc/$$/comm; echo ready; while :; do sleep 1; done' &";
    script(leaves, rename)
}

// What ends it

fn owner_goes_away(start: Start) {
    start(false).end();
}

fn stop_frame(start: Start) {
    let mut owner = start(false);
    owner.send(&frames::stop());
    everything_goes_even_if_nobody_reads(&owner);
    let report = finish(owner);
    assert!(report.has(Report::STOPPED));
}

fn helper_is_terminated(start: Start) {
    let owner = start(false);
    owner.signal_helper(Signal::SIGTERM);
    everything_goes_even_if_nobody_reads(&owner);
    let report = finish(owner);
    assert!(report.has(Report::STOPPED));
}

fn program_exits_by_itself(start: Start) {
    let mut owner = start(true);
    owner.send(&frames::input_eof());
    everything_goes_even_if_nobody_reads(&owner);
    let report = finish(owner);
    assert_eq!((report.how, report.code), (0, 0));
    assert!(!report.has(Report::STOPPED));
}

fn everything_goes_even_if_nobody_reads(owner: &Owner) {
    eventually("nothing is left", || {
        owner.mark.alive_besides(&[owner.pid]).is_empty()
    });
}

fn finish(mut owner: Owner) -> Report {
    owner.acks = true;
    owner.ack_all();
    let report = owner.finish().report().clone();
    assert_eq!(report.survivors, 0);
    report
}

table! {
    [owner_goes_away stop_frame helper_is_terminated program_exits_by_itself]
    direct_child
    background_child
    session_leader
    #[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
    double_forked_daemon
    tree_that_ignores_signals
    stopped_program
    stopped_tree
    blocked_in_write
    #[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
    fork_bomb
    #[cfg_attr(feature = "portable", ignore = "needs a subreaper")]
    fork_bomb_that_wakes_its_own
    process_without_its_first_thread
    traced_process
    renamed_process
}
