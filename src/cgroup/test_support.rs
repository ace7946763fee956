// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Creating, watching and ending real groups with real processes, for the tests.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::error::Error;
use super::group::{KillStep, remaining};
use super::host::Host;
use super::owned::Cgroup;
use super::plan::Plan;
use super::request::Request;
use super::settings::owner;
use crate::wait::Undisturbed;

/// After this, a test fails.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);
/// The environment variable with the argument of [`in_another_process`].
const PART: &str = "MUONTRAP_CGROUP_TEST_PART";

pub(super) fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("muontrap-test-{}-{count}", std::process::id())
}

pub(super) fn request(group: &str, settings: &[(&str, &str)]) -> Request {
    let settings = settings
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    Request {
        group: group.into(),
        controllers: vec![],
        settings: settings.collect(),
    }
}

pub(super) fn host() -> Host {
    Host::detect().expect("a host")
}

pub(super) fn create(request: &Request) -> Result<Cgroup, Error> {
    Cgroup::create(&Plan::new(&host(), request)?, &Undisturbed)
}

pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !done() {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        std::thread::yield_now();
    }
}

pub(super) fn kill_all(cgroup: &mut Cgroup) {
    until("processes die", || {
        cgroup.kill_step().expect("kill_step") == KillStep::Empty
    });
}

pub(super) fn finish(cgroup: &mut Cgroup) {
    kill_all(cgroup);
    until("removal", || cgroup.remove_step().expect("remove_step"));
    for (_, directory) in cgroup.directories() {
        assert!(!directory.exists(), "{}", directory.display());
    }
}

/// Runs a shell script in the group.
pub(super) fn spawn(cgroup: &Cgroup, script: &str) -> Child {
    let directories = cgroup.directories().into_iter();
    let enter = directories.map(|(_, path)| format!("echo 0 > {}/cgroup.procs", path.display()));
    let enter = enter.collect::<Vec<String>>().join(" && ");
    Command::new("sh")
        .args(["-c", &format!("{enter} || exit 99\n{script}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh")
}

pub(super) fn count(cgroup: &Cgroup) -> usize {
    remaining(&cgroup.groups).expect("a count")
}

pub(super) fn read(cgroup: &Cgroup, file: &str) -> String {
    let owner = owner(&cgroup.groups, cgroup.version, file).expect("a group with this file");
    owner.read(file).expect("read").trim_end().to_string()
}

/// The name of a test as the test binary knows it: without the crate.
fn part_name(part: &str) -> String {
    let (_, module) = module_path!().split_once("::").expect("a crate");
    module.replace("test_support", "permission_tests") + "::" + part
}

/// Runs one of the `part_` tests in a process of its own, which waits for a line on stdin.
/// `around` is a shell command that runs it as `"$@"`.
pub(super) fn in_another_process(part: &str, argument: &str, around: &str) -> Child {
    let exe = std::env::current_exe().expect("this test");
    Command::new("sh")
        .args(["-c", around, "sh"])
        .arg(exe)
        .args(["--exact", "--ignored", "--nocapture", &part_name(part)])
        .env(PART, argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a copy of this test")
}

/// Sends that line, and expects the process to succeed.
pub(super) fn go(mut child: Child) {
    std::io::Write::write_all(child.stdin.as_mut().expect("stdin"), b"go\n").expect("go");
    let output = child.wait_with_output().expect("output");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success() && text.contains("part done"),
        "{text}"
    );
}

/// Waits for the line, and returns the argument; `None` when the test was not started for another one.
pub(super) fn part() -> Option<String> {
    let argument = std::env::var(PART).ok()?;
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("a line");
    Some(argument)
}
