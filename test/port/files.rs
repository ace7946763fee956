// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Output that goes to files, which the program's process opens.

use crate::harness::{Outcome, Setup, captured, framed};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tempfile::TempDir;

const BOTH: &str = "echo out; echo err >&2";
const NOBODY: u32 = 65_534;

fn in_directory(flags: &[&str]) -> (TempDir, Setup) {
    let directory = tempfile::tempdir().unwrap();
    let setup = framed(&["--cd", directory.path().to_str().unwrap()]).flags(flags);
    (directory, setup)
}

fn read(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}

#[track_caller]
fn assert_failed(outcome: &Outcome, path: &str, errno: i32) {
    let failure = outcome.failure();
    assert_eq!((failure.status, failure.step.as_str()), (125, "output"));
    assert_eq!((failure.path.as_str(), failure.errno), (path, errno));
    assert!(failure.message.contains(path), "{}", failure.message);
}

#[test]
fn a_file_for_each_stream() {
    let (directory, setup) = in_directory(&["--stdout-path", "out", "--stderr-path", "err"]);
    let outcome = setup.sh(BOTH).run();
    assert_eq!(outcome.code(), 0);
    assert!(outcome.stdout.is_empty() && outcome.stderr.is_empty());
    assert_eq!(outcome.errors, "");
    assert_eq!(read(&directory, "out"), "out\n");
    assert_eq!(read(&directory, "err"), "err\n");
    assert_eq!(outcome.report().stdout_bytes, 0);
}

#[test]
fn one_stream_goes_to_a_file_and_the_other_to_the_owner() {
    let (directory, setup) = in_directory(&["--stdout-path", "out", "--capture-stderr-only"]);
    assert_eq!(setup.sh(BOTH).run().stderr, b"err\n");
    assert_eq!(read(&directory, "out"), "out\n");
    let (directory, setup) = in_directory(&["--stderr-path", "err", "--capture-output"]);
    assert_eq!(setup.sh(BOTH).run().stdout, b"out\n");
    assert_eq!(read(&directory, "err"), "err\n");
}

#[test]
fn stderr_goes_to_the_file_of_stdout() {
    let (directory, setup) = in_directory(&["--stdout-path", "out", "--capture-stderr"]);
    let script = "echo 1; echo 2 >&2; echo 3; echo 4 >&2";
    assert_eq!(setup.sh(script).run().code(), 0);
    assert_eq!(read(&directory, "out"), "1\n2\n3\n4\n");
}

#[test]
fn a_file_is_truncated_or_appended_to() {
    let (directory, setup) =
        in_directory(&["--stdout-path=a", "--stderr-path=b", "--stderr-append=1"]);
    for name in ["a", "b"] {
        fs::write(directory.path().join(name), "longer than before\n").unwrap();
    }
    setup.sh(BOTH).run();
    assert_eq!(read(&directory, "a"), "out\n");
    assert_eq!(read(&directory, "b"), "longer than before\nerr\n");
}

#[test]
fn both_streams_may_append_to_one_file() {
    let flags = ["--stdout-path=a", "--stdout-append=1"];
    let (directory, setup) = in_directory(&flags);
    let setup = setup.flags(&["--stderr-path=a", "--stderr-append=1"]);
    assert_eq!(setup.sh(BOTH).run().code(), 0);
    assert_eq!(read(&directory, "a"), "out\nerr\n");
}

#[test]
fn a_new_file_has_the_mode_less_the_umask() {
    let mode = |directory: &TempDir, name: &str| {
        let metadata = fs::metadata(directory.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o7777
    };
    let umask = ["sh", "-c", "umask 027; exec \"$@\"", "sh"];
    // 0o666 is 438, and 0o777 is 511.
    let (directory, setup) = in_directory(&["--stdout-path=a", "--stderr-path=b"]);
    setup
        .flags(&["--stderr-mode=511"])
        .via(&umask)
        .sh(BOTH)
        .run();
    assert_eq!(
        (mode(&directory, "a"), mode(&directory, "b")),
        (0o640, 0o750)
    );
    // That of an old one stays.
    let (directory, setup) = in_directory(&["--stdout-path=a", "--stdout-mode=0"]);
    let path = directory.path().join("a");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    setup.sh(BOTH).run();
    assert_eq!(
        (mode(&directory, "a"), &*read(&directory, "a")),
        (0o600, "out\n")
    );
}

#[test]
fn nothing_else_of_a_file_is_open_in_the_program() {
    let (directory, setup) = in_directory(&["--stdout-path=a", "--stderr-path=b"]);
    assert_eq!(setup.program(&["ls", "/proc/self/fd"]).run().code(), 0);
    // The last is that of the directory.
    assert_eq!(read(&directory, "a"), "0\n1\n2\n3\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    for (stream, path, errno) in [
        ("stdout", "/no/such/file", libc::ENOENT),
        ("stderr", "no/such/file", libc::ENOENT),
        ("stderr", "/", libc::EISDIR),
        ("stdout", "/proc/self/status/x", libc::ENOTDIR),
    ] {
        let outcome = captured(&[&format!("--{stream}-path"), path])
            .program(&["true"])
            .run();
        assert_failed(&outcome, path, errno);
        let role = format!("for {stream}");
        assert!(outcome.failure().message.contains(&role));
    }
}

#[test]
fn a_program_that_is_not_found_leaves_the_file_as_it_is() {
    let (directory, setup) = in_directory(&["--stdout-path=a"]);
    fs::write(directory.path().join("a"), "old").unwrap();
    let outcome = setup.program(&["no-such-program"]).run();
    assert_eq!(outcome.failure().step, "exec");
    assert_eq!(read(&directory, "a"), "old");
}

#[test]
#[ignore = "needs root"]
fn files_are_opened_as_the_programs_user() {
    let (directory, setup) = in_directory(&["--stdout-path=a", "--stderr-path=b", "--uid=nobody"]);
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    set_mode(directory.path(), 0o777);
    assert_eq!(setup.sh(BOTH).run().code(), 0);
    for name in ["a", "b"] {
        let metadata = fs::metadata(directory.path().join(name)).unwrap();
        assert_eq!(metadata.uid(), NOBODY);
    }
    // Only root could write to these.
    let own = directory.path().join("own");
    fs::write(&own, "old").unwrap();
    let own = own.to_str().unwrap();
    let outcome = captured(&["--uid=nobody", "--stdout-path", own])
        .program(&["true"])
        .run();
    assert_failed(&outcome, own, libc::EACCES);
    let user = format!("as user {NOBODY}");
    assert!(outcome.failure().message.contains(&user));
    assert_eq!(fs::read_to_string(own).unwrap(), "old");
    set_mode(directory.path(), 0o755);
    let new = directory.path().join("new");
    let outcome = captured(&["--uid=nobody", "--stderr-path", new.to_str().unwrap()])
        .program(&["true"])
        .run();
    assert_failed(&outcome, new.to_str().unwrap(), libc::EACCES);
    assert!(!new.exists());
}
