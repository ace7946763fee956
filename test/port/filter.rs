// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Filters of system calls, as of a container or a systemd service: seccomp(2).

use crate::client::Server;
use crate::harness::captured;
use crate::processes::Mark;
use nix::libc::{self, c_long};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Command;

/// Executes its arguments, after those up to `--`: the number of prctl, what happens at a system call, and which ones.
const FILTER: &str = r#"
my ($prctl, $action) = splice @ARGV, 0, 2;
my @code = ([0x20, 0, 0, 0]);
while ((my $call = shift) ne "--") { push @code, [0x15, 0, 1, $call], [6, 0, 0, $action] }
my $filter = join "", map { pack "SCCL", @$_ } @code, [6, 0, 0, 0x7fff0000];
my $program = pack "Sx![P]P", 1 + @code, $filter;
syscall($prctl, 38, 1, 0, 0, 0) == 0 && syscall($prctl, 22, 2, $program) == 0 or die $!;
exec @ARGV;
"#;

/// A command that executes its arguments with a filter: these system calls lead to this action.
pub fn filter(action: u32, calls: &[c_long]) -> Vec<String> {
    let numbers = calls.iter().map(c_long::to_string);
    let before = ["/usr/bin/perl", "-e", FILTER].map(String::from);
    let call_and_action = [libc::SYS_prctl.to_string(), action.to_string()];
    let words = before.into_iter().chain(call_and_action).chain(numbers);
    words.chain(["--".to_owned()]).collect()
}

/// What `SystemCallFilter=~@resources` of a systemd service does, as far as the helper has such calls of its own:
/// systemd.exec(5).
fn without_resources() -> Vec<String> {
    let calls = [libc::SYS_sched_setscheduler, libc::SYS_sched_setaffinity];
    filter(libc::SECCOMP_RET_KILL_PROCESS, &calls)
}

#[test]
#[ignore = "needs /usr/bin/perl and a subreaper"]
fn a_sweep_calls_nothing_that_a_filter_kills_for() {
    let mark = Mark::new();
    let via = without_resources();
    let via: Vec<&str> = via.iter().map(String::as_str).collect();
    let setup = captured(&[]).sh("sleep 1000 & sleep 1000 & exit 4");
    let outcome = setup.mark(&mark).via(&via).run();
    assert_eq!(outcome.code(), 4, "{outcome:?}");
    let alive = mark.alive();
    assert!(alive.is_empty(), "still alive: {alive:?}");
}

#[test]
#[ignore = "needs /usr/bin/perl and a subreaper"]
fn a_sweep_of_the_fork_server_calls_nothing_that_a_filter_kills_for() {
    let [perl, arguments @ ..] = &without_resources()[..] else {
        unreachable!()
    };
    let mut server = Server::start_by(Command::new(perl).args(arguments));
    let session = server.sh_until("sleep 1000 & echo ready; wait", "ready");
    kill(Pid::from_raw(session.pid), Signal::SIGKILL).unwrap();
    let (_how, code, _swept) = server.await_end(&session);
    assert_eq!(i32::from(code), Signal::SIGKILL as i32);
    server.finish();
}
