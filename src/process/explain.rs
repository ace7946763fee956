// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Why a program was not started, when a step of the child failed.

use super::attributes::privileged;
use super::find;
use super::program::Program;
use super::stdio::{FileToOpen, Stdio};
use super::step::ChildStep;
use crate::error::{Failure, Step};
use crate::sys::{ResourceLimit, UNLIMITED};
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const CAPABILITIES: &str = "capabilities";
const RLIMITS: &str = "rlimits";

/// Explains why `program` was not started, when `step` failed with `errno`.
pub fn explain(step: &ChildStep<'_>, program: &Program<'_>, errno: i32) -> Failure {
    let failure = match step {
        ChildStep::EnterCgroup(cgroup) => return (cgroup.explain)(errno),
        ChildStep::Exec { .. } => return cannot_execute(program, errno),
        ChildStep::Redirect { .. } => cannot("redirect the program's stdio"),
        ChildStep::MakeProcessGroup => cannot("make a process group"),
        ChildStep::MakeSession => cannot("make a session"),
        ChildStep::SetControllingTerminal(_) => cannot("make the terminal that of the program"),
        ChildStep::SetAttribute(attribute, number) => attribute.explain(*number, errno),
        ChildStep::RaiseLimit(limit) => cannot_raise(limit, errno),
        ChildStep::SetLimit(limit) => {
            let (name, soft, hard) = (limit.name, shown(limit.soft()), shown(limit.hard()));
            let message = format!("cannot set the limit {name} to {soft} (soft) and {hard} (hard)");
            Failure::new(Step::Attribute(RLIMITS), message)
        }
        ChildStep::LimitBoundingSet(_) => {
            let what = "drop capabilities from the bounding set";
            privileged(CAPABILITIES, what, errno, what, "SETPCAP")
        }
        ChildStep::KeepCapabilities => {
            let what = "keep capabilities when switching the user";
            Failure::new(Step::Attribute(CAPABILITIES), format!("cannot {what}"))
        }
        ChildStep::SetCapabilities(_) => cannot_set_capabilities(errno),
        ChildStep::SetGroups(_) => only_root(Step::Groups, "set the supplementary groups"),
        ChildStep::SetGid(gid) => {
            only_root(Step::Gid, &format!("switch to group {gid}")).path(gid.to_string())
        }
        ChildStep::SetUid(uid) => {
            only_root(Step::Uid, &format!("switch to user {uid}")).path(uid.to_string())
        }
        ChildStep::ChangeDirectory(path) => cannot_enter(path, program.credentials.uid),
        ChildStep::Open { file, to } => cannot_open(file, *to, program.credentials.uid),
        ChildStep::RefuseSameFile => return same_file(program),
        ChildStep::DieWithParent(_) => cannot("set the parent-death signal of the program"),
        ChildStep::ResetSignals
        | ChildStep::RestoreCpuLimit(_)
        | ChildStep::TakeTerminal(_)
        | ChildStep::Announce(_)
        | ChildStep::UnblockSignals
        | ChildStep::WritePid(_) => cannot("set up the program's process"),
    };
    failure.errno(errno)
}

fn cannot(what: &str) -> Failure {
    Failure::new(Step::Spawn, format!("cannot {what}"))
}

fn cannot_raise(limit: &ResourceLimit, errno: i32) -> Failure {
    let (name, hard) = (limit.name, shown(limit.hard()));
    let what = format!("raise the hard limit {name} to {hard}");
    let why = match name {
        "nofile" => "raise a hard limit, and nofile only up to /proc/sys/fs/nr_open",
        _ => "raise a hard limit",
    };
    privileged(RLIMITS, &what, errno, why, "SYS_RESOURCE")
}

fn shown(limit: u64) -> String {
    if limit == UNLIMITED {
        "unlimited".to_owned()
    } else {
        limit.to_string()
    }
}

fn cannot_set_capabilities(errno: i32) -> Failure {
    let failure = Failure::new(Step::Attribute(CAPABILITIES), "cannot set the capabilities");
    match errno {
        libc::EPERM => failure.advice("only those that muontrap itself has can remain"),
        libc::EINVAL => failure.advice("the kernel does not have one of them"),
        _ => failure,
    }
}

fn only_root(step: Step, what: &str) -> Failure {
    Failure::new(step, format!("cannot {what}"))
        .advice("only root, or CAP_SETUID and CAP_SETGID, may switch users and groups")
}

fn cannot_enter(path: &CStr, uid: Option<u32>) -> Failure {
    let what = format!("change to the directory {:?}", path.to_string_lossy());
    cannot_as(uid, Step::Cd, &what, path)
}

fn cannot_open(file: &FileToOpen, to: RawFd, uid: Option<u32>) -> Failure {
    let (step, role) = match to {
        libc::STDIN_FILENO => (Step::Input, "the input"),
        libc::STDOUT_FILENO => (Step::Output, "the file for stdout"),
        _ => (Step::Output, "the file for stderr"),
    };
    let what = format!("open {role} {:?}", file.path.to_string_lossy());
    cannot_as(uid, step, &what, &file.path)
}

fn same_file(program: &Program<'_>) -> Failure {
    let path = |stream: &Stdio| match stream {
        Stdio::File(file) => file.path.to_bytes().to_owned(),
        _ => Vec::new(),
    };
    let [_, stdout, stderr] = &program.stdio;
    let (stdout, stderr) = (path(stdout), path(stderr));
    let (shown, other) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    let message = format!(
        "the file {shown:?} for stdout and the file {other:?} for stderr are the same, and each would overwrite the other"
    );
    Failure::new(Step::Output, message)
        .path(OsStr::from_bytes(&stderr))
        .advice("send stderr to where stdout goes, or append to both files")
}

fn cannot_as(uid: Option<u32>, step: Step, what: &str, path: &CStr) -> Failure {
    let user = uid.map_or_else(String::new, |uid| format!(" as user {uid}"));
    let failure = Failure::new(step, format!("cannot {what}{user}"));
    failure.path(OsStr::from_bytes(path.to_bytes()))
}

fn cannot_execute(program: &Program<'_>, errno: i32) -> Failure {
    let path = Path::new(OsStr::from_bytes(program.path.to_bytes()));
    if let Some(failure) = limited(program, path, errno) {
        return failure.errno(errno).path(path);
    }
    if program.cgroups.is_empty() || !lacks_memory(program, errno) {
        return find::cannot_execute(path, errno);
    }
    let shown = path.display();
    let message = format!("there is too little memory in the cgroup to execute {shown}");
    Failure::new(Step::Cgroup, message)
        .errno(errno)
        .path(path)
        .advice("raise the limit on memory: most programs take a mebibyte or more")
}

/// Explains an exec that failed because of a limit on resources.
fn limited(program: &Program<'_>, path: &Path, errno: i32) -> Option<Failure> {
    let limits = &program.attributes.rlimits;
    let shown = path.display();
    let names = limits.iter().map(|limit| limit.name);
    let memory: Vec<_> = names
        .filter(|name| ["as", "data", "stack"].contains(name))
        .collect();
    let memory = memory.join(" and ");
    let (message, advice) = match errno {
        libc::ENOMEM if !memory.is_empty() => (
            format!("the limits leave too little memory to execute {shown}"),
            format!("raise {memory}"),
        ),
        libc::E2BIG if !memory.is_empty() => (
            format!("the arguments and environment of {shown} are too long for the limits"),
            format!("raise {memory}: the arguments may take a quarter of stack"),
        ),
        // Only after a change of user: execve(2).
        libc::EAGAIN => (
            format!(
                "cannot execute {shown}: the user has more processes than the limit nproc permits"
            ),
            "raise the limit nproc".to_owned(),
        ),
        _ => return None,
    };
    Some(Failure::new(Step::Attribute(RLIMITS), message).advice(advice))
}

/// Whether an exec failed for want of memory. The kernel also reports `E2BIG` then, for arguments and an
/// environment within the 32 pages that it always accepts: execve(2).
fn lacks_memory(program: &Program<'_>, errno: i32) -> bool {
    const ALWAYS_FITS: usize = 128 * 1024;
    let size = |bytes: usize| bytes + 1 + size_of::<usize>();
    let sizes = |strings: &[CString]| -> usize {
        strings
            .iter()
            .map(|string| size(string.as_bytes().len()))
            .sum()
    };
    let own = || {
        std::env::vars_os()
            .map(|(name, value)| size(name.len() + 1 + value.len()))
            .sum()
    };
    let environment = program.environment.map_or_else(own, sizes);
    let is_short = sizes(program.argv) + environment < ALWAYS_FITS;
    errno == libc::ENOMEM || errno == libc::E2BIG && is_short
}
