// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The child's set-up between fork and exec, as a list of steps that is built before the fork.
//!
//! The child runs the steps in order and reports the first that fails, which is then explained in the parent. A
//! further step is a variant, a line in [`steps`], an arm in [`ChildStep::run`], and one in `explain.rs`. An attribute
//! that is a number is no further step, but a row in `attributes.rs`.

use super::attributes::{Attribute, Moment};
use super::program::{Announcement, CgroupEntry, Program};
use super::stdio::{FileToOpen, Stdio};
use crate::sys::{
    self, Capabilities, CpuLimit, PidVariable, ResourceLimit, SignalMask, StringArray,
};
use nix::fcntl::{OFlag, open};
use nix::unistd::{Pid, chdir, getpid, getppid, setpgid, setsid, tcsetpgrp, write};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// One step of the child.
#[derive(Debug)]
pub enum ChildStep<'a> {
    /// exec keeps ignored signals ignored, such as SIGPIPE.
    ResetSignals,
    RestoreCpuLimit(CpuLimit),
    MakeProcessGroup,
    /// And a process group in it.
    MakeSession,
    SetControllingTerminal(BorrowedFd<'a>),
    TakeTerminal(BorrowedFd<'a>),
    EnterCgroup(&'a CgroupEntry<'a>),
    Redirect {
        from: RawFd,
        to: RawFd,
    },
    SetAttribute(&'static Attribute, i32),
    /// Raises a hard limit, as long as that is permitted.
    RaiseLimit(ResourceLimit),
    LimitBoundingSet(Capabilities),
    SetGroups(&'a [u32]),
    SetGid(u32),
    KeepCapabilities,
    SetUid(u32),
    SetCapabilities(Capabilities),
    ChangeDirectory(&'a CStr),
    Open {
        file: &'a FileToOpen,
        to: RawFd,
    },
    /// stdout and stderr would overwrite each other in one file.
    RefuseSameFile,
    Announce(Announcement<'a>),
    DieWithParent(Pid),
    SetLimit(ResourceLimit),
    UnblockSignals,
    WritePid(&'a PidVariable),
    Exec {
        path: &'a CStr,
        argv: StringArray<'a>,
        environment: Option<StringArray<'a>>,
    },
}

/// The steps that start `program`, in order.
pub fn steps<'a>(program: &'a Program<'a>) -> Vec<ChildStep<'a>> {
    let credentials = program.credentials;
    let attributes = program.attributes;
    let capabilities = attributes.capabilities;
    let limits: Vec<_> = attributes
        .rlimits
        .iter()
        .map(|limit| limit.accepted())
        .collect();
    let set = |moment| {
        let numbers = attributes.numbers.iter();
        numbers
            .filter(move |(attribute, _)| attribute.moment == moment)
            .map(|&(attribute, number)| ChildStep::SetAttribute(attribute, number))
    };
    let mut steps = Vec::with_capacity(16);
    steps.push(ChildStep::ResetSignals);
    steps.extend(program.cpu_limit.map(ChildStep::RestoreCpuLimit));
    match program.pty {
        Some(terminal) => steps.extend([
            ChildStep::MakeSession,
            ChildStep::SetControllingTerminal(terminal),
        ]),
        None => steps.push(ChildStep::MakeProcessGroup),
    }
    // All signals are blocked, so SIGTTOU does not stop the child.
    steps.extend(program.terminal.map(ChildStep::TakeTerminal));
    steps.extend(program.cgroups.iter().map(ChildStep::EnterCgroup));
    steps.extend(redirections(&program.stdio));
    // Each in need of the privileges that the later ones drop.
    steps.extend(set(Moment::BeforeUser));
    steps.extend(limits.iter().copied().map(ChildStep::RaiseLimit));
    steps.extend(capabilities.map(ChildStep::LimitBoundingSet));
    steps.extend(credentials.groups.as_deref().map(ChildStep::SetGroups));
    steps.extend(credentials.gid.map(ChildStep::SetGid));
    if credentials.uid.is_some() && capabilities.is_some_and(|set| !set.is_empty()) {
        steps.push(ChildStep::KeepCapabilities);
    }
    steps.extend(credentials.uid.map(ChildStep::SetUid));
    steps.extend(capabilities.map(ChildStep::SetCapabilities));
    steps.extend(set(Moment::AfterUser));
    // With the program's permissions, not with muontrap's.
    let cd = attributes.cd.as_deref();
    steps.extend(cd.map(ChildStep::ChangeDirectory));
    // Before it is known that the parent lives: one that dies later is known to have started this process.
    steps.extend(program.announcement.map(ChildStep::Announce));
    // After SetUid and SetCapabilities, which clear the signal: PR_SET_PDEATHSIG(2const).
    steps.push(ChildStep::DieWithParent(getpid()));
    steps.extend(files(&program.stdio));
    if overwrite_each_other(&program.stdio) {
        steps.push(ChildStep::RefuseSameFile);
    }
    steps.extend(set(Moment::AfterFiles));
    // After all that they may keep from working, such as the opening of files.
    steps.extend(limits.into_iter().map(ChildStep::SetLimit));
    steps.push(ChildStep::UnblockSignals);
    let pid = program.pid_variable.as_ref();
    steps.extend(pid.map(ChildStep::WritePid));
    let environment = program.environment;
    steps.push(ChildStep::Exec {
        path: program.path,
        argv: StringArray::new(program.argv),
        environment: environment.map(|strings| StringArray::with_pid(strings, pid)),
    });
    steps
}

/// The same for a child that is created in the cgroup v2 among those of `program`.
pub fn steps_in_cgroup<'a>(program: &'a Program<'a>) -> Vec<ChildStep<'a>> {
    let mut steps = steps(program);
    let is_there = |step: &ChildStep<'_>| matches!(step, ChildStep::EnterCgroup(cgroup) if cgroup.directory.is_some());
    steps.retain(|step| !is_there(step));
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

/// Whether stdout and stderr would do so if their paths led to the same file.
fn overwrite_each_other([_, stdout, stderr]: &[Stdio; 3]) -> bool {
    match (stdout, stderr) {
        (Stdio::File(stdout), Stdio::File(stderr)) => !(stdout.appends() && stderr.appends()),
        _ => false,
    }
}

impl ChildStep<'_> {
    /// Whether the child may run this in memory that it shares with muontrap, which waits for the exec meanwhile.
    ///
    /// Not after a change of user or of capabilities: that user could stop or, without the dumpable flag, trace a process that shares
    /// the memory of a privileged one. Not in a cgroup, which may be frozen for any time. And not while a file is
    /// opened, which may take any time, too: a FIFO waits for a writer.
    pub fn may_share_memory(&self) -> bool {
        match self {
            Self::SetUid(_)
            | Self::SetCapabilities(_)
            | Self::EnterCgroup(_)
            | Self::Open { .. } => false,
            Self::SetAttribute(attribute, _) => attribute.may_share_memory,
            _ => true,
        }
    }

    /// Runs in the child, where only async-signal-safe calls are permitted and nothing may allocate.
    pub fn run(&self) -> io::Result<()> {
        match self {
            Self::ResetSignals => sys::reset_dispositions(),
            // It was muontrap's own, so it cannot fail.
            Self::RestoreCpuLimit(limit) => _ = limit.restore(),
            Self::MakeProcessGroup => setpgid(Pid::from_raw(0), Pid::from_raw(0))?,
            Self::MakeSession => _ = setsid()?,
            Self::SetControllingTerminal(terminal) => sys::set_controlling_terminal(*terminal)?,
            // A program that does not get the terminal now gets it when it asks.
            Self::TakeTerminal(terminal) => _ = tcsetpgrp(terminal, getpid()),
            // "0" means the writer: cgroups(7).
            Self::EnterCgroup(cgroup) => _ = write(cgroup.procs, b"0")?,
            Self::Redirect { from, to } => sys::redirect(*from, *to)?,
            Self::SetAttribute(attribute, number) => (attribute.set)(*number)?,
            Self::RaiseLimit(limit) => limit.raise()?,
            Self::LimitBoundingSet(kept) => sys::limit_bounding_set(*kept)?,
            Self::SetGroups(groups) => sys::set_groups(groups)?,
            Self::SetGid(gid) => sys::set_gid(*gid)?,
            Self::KeepCapabilities => sys::keep_capabilities()?,
            Self::SetUid(uid) => sys::set_uid(*uid)?,
            Self::SetCapabilities(set) => sys::set_capabilities(*set)?,
            Self::ChangeDirectory(path) => chdir(*path)?,
            Self::Open { file, to } => {
                let flags = file.flags | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
                let opened = open(file.path.as_c_str(), flags, file.mode)?;
                sys::redirect(opened.as_raw_fd(), *to)?;
            }
            Self::RefuseSameFile => {
                if sys::is_same_file(libc::STDOUT_FILENO, libc::STDERR_FILENO) {
                    return Err(io::Error::from_raw_os_error(libc::EEXIST));
                }
            }
            // An error means that nobody is there to receive it.
            Self::Announce(Announcement { socket, message }) => {
                let message = message(getppid().as_raw(), getpid().as_raw());
                _ = write(socket, &message);
            }
            Self::DieWithParent(parent) => {
                sys::set_parent_death_signal(libc::SIGKILL)?;
                // If it died before that, the signal never arrives.
                if getppid() != *parent {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
            }
            Self::SetLimit(limit) => limit.set()?,
            Self::UnblockSignals => _ = SignalMask::none().set(),
            Self::WritePid(variable) => variable.set(getpid().as_raw()),
            Self::Exec {
                path,
                argv,
                environment,
            } => return Err(sys::exec(path, argv, environment.as_ref())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::attributes::{ATTRIBUTES, Attributes};
    use crate::process::credentials::Credentials;
    use crate::process::program::ANNOUNCEMENT_SIZE;
    use std::os::fd::AsFd as _;

    fn program<'a>(credentials: &'a Credentials, attributes: &'a Attributes) -> Program<'a> {
        Program {
            path: c"/bin/true",
            argv: &[],
            environment: None,
            pid_variable: None,
            stdio: [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit],
            credentials,
            attributes,
            cgroups: Vec::new(),
            terminal: None,
            pty: None,
            cpu_limit: None,
            announcement: None,
        }
    }

    fn another_user() -> Credentials {
        Credentials {
            groups: Some(vec![1]),
            gid: Some(1),
            uid: Some(1),
        }
    }

    fn names(program: &Program<'_>) -> Vec<String> {
        let name = |step: &ChildStep<'_>| match step {
            ChildStep::SetAttribute(attribute, _) => attribute.name.to_owned(),
            step => format!("{step:?}")
                .split([' ', '('])
                .next()
                .unwrap()
                .to_owned(),
        };
        steps(program).iter().map(name).collect()
    }

    #[test]
    fn order() {
        let null = || Stdio::Fd(std::fs::File::open("/dev/null").unwrap().into());
        let terminal = std::fs::File::open("/dev/null").unwrap();
        let (none, default) = (Credentials::default(), Attributes::default());
        let credentials = another_user();
        let attributes = Attributes::in_directory(Some(c"/".to_owned()));
        let mut program = program(&none, &default);
        program.stdio = [Stdio::Inherit, null(), Stdio::Stdout];
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
        program.announcement = Some(Announcement {
            socket: terminal.as_fd(),
            message: |_, _| [0; ANNOUNCEMENT_SIZE],
        });
        assert_eq!(names(&program)[8..10], ["Announce", "DieWithParent"]);
        program.announcement = None;
        program.pty = Some(terminal.as_fd());
        assert_eq!(
            names(&program)[1..3],
            ["MakeSession", "SetControllingTerminal"]
        );
        program.pty = None;
        // stderr leads to the file only once that is open.
        let output = FileToOpen::output(c"output".to_owned(), false, 0o600);
        program.stdio = [null(), Stdio::File(output), Stdio::Stdout];
        assert_eq!(names(&program)[2..4], ["Redirect", "SetGroups"]);
        assert_eq!(
            names(&program)[8..11],
            ["Open", "Redirect", "UnblockSignals"]
        );
        for (append, follows) in [(false, "RefuseSameFile"), (true, "UnblockSignals")] {
            let output = |append| FileToOpen::output(c"output".to_owned(), append, 0o600);
            program.stdio = [
                null(),
                Stdio::File(output(true)),
                Stdio::File(output(append)),
            ];
            assert_eq!(names(&program)[8..11], ["Open", "Open", follows]);
        }
    }

    #[test]
    fn what_takes_privileges_comes_before_the_switch() {
        let credentials = another_user();
        let attributes = Attributes {
            cd: Some(c"/".to_owned()),
            numbers: ATTRIBUTES.iter().map(|attribute| (attribute, 1)).collect(),
            rlimits: vec![ResourceLimit::new("core", 0, 0).unwrap()],
            capabilities: Capabilities::named("kill"),
        };
        assert_eq!(
            names(&program(&credentials, &attributes))[2..],
            [
                "nice",
                "oom_score_adj",
                "RaiseLimit",
                "LimitBoundingSet",
                "SetGroups",
                "SetGid",
                "KeepCapabilities",
                "SetUid",
                "SetCapabilities",
                "umask",
                "ChangeDirectory",
                "DieWithParent",
                "no_new_privs",
                "SetLimit",
                "UnblockSignals",
                "Exec"
            ]
        );
    }
}
