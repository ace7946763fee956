// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The child's set-up between fork and exec, as a list of steps that is built before the fork.
//!
//! The child runs the steps in order and reports the first that fails, which is then explained in the parent. A
//! further step is a variant, a line in [`steps`], and an arm in each of [`ChildStep::run`] and [`ChildStep::explain`].

use super::credentials::Credentials;
use super::find;
use super::stdio::{FileToOpen, Stdio};
use crate::error::{Failure, Step};
use crate::sys::{self, CpuLimit, SignalMask, StringArray};
use nix::fcntl::{OFlag, open};
use nix::unistd::{Pid, chdir, getpid, getppid, setpgid, tcsetpgrp, write};
use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Settings that become steps as they are.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// The working directory, when it is not muontrap's own.
    pub cd: Option<CString>,
}

impl Attributes {
    /// The defaults, in this working directory.
    pub fn in_directory(cd: Option<CString>) -> Self {
        Self { cd }
    }
}

/// A cgroup to enter.
pub struct CgroupEntry<'a> {
    /// Its `cgroup.procs`, open for writing.
    pub procs: BorrowedFd<'a>,
    /// Explains the errno of a write to it.
    pub explain: Box<dyn Fn(i32) -> Failure + 'a>,
}

impl fmt::Debug for CgroupEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CgroupEntry").field(&self.procs).finish()
    }
}

/// A program to start, with all that its set-up needs.
pub struct Program<'a> {
    /// The file to execute.
    pub path: &'a CStr,
    /// Its arguments, `argv[0]` included.
    pub argv: &'a [CString],
    /// Its environment, when it is not muontrap's own.
    pub environment: Option<&'a [CString]>,
    /// stdin, stdout, stderr.
    pub stdio: [Stdio; 3],
    /// User and groups to switch to.
    pub credentials: &'a Credentials,
    /// Other settings of its process.
    pub attributes: &'a Attributes,
    /// Its cgroup: one, or with v1 one in each hierarchy.
    pub cgroups: Vec<CgroupEntry<'a>>,
    /// The terminal whose foreground group its process group becomes.
    pub terminal: Option<BorrowedFd<'a>>,
    /// The limit on CPU time that muontrap lifted for itself.
    pub cpu_limit: Option<CpuLimit>,
}

/// One step of the child.
#[derive(Debug)]
pub enum ChildStep<'a> {
    /// exec keeps ignored signals ignored, such as SIGPIPE.
    ResetSignals,
    RestoreCpuLimit(CpuLimit),
    MakeProcessGroup,
    TakeTerminal(BorrowedFd<'a>),
    EnterCgroup(&'a CgroupEntry<'a>),
    Redirect {
        from: RawFd,
        to: RawFd,
    },
    SetGroups(&'a [u32]),
    SetGid(u32),
    SetUid(u32),
    ChangeDirectory(&'a CStr),
    Open {
        file: &'a FileToOpen,
        to: RawFd,
    },
    DieWithParent(Pid),
    UnblockSignals,
    Exec {
        path: &'a CStr,
        argv: StringArray<'a>,
        environment: Option<StringArray<'a>>,
    },
}

/// The steps that start `program`, in order.
pub fn steps<'a>(program: &'a Program<'a>) -> Vec<ChildStep<'a>> {
    let credentials = program.credentials;
    let cd = program.attributes.cd.as_deref();
    let mut steps = Vec::with_capacity(16);
    steps.push(ChildStep::ResetSignals);
    steps.extend(program.cpu_limit.map(ChildStep::RestoreCpuLimit));
    steps.push(ChildStep::MakeProcessGroup);
    // All signals are blocked, so SIGTTOU does not stop the child.
    steps.extend(program.terminal.map(ChildStep::TakeTerminal));
    steps.extend(program.cgroups.iter().map(ChildStep::EnterCgroup));
    steps.extend(redirections(&program.stdio));
    // Each in need of the privileges that the later ones drop.
    steps.extend(credentials.groups.as_deref().map(ChildStep::SetGroups));
    steps.extend(credentials.gid.map(ChildStep::SetGid));
    steps.extend(credentials.uid.map(ChildStep::SetUid));
    // With the program's permissions, not with muontrap's.
    steps.extend(cd.map(ChildStep::ChangeDirectory));
    // After SetUid, which clears the signal: PR_SET_PDEATHSIG(2const).
    steps.push(ChildStep::DieWithParent(getpid()));
    steps.extend(files(&program.stdio));
    steps.push(ChildStep::UnblockSignals);
    steps.push(ChildStep::Exec {
        path: program.path,
        argv: StringArray::new(program.argv),
        environment: program.environment.map(StringArray::new),
    });
    steps
}

fn redirections(stdio: &[Stdio; 3]) -> impl Iterator<Item = ChildStep<'_>> {
    let source = |stream: &Stdio| match stream {
        Stdio::Inherit | Stdio::File(_) => None,
        Stdio::Fd(fd) => Some(fd.as_raw_fd()),
        Stdio::Stdout if stdout_is_file(stdio) => None,
        Stdio::Stdout => Some(libc::STDOUT_FILENO),
    };
    let redirect = move |(to, stream)| source(stream).map(|from| ChildStep::Redirect { from, to });
    (0..).zip(stdio).filter_map(redirect)
}

/// The descriptors that lead to files, and stderr if it is to lead to the same file as stdout.
fn files(stdio: &[Stdio; 3]) -> impl Iterator<Item = ChildStep<'_>> {
    (0..).zip(stdio).filter_map(|(to, stream)| match stream {
        Stdio::File(file) => Some(ChildStep::Open { file, to }),
        Stdio::Stdout if stdout_is_file(stdio) => {
            let from = libc::STDOUT_FILENO;
            Some(ChildStep::Redirect { from, to })
        }
        _ => None,
    })
}

fn stdout_is_file(stdio: &[Stdio; 3]) -> bool {
    matches!(stdio[1], Stdio::File(_))
}

impl ChildStep<'_> {
    /// Whether the child may run this in memory that it shares with muontrap, which waits for the exec meanwhile.
    ///
    /// Not after a change of user: that user could stop or, without the dumpable flag, trace a process that shares
    /// the memory of a privileged one. Not in a cgroup, which may be frozen for any time. And not while a file is
    /// opened, which may take any time, too: a FIFO waits for a writer.
    pub fn may_share_memory(&self) -> bool {
        !matches!(
            self,
            Self::SetUid(_) | Self::EnterCgroup(_) | Self::Open { .. }
        )
    }

    /// Runs in the child, where only async-signal-safe calls are permitted and nothing may allocate.
    pub fn run(&self) -> io::Result<()> {
        match self {
            Self::ResetSignals => sys::reset_dispositions(),
            // It was muontrap's own, so it cannot fail.
            Self::RestoreCpuLimit(limit) => _ = limit.restore(),
            Self::MakeProcessGroup => setpgid(Pid::from_raw(0), Pid::from_raw(0))?,
            // A program that does not get the terminal now gets it when it asks.
            Self::TakeTerminal(terminal) => _ = tcsetpgrp(terminal, getpid()),
            // "0" means the writer: cgroups(7).
            Self::EnterCgroup(cgroup) => _ = write(cgroup.procs, b"0")?,
            Self::Redirect { from, to } => sys::redirect(*from, *to)?,
            Self::SetGroups(groups) => sys::set_groups(groups)?,
            Self::SetGid(gid) => sys::set_gid(*gid)?,
            Self::SetUid(uid) => sys::set_uid(*uid)?,
            Self::ChangeDirectory(path) => chdir(*path)?,
            Self::Open { file, to } => {
                let flags = file.flags | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
                let opened = open(file.path.as_c_str(), flags, file.mode)?;
                sys::redirect(opened.as_raw_fd(), *to)?;
            }
            Self::DieWithParent(parent) => {
                sys::set_parent_death_signal(libc::SIGKILL)?;
                // If it died before that, the signal never arrives.
                if getppid() != *parent {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
            }
            Self::UnblockSignals => _ = SignalMask::none().set(),
            Self::Exec {
                path,
                argv,
                environment,
            } => return Err(sys::exec(path, argv, environment.as_ref())),
        }
        Ok(())
    }

    /// Why `program` was not started, when this failed with `errno`.
    pub fn explain(&self, program: &Program<'_>, errno: i32) -> Failure {
        let failure = match self {
            Self::EnterCgroup(cgroup) => return (cgroup.explain)(errno),
            Self::Exec { .. } => return cannot_execute(program, errno),
            Self::Redirect { .. } => cannot("redirect the program's stdio"),
            Self::MakeProcessGroup => cannot("make a process group"),
            Self::SetGroups(_) => only_root(Step::Groups, "set the supplementary groups"),
            Self::SetGid(gid) => {
                only_root(Step::Gid, &format!("switch to group {gid}")).path(gid.to_string())
            }
            Self::SetUid(uid) => {
                only_root(Step::Uid, &format!("switch to user {uid}")).path(uid.to_string())
            }
            Self::ChangeDirectory(path) => cannot_enter(path, program.credentials.uid),
            Self::Open { file, to } => cannot_open(file, *to, program.credentials.uid),
            Self::DieWithParent(_) => cannot("set the parent-death signal of the program"),
            Self::ResetSignals
            | Self::RestoreCpuLimit(_)
            | Self::TakeTerminal(_)
            | Self::UnblockSignals => cannot("set up the program's process"),
        };
        failure.errno(errno)
    }
}

fn cannot(what: &str) -> Failure {
    Failure::new(Step::Spawn, format!("cannot {what}"))
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

fn cannot_as(uid: Option<u32>, step: Step, what: &str, path: &CStr) -> Failure {
    let user = uid.map_or_else(String::new, |uid| format!(" as user {uid}"));
    let failure = Failure::new(step, format!("cannot {what}{user}"));
    failure.path(OsStr::from_bytes(path.to_bytes()))
}

fn cannot_execute(program: &Program<'_>, errno: i32) -> Failure {
    let path = Path::new(OsStr::from_bytes(program.path.to_bytes()));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(program: &Program<'_>) -> Vec<String> {
        let name = |step| {
            format!("{step:?}")
                .split([' ', '('])
                .next()
                .unwrap()
                .to_owned()
        };
        steps(program).iter().map(name).collect()
    }

    #[test]
    fn order() {
        let null = || Stdio::Fd(std::fs::File::open("/dev/null").unwrap().into());
        let credentials = Credentials {
            groups: Some(vec![1]),
            gid: Some(1),
            uid: Some(1),
        };
        let attributes = Attributes::in_directory(Some(c"/".to_owned()));
        let mut program = Program {
            path: c"/bin/true",
            argv: &[],
            environment: None,
            stdio: [Stdio::Inherit, null(), Stdio::Stdout],
            credentials: &Credentials::default(),
            attributes: &Attributes::default(),
            cgroups: Vec::new(),
            terminal: None,
            cpu_limit: None,
        };
        assert_eq!(
            names(&program),
            [
                "ResetSignals",
                "MakeProcessGroup",
                "Redirect",
                "Redirect",
                "DieWithParent",
                "UnblockSignals",
                "Exec"
            ]
        );
        assert!(steps(&program).iter().all(ChildStep::may_share_memory));
        program.stdio[0] = Stdio::File(FileToOpen::input(c"input".to_owned()));
        assert!(!steps(&program).iter().all(ChildStep::may_share_memory));
        program.credentials = &credentials;
        program.attributes = &attributes;
        assert_eq!(
            names(&program)[4..10],
            [
                "SetGroups",
                "SetGid",
                "SetUid",
                "ChangeDirectory",
                "DieWithParent",
                "Open"
            ]
        );
        assert!(!steps(&program).iter().all(ChildStep::may_share_memory));
        // stderr leads to the file only once that is open.
        let output = FileToOpen::output(c"output".to_owned(), false, 0o600);
        program.stdio = [null(), Stdio::File(output), Stdio::Stdout];
        assert_eq!(names(&program)[2..4], ["Redirect", "SetGroups"]);
        assert_eq!(
            names(&program)[8..11],
            ["Open", "Redirect", "UnblockSignals"]
        );
    }
}
