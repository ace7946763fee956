// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Queries of databases that are not files, by way of getent(1) of the C library.

use crate::process::attributes::Attributes;
use crate::process::credentials::Credentials;
use crate::process::program::Program;
use crate::process::spawn::{dev_null, spawn};
use crate::process::stdio::Stdio;
use crate::sys;
use crate::wait::{Undisturbed, Wait};
use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{AccessFlags, Pid, access};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Not by `PATH`, which must not decide what runs as root here.
const PATHS: [&CStr; 2] = [c"/usr/bin/getent", c"/bin/getent"];

/// A directory service that does not reply must not block muontrap.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for its death after SIGKILL.
const DEATH_TIMEOUT: Duration = Duration::from_secs(1);

/// Polling interval.
const DEATH_INTERVAL: Duration = Duration::from_millis(1);

/// Exit status of getent when there is no such entry.
const NOT_FOUND: i32 = 2;

/// The path of getent, if it is installed.
pub fn find() -> Option<&'static CStr> {
    let is_there = |path: &&CStr| access(*path, AccessFlags::X_OK).is_ok();
    PATHS.into_iter().find(is_there)
}

/// Runs getent, and returns its output, which is empty when there is no such entry.
///
/// It is started as programs are, so that it inherits no other descriptors and dies with muontrap. Its environment is
/// empty: muontrap's is meant for the program, and might make getent load other libraries.
pub fn query(getent: &CStr, database: &str, key: &OsStr, wait: &dyn Wait) -> io::Result<Vec<u8>> {
    let argv = [
        CString::from(c"getent"),
        CString::new(database)?,
        CString::new(key.as_bytes())?,
    ];
    let (reader, writer) = sys::pipe()?;
    let program = Program {
        path: getent,
        argv: &argv,
        pid_variable: None,
        environment: Some(&[]),
        stdio: [
            Stdio::Fd(dev_null()?),
            Stdio::Fd(writer),
            Stdio::Fd(dev_null()?),
        ],
        credentials: &Credentials::default(),
        attributes: &Attributes::in_directory(Some(c"/".to_owned())),
        cgroups: Vec::new(),
        terminal: None,
        pty: None,
        cpu_limit: None,
        announcement: None,
    };
    let started = spawn(&program, wait);
    let pid = started
        .map_err(|failure| io::Error::from_raw_os_error(failure.errno))?
        .pid;
    // With it the write end, so that the pipe ends with getent.
    drop(program);
    let deadline = Instant::now() + QUERY_TIMEOUT;
    let output = read_until(reader, deadline, wait);
    let ended = output.and_then(|output| Ok((await_death(pid, deadline, wait)?, output)));
    if ended.is_err() {
        // Its process group, since a getent that is a script has children.
        let _ = sys::kill(-pid, libc::SIGKILL);
        let _ = await_death(pid, Instant::now() + DEATH_TIMEOUT, &Undisturbed);
    }
    match ended? {
        (WaitStatus::Exited(_, 0), output) => Ok(output),
        (WaitStatus::Exited(_, NOT_FOUND), _) => Ok(Vec::new()),
        (WaitStatus::Exited(_, status), _) => Err(failed(getent, &format!("status {status}"))),
        (WaitStatus::Signaled(_, signal, _), _) => Err(failed(getent, signal.as_str())),
        (other, _) => Err(failed(getent, &format!("{other:?}"))),
    }
}

fn failed(getent: &CStr, how: &str) -> io::Error {
    io::Error::other(format!("{} ended with {how}", getent.to_string_lossy()))
}

fn read_until(pipe: OwnedFd, deadline: Instant, wait: &dyn Wait) -> io::Result<Vec<u8>> {
    let mut pipe = File::from(pipe);
    let mut output = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if wait.readable(Some(pipe.as_fd()), left)? {
            match pipe.read(&mut bytes)? {
                0 => return Ok(output),
                count => output.extend_from_slice(&bytes[..count]),
            }
        } else if left.is_zero() {
            return Err(Errno::ETIMEDOUT.into());
        }
    }
}

fn await_death(pid: i32, deadline: Instant, wait: &dyn Wait) -> io::Result<WaitStatus> {
    loop {
        match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if Instant::now() < deadline => {
                wait.pause(DEATH_INTERVAL)?;
            }
            Ok(WaitStatus::StillAlive) => return Err(Errno::ETIMEDOUT.into()),
            Err(Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn its_output_is_that_of_a_shell() {
        let Some(getent) = find() else { return };
        for (database, key) in [
            ("passwd", "nobody"),
            ("passwd", "65534"),
            ("passwd", "12345"),
            ("passwd", "no-such-name"),
            ("group", "daemon"),
            ("group", "no-such-name"),
            ("initgroups", "nobody"),
        ] {
            let by_hand = Command::new(getent.to_str().unwrap())
                .args([database, key])
                .output();
            let output = query(getent, database, key.as_ref(), &Undisturbed).unwrap();
            assert_eq!(output, by_hand.unwrap().stdout, "{database} {key}");
        }
    }

    #[test]
    fn failing_is_an_error() {
        let Some(getent) = find() else { return };
        let error = query(getent, "no-such-database", "x".as_ref(), &Undisturbed).unwrap_err();
        assert!(
            error.to_string().contains("getent ended with status 1"),
            "{error}"
        );
        let error = query(c"/nowhere/getent", "passwd", "x".as_ref(), &Undisturbed).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn a_query_times_out() {
        let (reader, _writer) = sys::pipe().unwrap();
        let error = read_until(reader, Instant::now(), &Undisturbed).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
    }

    #[test]
    fn its_environment_is_empty() {
        // env prints nothing when it has no environment; the arguments set one.
        let printed = query(
            c"/usr/bin/env",
            "DATABASE=passwd",
            "KEY=x".as_ref(),
            &Undisturbed,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(printed).unwrap(),
            "DATABASE=passwd\nKEY=x\n"
        );
        let killed = query(c"/bin/sh", "-c", "kill -KILL $$".as_ref(), &Undisturbed).unwrap_err();
        assert!(killed.to_string().contains("SIGKILL"), "{killed}");
    }
}
