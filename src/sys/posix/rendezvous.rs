// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! A socket in a folder of its own: unix(7).

use nix::unistd::{getpid, mkdtemp};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// `sun_path` has room for 104 bytes, of which a client's address has 17 more than the socket's.
const LONGEST_FOLDER: usize = 80;

/// A socket to which clients connect. The folder is removed with it.
#[derive(Debug)]
pub struct Rendezvous {
    socket: UnixListener,
    folder: PathBuf,
    path: PathBuf,
    /// Forks of this process leave the folder alone.
    owner: nix::unistd::Pid,
}

impl Rendezvous {
    /// Listens at a path in a new folder that only this user may enter.
    pub fn bind() -> io::Result<Self> {
        let template = std::env::temp_dir().join("muontrap-XXXXXX");
        let folder = if template.is_absolute() && template.as_os_str().len() <= LONGEST_FOLDER {
            mkdtemp(&template)?
        } else {
            mkdtemp("/tmp/muontrap-XXXXXX")?
        };
        let path = folder.join("s");
        let socket = UnixListener::bind(&path)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            folder,
            path,
            owner: getpid(),
        })
    }

    /// The path.
    pub fn address(&self) -> Vec<u8> {
        self.path.as_os_str().as_bytes().to_vec()
    }

    /// Accepts a connection, and returns what the client's own address has behind this one. The file of that address
    /// is removed.
    pub fn accept(&self) -> io::Result<(UnixStream, Option<Vec<u8>>)> {
        let (stream, address) = self.socket.accept()?;
        // BSD lets connections inherit it.
        stream.set_nonblocking(false)?;
        let suffix = address.as_pathname().and_then(|path| {
            let name = path.as_os_str().as_bytes();
            let suffix = name.strip_prefix(self.path.as_os_str().as_bytes())?;
            let is_file = suffix.starts_with(b".") && !suffix.contains(&b'/');
            is_file.then(|| {
                let _ = std::fs::remove_file(path);
                suffix.to_vec()
            })
        });
        Ok((stream, suffix))
    }

    /// Connects to it.
    #[cfg(test)]
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.path)
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        if getpid() == self.owner {
            remove_folder(&self.folder);
        }
    }
}

/// Removes a folder that has only files.
fn remove_folder(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
    let _ = std::fs::remove_dir(folder);
}

impl AsFd for Rendezvous {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
