// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Reading and writing the files of cgroups.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::NixPath;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// Opens a file or directory below an open directory, close-on-exec.
pub(super) fn open_at<N: NixPath + ?Sized>(
    dir: impl AsFd,
    name: &N,
    flags: OFlag,
) -> io::Result<OwnedFd> {
    Ok(openat(dir, name, flags | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// Opens a directory, never through a symbolic link.
pub(super) fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    Ok(File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)?
        .into())
}

/// What a file says.
pub(super) fn read_at(dir: BorrowedFd<'_>, name: &str) -> io::Result<String> {
    read_all(open_at(dir, name, OFlag::O_RDONLY)?.into())
}

/// The same by path.
pub(super) fn read(path: &Path) -> io::Result<String> {
    read_all(File::open(path)?)
}

/// The kernel makes these texts anew for each read and knows no size beforehand: so one large read,
/// and none of the questions that `std` asks first.
fn read_all(file: File) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(4096);
    file.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a value with one `write(2)`, for the kernel takes each for a value of its own. An error
/// of `close(2)` is an error too.
pub(super) fn write_at(dir: BorrowedFd<'_>, name: &str, value: &str) -> io::Result<()> {
    write_once(open_at(dir, name, OFlag::O_WRONLY)?.into(), value)
}

/// The same by path. Nothing is created: a file that the kernel does not have must be an error.
pub(super) fn write(path: &Path, value: &str) -> io::Result<()> {
    write_once(File::options().write(true).open(path)?, value)
}

fn write_once(mut file: File, value: &str) -> io::Result<()> {
    // The kernel never hears of an empty write; an empty line is how a list is cleared.
    let bytes = if value.is_empty() {
        b"\n"
    } else {
        value.as_bytes()
    };
    let written = file.write(bytes)?;
    nix::unistd::close(OwnedFd::from(file))?;
    if written == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// The number after `key` in a file of `key number` lines, such as `memory.events`.
pub(super) fn number_after(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, number) = line.split_once(' ')?;
        if name == key {
            number.trim().parse().ok()
        } else {
            None
        }
    })
}

/// Whether an error says that the directory was removed under our hands.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

/// Whether an error says that we may not.
pub(super) fn is_denied(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EACCES | libc::EPERM | libc::EROFS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = open_dir(folder.path()).expect("open");
        std::fs::write(folder.path().join("memory.max"), "").expect("file");
        write_at(dir.as_fd(), "memory.max", "12").expect("write");
        assert_eq!(read_at(dir.as_fd(), "memory.max").expect("read"), "12");
        std::fs::write(folder.path().join("cpuset.cpus"), "").expect("file");
        write_at(dir.as_fd(), "cpuset.cpus", "").expect("write");
        assert_eq!(read_at(dir.as_fd(), "cpuset.cpus").expect("read"), "\n");
        let error = write_at(dir.as_fd(), "missing", "1").expect_err("not created");
        assert!(is_gone(&error));
        assert!(!folder.path().join("missing").exists());
    }

    #[test]
    fn a_refused_write_is_an_error() {
        let dir = open_dir(Path::new("/dev")).expect("open");
        let error = write_at(dir.as_fd(), "full", "1").expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn directories_only_and_no_links() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), "").expect("file");
        std::os::unix::fs::symlink("/", folder.path().join("link")).expect("link");
        assert!(open_dir(&folder.path().join("file")).is_err());
        assert!(open_dir(&folder.path().join("link")).is_err());
    }

    #[test]
    fn numbers_in_keyed_files() {
        let text = "oom 1\noom_kill 23\noom_group_kill 4\n";
        assert_eq!(number_after(text, "oom_kill"), Some(23));
        assert_eq!(number_after(text, "low"), None);
        assert_eq!(number_after("oom_kill x", "oom_kill"), None);
    }
}
