// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! [cgroup v1](https://docs.kernel.org/admin-guide/cgroup-v1/).

use super::interface::{Flag, Freezer, Interface, Memory};

pub(super) static INTERFACE: Interface = Interface {
    filesystem: "cgroup",
    is_unified: false,
    enabling: None,
    contains_delegation: false,
    freezer: Freezer {
        controller: Some("freezer"),
        file: "freezer.state",
        freeze: "FROZEN",
        thaw: "THAWED",
        inherited: Flag {
            file: "freezer.parent_freezing",
            line: "1",
        },
        own: "freezer.self_freezing",
        holds_killed: true,
    },
    kill: None,
    populated: None,
    // A cpuset must be a subset of that of the group above.
    granted: None,
    memory: Memory {
        peak: "memory.max_usage_in_bytes",
        reset: "0",
        oom_kills: "memory.oom_control",
        oom_kills_below: false,
    },
};
