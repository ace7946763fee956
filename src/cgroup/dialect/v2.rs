// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! [cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html).

use super::interface::{Enabling, Flag, Freezer, Interface, Memory};

pub(super) static INTERFACE: Interface = Interface {
    filesystem: "cgroup2",
    is_unified: true,
    enabling: Some(Enabling {
        has: "cgroup.controllers",
        enables: "cgroup.subtree_control",
    }),
    // The documentation calls it "delegation containment".
    contains_delegation: true,
    freezer: Freezer {
        controller: None,
        file: "cgroup.freeze",
        freeze: "1",
        thaw: "0",
        inherited: Flag {
            file: "cgroup.events",
            line: "frozen 1",
        },
        own: "cgroup.freeze",
        holds_killed: false,
    },
    // Linux 5.14 and newer.
    kill: Some("cgroup.kill"),
    populated: Some(Flag {
        file: "cgroup.events",
        line: "populated 1",
    }),
    granted: Some(".effective"),
    memory: Memory {
        // Linux 5.19 and newer; it can be reset since 6.12.
        peak: "memory.peak",
        reset: "reset\n",
        oom_kills: "memory.events",
        oom_kills_below: true,
    },
};
