// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Processes in `/proc`: proc(5).

use super::{kill_by_directory, numbers_in};
use crate::sys::{Process, kill};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::OnceLock;

/// `include/linux/sched.h` of the kernel. An exec clears it before it closes descriptors.
const PF_FORKNOEXEC: u32 = 0x40;

/// Reads a line of `/proc/<pid>/stat`: `proc_pid_stat(5)`.
pub fn parse_stat(line: &str) -> Option<Process> {
    // The name is in parentheses and may contain some, so split at the last one.
    let (pid, rest) = line.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let flags: u32 = fields.nth(3)?.parse().ok()?;
    Some(Process {
        pid: pid.parse().ok()?,
        ppid: parent,
        group,
        state,
        threads: fields.nth(10)?.parse().ok()?,
        started: fields.nth(1)?.parse().ok()?,
        is_before_exec: flags & PF_FORKNOEXEC != 0,
    })
}

/// Reads about the process that has this pid at present.
pub fn read_process(pid: i32) -> io::Result<Process> {
    let line = read_record(&File::open(format!("/proc/{pid}/stat"))?)?;
    parse_stat(&line).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The pids of all processes, zombies included. Once it is open, it needs no new descriptor.
#[derive(Debug)]
pub struct ProcessList(File);

impl ProcessList {
    pub fn open() -> io::Result<Self> {
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_DIRECTORY);
        options.open("/proc").map(Self)
    }

    pub fn pids(&self) -> io::Result<Vec<i32>> {
        numbers_in(self.0.as_fd())
    }
}

/// The children of this process, zombies included, which has only one thread: `proc_tid_children(5)`. Once it is open,
/// it needs no new descriptor. Kernels without `CONFIG_PROC_CHILDREN` do not have it.
#[derive(Debug)]
pub struct OwnChildren(File);

impl OwnChildren {
    pub fn open() -> io::Result<Self> {
        File::open("/proc/thread-self/children").map(Self)
    }

    /// No child that exists at the beginning is missed, if none is reaped meanwhile: the kernel appends new ones.
    pub fn pids(&self) -> io::Result<Vec<i32>> {
        read_all(&self.0).map(|list| parse_children(&list))
    }
}

/// Whether `/proc` is that of this process's pid namespace. That stays so, also in forks of this process.
pub fn sees_own_processes() -> bool {
    static SEES: OnceLock<bool> = OnceLock::new();
    *SEES.get_or_init(|| {
        let me = std::fs::read_link("/proc/self");
        me.is_ok_and(|me| me.to_str() == Some(&nix::unistd::getpid().to_string()))
    })
}

/// Changes to the working directory of another process. It is an error if that was deleted.
pub fn enter_directory_of(pid: i32) -> io::Result<()> {
    if !sees_own_processes() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    std::env::set_current_dir(format!("/proc/{pid}/cwd"))?;
    // Fails when the directory has no path any more.
    std::env::current_dir().map(drop)
}

/// The first 15 bytes of the name of a process's program, or those that it has set itself.
pub fn process_name(pid: i32) -> io::Result<Vec<u8>> {
    let name = std::fs::read(format!("/proc/{pid}/comm"))?;
    Ok(name.trim_ascii_end().to_vec())
}

/// The open directory of a process. Reads and signals through it never reach a later process with the same pid.
#[derive(Debug)]
pub struct Entry {
    pid: i32,
    directory: OwnedFd,
}

impl Entry {
    /// Opens the directory of the process that has this pid at present.
    pub fn open(pid: i32) -> io::Result<Self> {
        let directory = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(format!("/proc/{pid}"))?;
        Ok(Self {
            pid,
            directory: directory.into(),
        })
    }

    /// Reads its `stat`.
    pub fn stat(&self) -> io::Result<Process> {
        parse_stat(&self.stat_line()?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads its `stat`, undecoded.
    pub fn stat_line(&self) -> io::Result<String> {
        read_record(&self.open_file("stat", OFlag::empty())?)
    }

    /// Its children, given how many threads it has. Fails with `NotFound` also where the kernel has no such files.
    pub fn children(&self, threads: u32) -> io::Result<Vec<i32>> {
        if threads <= 1 {
            return self.children_of_thread(self.pid);
        }
        let tasks = self.open_file("task", OFlag::O_DIRECTORY)?;
        let mut children = Vec::new();
        for thread in numbers_in(tasks.as_fd())? {
            match self.children_of_thread(thread) {
                Ok(more) => children.extend(more),
                // The thread has ended, and its children became those of another.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(children)
    }

    fn children_of_thread(&self, thread: i32) -> io::Result<Vec<i32>> {
        let list = self.read(&format!("task/{thread}/children"))?;
        Ok(parse_children(&list))
    }

    /// Sends a signal to it. Kernels that cannot do it through the directory need its `stat` from before, to tell it
    /// from a later process.
    pub fn signal(&self, process: &Process, signal: i32) -> io::Result<()> {
        match kill_by_directory(self.directory.as_fd(), signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                if self.stat()?.started == process.started {
                    kill(self.pid, signal)
                } else {
                    Err(io::Error::from_raw_os_error(libc::ESRCH))
                }
            }
            sent => sent,
        }
    }

    fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        Ok(File::from(openat(
            &self.directory,
            name,
            flags,
            Mode::empty(),
        )?))
    }

    fn read(&self, name: &str) -> io::Result<String> {
        read_all(&self.open_file(name, OFlag::empty())?)
    }
}

/// Reads a file of `/proc` from its beginning. It may be read again.
pub fn read_all(file: &File) -> io::Result<String> {
    read_until(file, |count, _room| count == 0)
}

/// Reads a file of `/proc` that has a single record. A read that leaves room has the whole of it.
fn read_record(file: &File) -> io::Result<String> {
    read_until(file, |count, room| count < room)
}

fn read_until(file: &File, is_last: impl Fn(usize, usize) -> bool) -> io::Result<String> {
    let mut bytes = vec![0; 512];
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            bytes.resize(4 * filled, 0);
        }
        let room = &mut bytes[filled..];
        let size = room.len();
        match file.read_at(room, u64::try_from(filled).unwrap_or(u64::MAX)) {
            Ok(count) => {
                filled += count;
                if is_last(count, size) {
                    bytes.truncate(filled);
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads `/proc/<pid>/task/<tid>/children`: `proc_tid_children(5)`.
pub fn parse_children(list: &str) -> Vec<i32> {
    let pids = list.split_ascii_whitespace();
    pids.filter_map(|pid| pid.parse().ok()).collect()
}

/// Whether a file of `/proc` could not be read because the process has ended.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_may_contain_anything() {
        let numbers = "1 2 3 4 64 6 7 8 9 10 11 12 13 14 15 16 17 12345 19 20";
        for name in ["sh", "a b", "a) S 1 (b", ") R 9 9", "(x"] {
            let parsed = parse_stat(&format!("42 ({name}) T 7 {numbers}")).unwrap();
            let expected = Process {
                pid: 42,
                ppid: 7,
                group: 1,
                state: b'T',
                threads: 16,
                started: 12_345,
                is_before_exec: true,
            };
            assert_eq!(parsed, expected, "{name}");
        }
        assert_eq!(parse_stat(""), None);
        assert_eq!(parse_stat("1 (x) S"), None);
    }

    #[test]
    fn a_process_without_its_first_thread_is_alive() {
        let line = |threads| format!("1 (x) Z 1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 {threads} 0 5");
        assert!(!parse_stat(&line(2)).unwrap().is_dead());
        assert!(parse_stat(&line(1)).unwrap().is_dead());
    }

    #[test]
    fn this_process_has_an_entry() {
        let me = nix::unistd::getpid().as_raw();
        let entry = Entry::open(me).unwrap();
        let process = entry.stat().unwrap();
        assert_eq!(
            (process.pid, process.ppid),
            (me, nix::unistd::getppid().as_raw())
        );
        entry.signal(&process, 0).unwrap();
    }

    #[test]
    fn children_of_all_threads_are_found() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let entry = Entry::open(nix::unistd::getpid().as_raw()).unwrap();
        let threads = entry.stat().unwrap().threads.max(2);
        if let Ok(children) = entry.children(threads) {
            assert!(children.contains(&i32::try_from(child.id()).unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn an_entry_is_never_that_of_a_later_process() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let entry = Entry::open(i32::try_from(child.id()).unwrap()).unwrap();
        let process = entry.stat().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&entry.stat().unwrap_err()));
        assert!(is_gone(&entry.signal(&process, 0).unwrap_err()));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".{0,80}") {
            let _ = parse_stat(&line);
            let _ = parse_children(&line);
        }
    }
}
