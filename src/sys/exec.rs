// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Creating processes, executing programs and exiting: fork(2), execve(2), _exit(2).

use super::check;
use std::ffi::{CStr, CString, c_char};
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Forks: `None` in the child, its pid in the parent. The child may do whatever the parent could.
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: there is no other thread, which could hold a lock that the child needs.
    let pid = check(unsafe { libc::fork() })?;
    Ok((pid != 0).then_some(pid))
}

/// Ends this process, without what the C library and others have registered to run before: _exit(2). For a fork, whose
/// memory they would change first, page by page.
pub fn exit_at_once(status: u8) -> ! {
    // SAFETY: nothing is left to be done by this process.
    unsafe { libc::_exit(status.into()) }
}

/// A null-terminated array of strings, as execve(2) takes it.
#[derive(Debug)]
pub struct StringArray<'a> {
    pointers: Vec<*const c_char>,
    strings: PhantomData<&'a [CString]>,
}

impl<'a> StringArray<'a> {
    /// An array of these strings.
    pub fn new(strings: &'a [CString]) -> Self {
        Self::with_pid(strings, None)
    }

    /// An array of these strings and of a variable.
    pub fn with_pid(strings: &'a [CString], variable: Option<&'a PidVariable>) -> Self {
        let pointers = strings.iter().map(|string| string.as_ptr());
        let variable = variable.map(|variable| variable.bytes.as_ptr().cast());
        Self {
            pointers: pointers.chain(variable).chain([std::ptr::null()]).collect(),
            strings: PhantomData,
        }
    }
}

/// Whether a child may execute its program. Either the child takes it or the parent withdraws it, whichever comes first.
#[derive(Debug, Default)]
pub struct Permit(AtomicBool);

impl Permit {
    /// Returns whether it was not withdrawn. For the child.
    pub fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    /// Returns whether it was not taken.
    #[cfg(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_pointer_width = "64"
    ))]
    pub fn withdraw(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// A variable for the environment, whose value is the pid of the child. The child writes it, since nobody else knows
/// the pid before the exec.
#[derive(Debug)]
pub struct PidVariable {
    /// `NAME=`, digits and null bytes.
    bytes: Box<[AtomicU8]>,
    digits: usize,
}

impl PidVariable {
    /// A variable of this name, without a value yet.
    pub fn new(name: &str) -> Self {
        // More than the digits of any pid, and a null byte.
        let name = name.bytes().chain(*b"=");
        let bytes: Box<[AtomicU8]> = name.chain([0; 16]).map(AtomicU8::new).collect();
        let digits = bytes.len() - 16;
        Self { bytes, digits }
    }

    /// Sets the value. For the child.
    pub fn set(&self, pid: i32) {
        let places = &self.bytes[self.digits..];
        let length = pid.checked_ilog10().map_or(1, |log| log + 1);
        let mut rest = pid;
        for place in places.iter().take(length as usize).rev() {
            let digit = u8::try_from(rest % 10).unwrap_or(0);
            place.store(b'0' + digit, Ordering::Relaxed);
            rest /= 10;
        }
    }
}

/// Executes a program, with the environment of this process unless another is given. Returns only on failure. For
/// the child.
pub fn exec(
    path: &CStr,
    argv: &StringArray<'_>,
    environment: Option<&StringArray<'_>>,
) -> io::Error {
    let (path, argv) = (path.as_ptr(), argv.pointers.as_ptr());
    // SAFETY: all strings and arrays are null-terminated, and live as long as `StringArray` borrows them.
    unsafe {
        match environment {
            Some(environment) => libc::execve(path, argv, environment.pointers.as_ptr()),
            None => libc::execv(path, argv),
        };
    }
    io::Error::last_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_written_in_digits() {
        for pid in [1, 7, 10, 4_194_304] {
            let variable = PidVariable::new("PID");
            variable.set(pid);
            let bytes: Vec<u8> = variable
                .bytes
                .iter()
                .map(|byte| byte.load(Ordering::Relaxed))
                .collect();
            let text = CStr::from_bytes_until_nul(&bytes).unwrap();
            assert_eq!(text.to_str().unwrap(), format!("PID={pid}"));
        }
    }
}
