// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Reading and writing files of cgroups, and looking at their directories.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::NixPath;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat};

use super::error::{Attempt, Error};

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
    // openat(2), since the open of musl makes a second system call for close-on-exec.
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    open_at(AT_FDCWD, path, flags)
}

/// The text of a file.
pub(super) fn read_at(dir: BorrowedFd<'_>, name: &str) -> io::Result<String> {
    read_all(open_at(dir, name, OFlag::O_RDONLY)?.into())
}

/// The same by path.
pub(super) fn read(path: &Path) -> io::Result<String> {
    read_all(File::open(path)?)
}

/// The kernel generates these texts for each read, and does not know their size. So read once into a large
/// buffer, without the calls by which `std` finds out the size.
fn read_all(file: File) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(4096);
    file.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a value with one `write(2)`, since the kernel takes each for a value of its own. An error
/// of `close(2)` is an error too.
pub(super) fn write_at(dir: BorrowedFd<'_>, name: &str, value: &str) -> io::Result<()> {
    write_once(open_at(dir, name, OFlag::O_WRONLY)?.into(), value)
}

/// The same by path. Does not create a file, so that one that the kernel does not have is an error.
pub(super) fn write(path: &Path, value: &str) -> io::Result<()> {
    write_once(File::options().write(true).open(path)?, value)
}

fn write_once(mut file: File, value: &str) -> io::Result<()> {
    // The kernel does not see an empty write; an empty line clears a list.
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

/// Whether the file does not exist, or its directory was removed while it was open.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

/// Whether this process lacks the permission, or the mount is read-only.
pub(super) fn is_denied(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EACCES | libc::EPERM | libc::EROFS)
    )
}

/// The words of a file.
pub(super) fn words(path: &Path) -> Result<Vec<String>, Error> {
    let text = read(path).map_err(|error| Error::io(Attempt::Read, path, &error))?;
    Ok(text.split_whitespace().map(String::from).collect())
}

/// access(2) with the effective ids of this process.
pub(super) fn may(path: &Path, what: AccessFlags) -> io::Result<()> {
    Ok(faccessat(AT_FDCWD, path, what, AtFlags::AT_EACCESS)?)
}

/// Whether this process may write to a file or directory.
pub fn is_writable(path: &Path) -> bool {
    may(path, AccessFlags::W_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_to_existing_files_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let dir = open_dir(directory.path()).expect("open");
        std::fs::write(directory.path().join("memory.max"), "").expect("file");
        write_at(dir.as_fd(), "memory.max", "12").expect("write");
        assert_eq!(read_at(dir.as_fd(), "memory.max").expect("read"), "12");
        std::fs::write(directory.path().join("cpuset.cpus"), "").expect("file");
        write_at(dir.as_fd(), "cpuset.cpus", "").expect("write");
        assert_eq!(read_at(dir.as_fd(), "cpuset.cpus").expect("read"), "\n");
        let error = write_at(dir.as_fd(), "missing", "1").expect_err("not created");
        assert!(is_gone(&error));
        assert!(!directory.path().join("missing").exists());
    }

    #[test]
    fn a_refused_write_is_an_error() {
        let dir = open_dir(Path::new("/dev")).expect("open");
        let error = write_at(dir.as_fd(), "full", "1").expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn only_directories_are_opened() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("file"), "").expect("file");
        std::os::unix::fs::symlink("/", directory.path().join("link")).expect("link");
        assert!(open_dir(&directory.path().join("file")).is_err());
        assert!(open_dir(&directory.path().join("link")).is_err());
    }
}
