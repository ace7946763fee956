// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The exit report, which is the payload of EXITED.

use crate::process::reap::Ending;

/// `docs/protocol.md` describes each. Times are in microseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // the flags of EXITED
pub(crate) struct Report {
    pub ending: Ending,
    pub core_dumped: bool,
    pub oom_killed: bool,
    pub stopped: bool,
    pub needed_sigkill: bool,
    pub cgroup_left: bool,
    pub user_us: u64,
    pub system_us: u64,
    pub peak_rss: u64,
    pub wall_us: u64,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub swept: u32,
    pub survivors: u32,
    pub cgroup_peak: Option<u64>,
}

impl Report {
    pub(super) fn payload(&self) -> Vec<u8> {
        let (how, code) = match self.ending {
            Ending::Exited(code) => (0, code),
            Ending::Signaled(number) => (1, number),
        };
        let flags = [
            self.core_dumped,
            self.oom_killed,
            self.stopped,
            self.needed_sigkill,
            self.cgroup_left,
        ];
        let flags = flags
            .iter()
            .rev()
            .fold(0u8, |bits, &flag| bits << 1 | u8::from(flag));
        let mut payload = vec![how, code, flags];
        for number in [
            self.user_us,
            self.system_us,
            self.peak_rss,
            self.wall_us,
            self.stdout_bytes,
            self.stderr_bytes,
        ] {
            payload.extend_from_slice(&number.to_be_bytes());
        }
        payload.extend_from_slice(&self.swept.to_be_bytes());
        payload.extend_from_slice(&self.survivors.to_be_bytes());
        payload.extend_from_slice(&self.cgroup_peak.unwrap_or(u64::MAX).to_be_bytes());
        payload
    }
}
