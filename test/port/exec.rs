// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Finding and executing the program, without a shell. Every failure has its errno.

use crate::executable;
use crate::frames::Failed;
use crate::harness::{Setup, captured, plain};
use crate::processes::eventually;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const ENAMETOOLONG: i32 = 36;
const ELOOP: i32 = 40;

struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        executable::write(&path, content, mode);
        path
    }
}

/// Runs a program that cannot be executed, and checks FAILED.
#[track_caller]
fn refused(setup: Setup, status: u8, errno: i32) -> Failed {
    let outcome = setup.run();
    let failed = outcome.failure().clone();
    assert_eq!((failed.status, failed.errno), (status, errno), "{failed:?}");
    assert_eq!(failed.step, "exec");
    assert!(!failed.message.is_empty());
    assert_eq!(outcome.errors, "", "an owner is told by frame alone");
    failed
}

#[track_caller]
fn refused_path(path: &Path, status: u8, errno: i32) -> Failed {
    let failed = refused(captured(&[]).program(&[path]), status, errno);
    assert_eq!(failed.path, path.to_str().unwrap());
    failed
}

#[track_caller]
fn prints(setup: Setup, expected: &str) {
    let outcome = setup.run();
    assert_eq!(outcome.text(), expected);
    assert_eq!(outcome.code(), 0);
}

/// The same without frames.
#[track_caller]
fn prints_plainly(setup: Setup, expected: &str) {
    let mut owner = setup.start();
    while owner.read_some() {}
    assert_eq!(String::from_utf8_lossy(&owner.bytes), expected);
    eventually("the helper exits", || owner.has_exited());
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.errors);
}

/// Runs a program that cannot be started, without frames. stderr has one line, which contains `text`.
#[track_caller]
fn refused_plainly(setup: Setup, status: i32, text: &str) {
    let mut owner = setup.start();
    eventually("the helper exits", || owner.has_exited());
    let outcome = owner.end();
    assert_eq!(outcome.status.code(), Some(status), "{text}");
    assert!(outcome.errors.starts_with("muontrap: "));
    assert!(outcome.errors.contains(text), "{}", outcome.errors);
    assert_eq!(outcome.errors.lines().count(), 1);
}

// Found

#[test]
fn the_first_in_path_wins() {
    let directory = Directory::new();
    directory.file("one/tool", "not executable", 0o644);
    directory.file("two/tool", "#!/bin/sh\necho two", 0o755);
    directory.file("three/tool", "#!/bin/sh\necho three", 0o755);
    fs::create_dir_all(directory.path("zero/tool")).unwrap();
    let path = ["zero", "missing", "one", "two", "three"].map(|name| directory.path(name));
    let path = std::env::join_paths(path).unwrap();
    prints(captured(&[]).program(&["tool"]).env("PATH", path), "two\n");
}

#[test]
fn empty_elements_of_path_are_the_working_directory() {
    let directory = Directory::new();
    directory.file("tool", "#!/bin/sh\necho here", 0o755);
    for path in [":/bin", "/nowhere::/bin", "/nowhere:", ".", ""] {
        let setup = captured(&[]).program(&["tool"]).env("PATH", path);
        prints(setup.directory(directory.0.path()), "here\n");
    }
}

#[test]
fn a_relative_path_starts_where_the_helper_is_not_where_the_program_goes() {
    let directory = Directory::new();
    directory.file("bin/tool", "#!/bin/sh\npwd", 0o755);
    fs::create_dir(directory.path("elsewhere")).unwrap();
    let elsewhere = fs::canonicalize(directory.path("elsewhere")).unwrap();
    let expected = format!("{}\n", elsewhere.display());
    for cd in [elsewhere.to_str().unwrap(), "elsewhere"] {
        let run = |setup: Setup, program, path| {
            let setup = setup.flags(&["--cd", cd]).program(&[program]);
            setup.env("PATH", path).directory(directory.0.path())
        };
        for (program, path) in [
            ("bin/tool", "/bin"),
            ("./bin/tool", "/bin"),
            ("tool", "bin"),
        ] {
            prints_plainly(run(plain(&[]), program, path), &expected);
        }
        // By START, a name with a slash is looked for in PATH as well.
        for (program, path) in [("bin/tool", "."), ("tool", "bin")] {
            prints(run(captured(&[]), program, path), &expected);
        }
    }
}

#[test]
fn a_symbolic_link_is_as_good() {
    let directory = Directory::new();
    directory.file("real", "#!/bin/sh\necho \"$0\"", 0o755);
    symlink("real", directory.path("link")).unwrap();
    let link = directory.path("link");
    let expected = format!("{}\n", link.display());
    prints(captured(&[]).program(&[&link]), &expected);
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let odd: [&[u8]; 7] = [b"", b" ", b"a b", b"\n", b"\xff\xfe", b"--uid", b"*"];
    let mut program = vec![OsStr::new("printf"), OsStr::new("<%s>")];
    program.extend(odd.iter().map(|word| OsStr::from_bytes(word)));
    let outcome = captured(&[]).program(&program).run();
    assert_eq!(outcome.stdout, b"<>< ><a b><\n><\xff\xfe><--uid><*>");
}

#[test]
fn the_programs_own_name_can_be_chosen() {
    let name = ["cat", "/proc/self/cmdline"];
    prints(
        captured(&["--arg0", "other name"]).program(&name),
        "other name\0/proc/self/cmdline\0",
    );
    prints(captured(&[]).program(&name), "cat\0/proc/self/cmdline\0");
}

#[test]
fn a_hundred_thousand_bytes_of_arguments() {
    let long = "x".repeat(100_000);
    prints(captured(&[]).program(&["printf", "%s", &long]), &long);
}

// Not found

#[test]
fn no_such_program() {
    let failed = refused(captured(&[]).program(&["no-such-program"]), 127, ENOENT);
    assert_eq!(failed.path, "no-such-program");
    refused_plainly(plain(&[]).program(&[""]), 127, "No such file");
    let outcome = captured(&[]).program(&[""]).run();
    assert_eq!(outcome.failure().step, "options");
    refused_path(Path::new("/no/such/program"), 127, ENOENT);
    refused_path(Path::new("/etc/passwd/program"), 127, ENOTDIR);
    let directory = Directory::new();
    symlink("nowhere", directory.path("dangling")).unwrap();
    refused_path(&directory.path("dangling"), 127, ENOENT);
    let nowhere = captured(&[]).program(&["sh"]).env("PATH", "/no:/where");
    refused(nowhere, 127, ENOENT);
}

#[test]
fn names_too_long_to_exist() {
    for length in [5_000, 66_000, 120_000] {
        let name = format!("/{}", "x".repeat(length));
        let setup = captured(&[]).program(&[&name]);
        let outcome = setup.run();
        let failed = outcome.failure();
        assert_eq!(failed.errno, ENAMETOOLONG, "{length}");
        assert!(name.starts_with(&failed.path));
    }
}

#[test]
fn no_working_directory() {
    let directory = Directory::new();
    directory.file("tool", "#!/bin/sh\necho here", 0o755);
    // The helper is started in a directory that is gone by then.
    let script = "d=$(mktemp -d) && cd \"$d\" && rmdir \"$d\" && exec \"$@\"";
    let vanish = ["sh", "-c", script, "sh"];
    prints(captured(&[]).program(&["echo", "x"]).via(&vanish), "x\n");
    let tool = |setup: Setup| setup.program(&["./tool"]).via(&vanish);
    refused_plainly(tool(plain(&[])), 125, "No such file");
    let outcome = tool(captured(&[])).run();
    assert_eq!(outcome.failure().errno, ENOENT);
}

// Not executable

#[test]
fn what_cannot_be_executed() {
    let directory = Directory::new();
    refused_path(&directory.file("plain", "#!/bin/sh\n", 0o644), 126, EACCES);
    refused_path(directory.0.path(), 126, EACCES);
    refused_path(Path::new("/dev/null"), 126, EACCES);
    symlink("loop", directory.path("loop")).unwrap();
    refused_path(&directory.path("loop"), 126, ELOOP);
}

#[test]
fn only_in_path_and_not_executable() {
    let directory = Directory::new();
    let tool = directory.file("tool", "#!/bin/sh\n", 0o644);
    fs::create_dir(directory.path("folder")).unwrap();
    let run = |setup: Setup, program| {
        let setup = setup.program(&[program]);
        setup.env("PATH", directory.0.path())
    };
    // As in a shell, the file that was found is named.
    refused_plainly(run(plain(&[]), "tool"), 126, tool.to_str().unwrap());
    refused_plainly(run(plain(&[]), "folder"), 127, "No such file");
    for program in ["tool", "folder"] {
        refused(run(captured(&[]), program), 127, ENOENT);
    }
}

#[test]
fn a_missing_interpreter_is_named() {
    let directory = Directory::new();
    let script = directory.file("script", "#!/no/such/interpreter -x\n", 0o755);
    let failed = refused_path(&script, 126, ENOENT);
    assert!(
        failed.message.contains("/no/such/interpreter"),
        "{failed:?}"
    );
}

#[test]
fn an_interpreter_with_a_carriage_return_shows_it() {
    let directory = Directory::new();
    let script = directory.file("script", "#!/bin/sh\r\necho x\r\n", 0o755);
    let failed = refused_path(&script, 126, ENOENT);
    assert!(failed.message.contains("/bin/sh\\r"), "{failed:?}");
}

#[test]
fn an_interpreter_that_is_a_directory() {
    let directory = Directory::new();
    let script = directory.file("script", "#!/etc\n", 0o755);
    refused_path(&script, 126, EACCES);
}

#[test]
fn no_shell_steps_in() {
    let directory = Directory::new();
    let ran = directory.path("ran");
    let text = format!("touch {}\n", ran.display());
    for content in [text.as_str(), "", "\n", "\x7fELF", "#"] {
        let file = directory.file("text", content, 0o755);
        let failed = refused_path(&file, 126, ENOEXEC);
        assert!(!failed.advice.is_empty());
        let setup = captured(&[]).program(&["text"]);
        refused(setup.env("PATH", directory.0.path()), 126, ENOEXEC);
        assert!(!ran.exists());
    }
}

#[test]
fn a_binary_for_another_machine() {
    let directory = Directory::new();
    let mut binary = fs::read("/bin/true").unwrap();
    assert_eq!(&binary[..4], b"\x7fELF");
    // An e_machine that no machine has: elf(5).
    binary[18..20].copy_from_slice(&[0xfe, 0xfe]);
    refused_path(&directory.file("true", &binary, 0o755), 126, ENOEXEC);
    // A wrong class, and a file that is cut short.
    binary[4] = 9;
    refused_path(
        &directory.file("class", &binary[..100], 0o755),
        126,
        ENOEXEC,
    );
}

#[test]
fn a_missing_loader_is_no_missing_program() {
    let directory = Directory::new();
    let mut binary = fs::read("/bin/true").unwrap();
    let loader = binary.windows(4).position(|bytes| bytes == b"/lib");
    binary[loader.unwrap()..][..4].copy_from_slice(b"/nix");
    let file = directory.file("true", &binary, 0o755);
    let failed = refused_path(&file, 126, ENOENT);
    assert!(failed.message.contains("loader"), "{failed:?}");
}

// --cd

#[test]
fn directories_that_cannot_be_entered() {
    let directory = Directory::new();
    let file = directory.file("file", "", 0o644);
    let missing = directory.path("missing");
    for (cd, errno) in [(&missing, ENOENT), (&file, ENOTDIR)] {
        let cd = cd.to_str().unwrap();
        let outcome = captured(&["--cd", cd]).program(&["true"]).run();
        let failed = outcome.failure();
        assert_eq!((failed.status, failed.errno), (125, errno));
        assert_eq!((failed.step.as_str(), failed.path.as_str()), ("cd", cd));
        assert!(failed.message.contains(cd));
    }
    let outcome = captured(&["--cd", ""]).program(&["true"]).run();
    assert_eq!(outcome.failure().step, "options");
}

#[test]
fn a_missing_program_and_a_missing_directory() {
    let outcome = captured(&["--cd", "/no/such"]).program(&["true"]).run();
    assert_eq!(outcome.failure().step, "cd");
    let outcome = captured(&["--cd", "/no/such"]).program(&["nope"]).run();
    assert_eq!(outcome.failure().step, "exec");
}

// Without frames

#[test]
fn a_shell_is_told_on_stderr() {
    for (program, status) in [
        ("/no/such", 127),
        ("no-such", 127),
        ("/etc/passwd", 126),
        ("/", 126),
    ] {
        refused_plainly(plain(&[]).program(&[program]), status, program);
    }
}
