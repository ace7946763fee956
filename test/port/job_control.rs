// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Job control at a real terminal, with programs that change its modes and shells that move it between jobs.

use crate::harness::{Setup, helper_path, plain};
use crate::processes::eventually;
use crate::terminal::Terminal;
use nix::sys::termios::{InputFlags, LocalFlags, OutputFlags, tcgetattr};
use nix::unistd::tcgetpgrp;
use std::path::Path;

/// A shell with job control, in which `$HELPER` is the helper.
fn shell() -> Terminal {
    let bash = plain(&["--norc", "--noprofile", "-i"]).helper(Path::new("/bin/bash"), None);
    let bash = bash.env("HELPER", helper_path()).env("PS1", "next: ");
    let mut terminal = Terminal::start(bash.env("HISTFILE", "/dev/null").env("TERM", "xterm"));
    terminal.read_until("next: ");
    terminal
}

/// A script in the same process group as the helper, without job control.
fn script(script: &str) -> Terminal {
    let sh = plain(&["-c", script]).helper(Path::new("/bin/sh"), None);
    Terminal::start(sh.env("HELPER", helper_path()))
}

/// The modes that programs change, and the foreground group.
fn state(terminal: &Terminal) -> (InputFlags, OutputFlags, LocalFlags, i32) {
    let modes = tcgetattr(&terminal.screen).unwrap();
    let group = tcgetpgrp(&terminal.screen).unwrap();
    let (input, output) = (modes.input_flags, modes.output_flags);
    (input, output, modes.local_flags, group.as_raw())
}

fn sh(script: &str) -> Setup {
    plain(&[]).sh(script)
}

#[test]
fn the_program_is_in_the_foreground() {
    let compare = "cut -d' ' -f5,8 /proc/$$/stat | { read group foreground
        test $group = $foreground && echo the same; }";
    let mut terminal = Terminal::start(sh(compare));
    terminal.read_until("the same");
    terminal.assert_ends_with(0);
}

#[test]
fn a_program_may_read_from_the_terminal_and_change_it() {
    for script in [
        "read x < /dev/tty; echo got:$x",
        "stty -echo; read x; stty echo; echo got:$x",
        "stty -echo < /dev/tty; IFS= read -r x; echo got:$x > /dev/tty",
        "stty tostop; read x; echo got:$x",
        "bash --norc -ic 'read x; echo got:$x' 2>&1 | grep -v job",
    ] {
        let mut terminal = Terminal::start(sh(script));
        terminal.press(b"line\n");
        terminal.read_until("got:line");
        terminal.assert_ends_with(0);
    }
}

#[test]
fn a_terminal_with_tostop_is_written_to() {
    let mut terminal = script("stty tostop; exec \"$HELPER\" -- sh -c 'echo written; exit 4'");
    terminal.read_until("written");
    terminal.assert_ends_with(4);
}

#[test]
fn an_interactive_shell() {
    let mut terminal = Terminal::start(plain(&[]).program(&["bash", "--norc", "-i"]));
    terminal.press(b"echo $((6 * 7))\n");
    terminal.read_until("42\r\n");
    terminal.press(b"sleep 1000\n");
    let sleeps = |terminal: &Terminal| {
        let alive = terminal.mark.alive();
        let sleep = alive.iter().find(|it| it.name == "sleep").map(|it| it.pid);
        sleep.is_some() && tcgetpgrp(&terminal.screen).ok().map(i32::from) == sleep
    };
    eventually("it runs in the foreground", || sleeps(&terminal));
    terminal.press(b"\x1a");
    terminal.read_until("Stopped");
    terminal.press(b"fg\n");
    eventually("it runs in the foreground again", || sleeps(&terminal));
    terminal.press(b"\x03");
    terminal.press(b"echo $((7 * 7)); exit 5\n");
    terminal.read_until("49\r\n");
    terminal.assert_ends_with(5);
}

#[test]
#[ignore = "needs vi"]
fn an_editor_that_fills_the_screen() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let mut terminal = shell();
    let before = state(&terminal);
    let line = format!("\"$HELPER\" -- vi -u NONE -N {}\n", file.display());
    terminal.press(line.as_bytes());
    eventually("the editor has the terminal", || {
        !state(&terminal).2.contains(LocalFlags::ICANON) && state(&terminal).3 != before.3
    });
    terminal.press(b"ihello\x1b:w\n\x1a");
    terminal.read_until("Stopped");
    terminal.press(b"echo $((6 * 7))\nfg\n");
    terminal.read_until("42\r\n");
    eventually("the editor has it again", || state(&terminal).3 != before.3);
    terminal.press(b"o world\x1b:wq\n");
    eventually("the shell has it", || state(&terminal).3 == before.3);
    terminal.press(b"exit 4\n");
    terminal.assert_ends_with(4);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello\n world\n");
}

#[test]
#[ignore = "needs less"]
fn a_pager_in_a_pipeline() {
    let mut terminal = shell();
    terminal.press(b"\"$HELPER\" -- seq 100000 104000 | less -X\n");
    terminal.read_until("100005");
    terminal.press(b"G");
    terminal.read_until("104000");
    terminal.press(b"qexit 4\n");
    terminal.assert_ends_with(4);
}

#[test]
#[ignore = "needs less"]
fn a_pager_behind_a_pipe() {
    let mut terminal = shell();
    terminal.press(b"seq 100000 104000 | { cat; sleep 1000; } | \"$HELPER\" -- less -X\n");
    terminal.read_until("100005");
    let pager = state(&terminal).3;
    terminal.press(b"q");
    eventually("it has given the terminal back", || {
        state(&terminal).3 != pager
    });
    // The rest of the pipeline is in the foreground again.
    terminal.press(b"\x03");
    terminal.read_until("next: ");
    terminal.press(b"exit 4\n");
    terminal.assert_ends_with(4);
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    for end in [
        "exit 2",
        "kill -9 $$",
        "kill -TERM $$",
        "kill -TERM $PPID; sleep 1000",
    ] {
        let program = format!("stty raw -echo; {end}");
        let mut terminal = script(&format!(
            "read go; \"$HELPER\" -- sh -c '{program}'; echo status:$?; read x; echo got:$x"
        ));
        let before = state(&terminal);
        terminal.press(b"\n");
        terminal.read_until("status:");
        terminal.press(b"line\n");
        terminal.read_until("got:line");
        assert!(
            state(&terminal).0 == before.0 && state(&terminal).2 == before.2,
            "{end}"
        );
        terminal.assert_ends_with(0);
    }
}

#[test]
fn a_job_that_is_stopped_and_continued() {
    let mut terminal = shell();
    let before = state(&terminal).3;
    terminal.press(
        b"\"$HELPER\" -- sh -c 'stty -echo; echo rea\"\"dy; read x; echo \"got:$x\"; exit 7'\n",
    );
    terminal.read_until("ready");
    terminal.press(b"\x1a");
    terminal.read_until("Stopped");
    eventually("the shell has it", || state(&terminal).3 == before);
    // The shell got neither its input nor its modes.
    terminal.press(b"echo $((6 * 7))\n");
    terminal.read_until("42\r\n");
    terminal.press(b"fg\n");
    eventually("the program has it", || state(&terminal).3 != before);
    eventually("as it left it", || {
        !state(&terminal).2.contains(LocalFlags::ECHO)
    });
    terminal.press(b"line\n");
    terminal.read_until("got:line");
    terminal.press(b"echo status $?\nexit 4\n");
    terminal.read_until("status 7");
    terminal.assert_ends_with(4);
}

#[test]
fn a_job_in_the_background() {
    let mut terminal = shell();
    // Reports changes of jobs at once.
    terminal.press(b"set -b\n");
    terminal.press(b"\"$HELPER\" -- sh -c 'read x; echo \"got:$x\"' &\n");
    // It reads from the terminal.
    terminal.read_until("Stopped");
    terminal.press(b"fg\n");
    terminal.read_until("$HELPER");
    terminal.press(b"line\n");
    terminal.read_until("got:line");
    terminal.press(b"exit 4\n");
    terminal.assert_ends_with(4);
}

#[test]
fn a_job_that_goes_on_in_the_background() {
    let mut terminal = shell();
    let before = state(&terminal).3;
    terminal.press(b"\"$HELPER\" -- sh -c 'echo rea\"\"dy; while :; do :; done'\n");
    terminal.read_until("ready");
    terminal.press(b"\x1a");
    terminal.read_until("Stopped");
    terminal.press(b"bg\n");
    eventually("nothing is stopped", || {
        terminal.mark.alive().iter().all(|it| it.state != b'T')
    });
    assert_eq!(state(&terminal).3, before);
    terminal.press(b"kill %1; wait; echo $((6 * 7))\n");
    terminal.read_until("42\r\n");
    assert_eq!(state(&terminal).3, before);
    terminal.press(b"exit 4\n");
    terminal.assert_ends_with(4);
}

#[test]
fn nothing_is_stopped_that_nobody_could_continue() {
    let mut terminal = Terminal::start(sh("echo ready; read x; echo got:$x"));
    terminal.read_until("ready");
    terminal.press(b"\x1aline\n");
    terminal.read_until("got:line");
    terminal.assert_ends_with(0);
}

#[test]
fn a_script_around_it_is_interrupted_too() {
    let mut terminal = script("\"$HELPER\" -- sh -c 'echo ready; exec sleep 1000'; echo after");
    terminal.read_until("ready");
    terminal.press(b"\x03");
    let mark = terminal.mark.clone();
    eventually("all are gone", || mark.alive().is_empty());
    let rest = terminal.rest();
    assert!(!rest.contains("after"), "{rest:?}");
}

#[test]
fn output_that_is_captured_elsewhere_passes_through() {
    for (flag, text) in [
        ("--capture-output", "20000\r\n"),
        ("--capture-stderr-only", "err"),
    ] {
        let script = "seq 1 20000; echo err >&2";
        let mut terminal = Terminal::start(plain(&[flag]).sh(script));
        terminal.read_until(text);
        terminal.assert_ends_with(0);
    }
}

#[test]
fn a_program_that_cannot_be_executed_leaves_the_terminal_alone() {
    let mut terminal = script("\"$HELPER\" -- /etc/passwd; echo $?; read x; echo got:$x");
    terminal.read_until("126");
    terminal.press(b"line\n");
    terminal.read_until("got:line");
    terminal.assert_ends_with(0);
}
