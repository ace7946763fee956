// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The text of errors. What can be done about them on this kind of host is left to the doctor, which the advice names.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use super::error::{Attempt, Blocked, Error, Leftover, Part};
use crate::error::{Failure, Step};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        error.into_failure(None)
    }
}

impl Error {
    /// What to report when a program was to run in the group `group`.
    pub fn into_failure(self, group: Option<&str>) -> Failure {
        Failure::new(Step::Cgroup, self.to_string())
            .errno(self.errno())
            .path(self.path())
            .advice(self.advice(group))
    }

    fn advice(&self, group: Option<&str>) -> String {
        let controllers = match self {
            Self::Denied { controllers, .. } => controllers.as_slice(),
            Self::NotMounted { needed, .. } => needed,
            Self::NotOffered { controller, .. } | Self::NotEnabled { controller, .. } => {
                std::slice::from_ref(controller)
            }
            Self::NoHierarchy
            | Self::NoEntry { .. }
            | Self::Io {
                attempt: Attempt::Create | Attempt::Open,
                errno: libc::EACCES | libc::EPERM | libc::EROFS,
                ..
            } => &[],
            Self::InUse { .. } => {
                return "a cgroup_path is for one program at a time; below a cgroup_base, each program has a \
                        group of its own"
                    .into();
            }
            Self::HoldsMuontrap { .. } => {
                return "choose a group for this program alone, such as a new one beside it".into();
            }
            Self::NoFile { .. } => {
                return "a group has the controllers that were asked for when it was created"
                    .into();
            }
            _ => return String::new(),
        };
        let need = match controllers {
            [] => String::new(),
            names => format!(" --need {}", names.join(",")),
        };
        let base = group.map(|group| match group.rsplit_once('/') {
            Some((base, _)) if !base.is_empty() => base,
            _ => group,
        });
        let base = base.map_or_else(String::new, |base| format!(" --base {base}"));
        format!("`{}{need}{base}` tells how to fix it", doctor_command())
    }
}

/// The doctor, by the path of this program: there may be no Mix here.
pub fn doctor_command() -> String {
    let helper = std::env::current_exe().unwrap_or_else(|_| "muontrap".into());
    format!("{} doctor", helper.display())
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { part, name, reason } => {
                write!(f, "invalid cgroup {part} {name:?}: {reason}")
            }
            Self::NoHierarchy => f.write_str("no cgroup hierarchy is mounted on this host"),
            Self::UnknownController { name, nearest } => {
                write!(f, "there is no cgroup controller {name:?}")?;
                nearest.map_or(Ok(()), |nearest| write!(f, " (did you mean {nearest:?}?)"))
            }
            Self::NotMounted { controller, needed } => not_mounted(f, controller, needed),
            Self::NotOffered { controller, list } => {
                let list = list.display();
                write!(f, "there is no controller {controller:?} in {list}")
            }
            Self::NoController { name, version } => {
                write!(f, "{version} has no controller {name:?}")
            }
            Self::NoEquivalent { setting, version } => {
                let why = "has no equivalent setting";
                write!(f, "cannot set {setting:?}: {version} {why}")
            }
            Self::Untranslatable {
                setting,
                value,
                path,
                reason,
                ..
            } => {
                let path = path.display();
                write!(
                    f,
                    "cannot translate {setting} {value:?} for {path}: {reason}"
                )
            }
            Self::NoGroup { name, .. } => write!(f, "there is no cgroup {name:?}"),
            Self::NoFile { name, group } => {
                write!(f, "{} has no file for {name:?}", group.display())
            }
            Self::Io {
                attempt,
                path,
                errno,
            } => {
                let why = explain(attempt, *errno);
                write!(f, "failed to {attempt} {}{why}", path.display())
            }
            Self::NotSet {
                setting,
                value,
                path,
                exists,
                errno,
            } => not_set(f, setting, value, (path, *exists), *errno),
            Self::NotGranted {
                value,
                path,
                granted,
            } => {
                let path = path.display();
                let why = "the group above grants only";
                write!(f, "failed to write {value:?} to {path}: {why} {granted:?}")
            }
            Self::NotEnabled {
                controller, errno, ..
            } => {
                let (path, why) = (self.path(), explain_enabling(*errno));
                let path = path.display();
                write!(f, "failed to write \"+{controller}\" to {path}{why}")
            }
            Self::NoEntry {
                group,
                unwritable,
                errno,
            } => no_entry(f, group, unwritable.as_deref(), *errno),
            Self::Denied { controllers, cause } => {
                write!(f, "no permission for {}: {cause}", controllers.join(", "))
            }
            Self::InUse {
                path,
                holder,
                is_below,
            } => in_use(f, path, *holder, *is_below),
            Self::Removed { path } => write!(f, "{} is being removed", path.display()),
            Self::Frozen {
                group,
                file,
                blocked,
            } => frozen(f, group, file, *blocked),
            Self::HoldsMuontrap { path, ancestor } => holds_muontrap(f, path, *ancestor),
            Self::NotRemoved { group, remaining } => not_removed(f, group, *remaining),
            Self::NotEmptied { path, leftover } => {
                write!(f, "{} exists and cannot be emptied", path.display())?;
                let why = "of its processes could not be killed";
                match leftover {
                    Leftover::Processes(count) => write!(f, ": {count} {why}"),
                    Leftover::Errno(_) => Ok(()),
                }
            }
        }
    }
}

fn not_mounted(f: &mut Formatter<'_>, controller: &str, needed: &[String]) -> fmt::Result {
    let what = "no cgroup hierarchy with the controller";
    write!(f, "{what} {controller:?} is mounted")?;
    let others = needed.iter().map(String::as_str);
    let others: Vec<&str> = others.filter(|name| *name != controller).collect();
    if others.is_empty() {
        return Ok(());
    }
    write!(f, " (also needed: {})", others.join(", "))
}

fn not_set(
    f: &mut Formatter<'_>,
    setting: &str,
    value: &str,
    (path, exists): (&Path, bool),
    errno: i32,
) -> fmt::Result {
    let file = path.file_name().unwrap_or_default();
    let shown = path.display();
    let swap = file.to_string_lossy();
    let swap = swap.contains(".memsw.") || swap.contains(".swap.");
    if !exists {
        write!(f, "cannot set {setting:?}: this host has no {shown}")?;
        let why =
            ", because its kernel does not count swap, or only when booted with swapaccount=1";
        return f.write_str(if swap { why } else { "" });
    }
    write!(f, "failed to write {value:?} to {shown}")?;
    if file != setting {
        write!(f, " for {setting}")?;
    }
    f.write_str(match errno {
        libc::EACCES | libc::EPERM => {
            ", which belongs to another user, or the groups above do not allow it"
        }
        libc::ENODEV => ", which takes the MAJ:MIN of a whole disk",
        _ => "",
    })
}

fn in_use(f: &mut Formatter<'_>, path: &Path, holder: Option<i32>, is_below: bool) -> fmt::Result {
    let what = if is_below {
        " holds a group that is in use"
    } else {
        " is in use"
    };
    write!(f, "{}{what}", path.display())?;
    holder.map_or(Ok(()), |pid| write!(f, " by process {pid}"))
}

fn no_entry(
    f: &mut Formatter<'_>,
    group: &Path,
    unwritable: Option<&Path>,
    errno: i32,
) -> fmt::Result {
    write!(f, "the program cannot enter {}", group.display())?;
    match unwritable {
        Some(file) => write!(f, ": {} is not writable", file.display()),
        None => f.write_str(explain_entry(errno)),
    }
}

fn frozen(f: &mut Formatter<'_>, group: &Path, file: &Path, blocked: Blocked) -> fmt::Result {
    let (group, file) = (group.display(), file.display());
    let what = match blocked {
        Blocked::Start => "start",
        Blocked::End => "end",
    };
    let why = "while a group above it is frozen";
    write!(f, "a program in {group} cannot {what} {why}: {file}")
}

fn holds_muontrap(f: &mut Formatter<'_>, path: &Path, ancestor: Option<i32>) -> fmt::Result {
    write!(f, "refusing to use {}: it holds ", path.display())?;
    match ancestor {
        Some(pid) => write!(f, "process {pid}, which started muontrap"),
        None => f.write_str("muontrap itself"),
    }
}

fn not_removed(f: &mut Formatter<'_>, group: &str, remaining: usize) -> fmt::Result {
    write!(f, "cannot remove the cgroup {group:?}: ")?;
    match remaining {
        0 => f.write_str("it is still in use"),
        count => write!(f, "{count} of its processes could not be killed"),
    }
}

fn explain(attempt: &Attempt, errno: i32) -> &'static str {
    match (attempt, errno) {
        (Attempt::Create, libc::EAGAIN) => {
            ": a group above it has reached its cgroup.max.descendants or cgroup.max.depth"
        }
        (Attempt::Create, libc::ENOTDIR | libc::EEXIST) => ": this is the name of a file",
        _ => "",
    }
}

/// The rules are in <https://docs.kernel.org/admin-guide/cgroup-v2.html>.
fn explain_enabling(errno: i32) -> &'static str {
    match errno {
        libc::EBUSY => ": a group that enables controllers must hold no process itself",
        libc::EOPNOTSUPP => ": the group is threaded, and not a domain",
        _ => "",
    }
}

fn explain_entry(errno: i32) -> &'static str {
    match errno {
        libc::EBUSY => ", because it enables controllers for groups below it",
        libc::EOPNOTSUPP => ", because it is threaded or below a threaded group",
        libc::ENOSPC => ", because its cpuset.cpus or cpuset.mems is empty",
        _ => "",
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group",
            Self::Controller => "controller",
            Self::Setting => "setting",
            Self::Value => "value of",
            Self::File => "file",
        })
    }
}

impl Display for Attempt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("create"),
            Self::Open => f.write_str("open"),
            Self::Read => f.write_str("read"),
            Self::Write(value) => write!(f, "write {value:?} to"),
            Self::Empty => f.write_str("empty"),
            Self::Remove => f.write_str("remove"),
            Self::WaitFor => f.write_str("wait for"),
        }
    }
}

#[cfg(test)]
#[path = "error_text_test.rs"]
mod tests;
