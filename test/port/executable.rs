// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Makes files that are executed. Another process writes them: a descriptor that is open for writing here
//! would be inherited by what other threads fork in that moment, and until they exec, the kernel would
//! refuse to execute the file (ETXTBSY).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Copies an executable.
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: &Path, mode: u32) {
    let mut install = Command::new("install");
    install.arg(format!("--mode={mode:o}")).arg(from.as_ref());
    assert!(install.arg(to).status().unwrap().success());
}

/// Makes one with this content.
#[track_caller]
pub fn write(to: &Path, content: impl AsRef<[u8]>, mode: u32) {
    let mut install = Command::new("install");
    install.arg(format!("--mode={mode:o}")).arg("/dev/stdin");
    let mut install = install.arg(to).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = install.stdin.take().unwrap();
    stdin.write_all(content.as_ref()).unwrap();
    drop(stdin);
    assert!(install.wait().unwrap().success());
}
