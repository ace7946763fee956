// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The signals that muontrap acts on, turned into flags and a readable pipe.

use crate::sys;
use nix::sys::signal::SigSet;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Signals that mean "stop the program".
const STOP_SIGNALS: [i32; 4] = [SIGTERM, SIGINT, SIGQUIT, SIGHUP];

/// Pending signals. They are caught from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    child: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    reader: File,
}

impl Signals {
    /// Installs the handlers.
    pub fn install() -> io::Result<Self> {
        let (reader, writer) = sys::pipe()?;
        crate::reactor::set_nonblocking(&reader)?;
        crate::reactor::set_nonblocking(&writer)?;
        let writer: Arc<OwnedFd> = Arc::new(writer);
        let child = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(AtomicBool::new(false));
        sys::on_signal(SIGCHLD, child.clone(), writer.clone())?;
        for signal in STOP_SIGNALS {
            sys::on_signal(signal, stop.clone(), writer.clone())?;
        }
        // Whoever started this process may have blocked some of them.
        SigSet::empty().thread_set_mask()?;
        Ok(Self {
            child,
            stop,
            reader: File::from(reader),
        })
    }

    /// Empties the pipe. The flags must be looked at after this, not before: a signal that comes in
    /// between is then seen twice instead of never.
    pub fn drain(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.reader).read(&mut bytes), Ok(count) if count == bytes.len()) {}
    }

    /// Whether a child may have died since the last call.
    pub fn take_child(&self) -> bool {
        self.child.swap(false, Ordering::Relaxed)
    }

    /// Whether muontrap was told to stop since the last call.
    pub fn take_stop(&self) -> bool {
        self.stop.swap(false, Ordering::Relaxed)
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }
}
