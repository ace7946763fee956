// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Many helpers at once, and an idle one.

use crate::frames;
use crate::harness::captured;
use crate::odd_programs::pattern;
use crate::processes::{Mark, eventually, state, status_field};
use std::time::Duration;

const MANY: usize = 300;

#[test]
fn three_hundred_at_once() {
    let mark = Mark::new();
    let start = |_| {
        let setup = captured(&[]).mark(&mark);
        setup.sh("sleep 1000 & echo ready; read x; exit 7").start()
    };
    let mut owners: Vec<_> = (0..MANY).map(start).collect();
    for owner in &mut owners {
        owner.read_until("ready");
    }
    for mut owner in owners {
        owner.send(&frames::input_eof());
        owner.read_to_last();
        let (outcome, _) = owner.end_with_survivors();
        assert_eq!((outcome.code(), outcome.report().swept), (7, 1));
    }
    assert!(mark.alive().is_empty());
}

#[test]
fn three_hundred_at_once_that_write_much() {
    let expected = pattern(66_890);
    let mark = Mark::new();
    let start = |_| captured(&[]).mark(&mark).odd("write 66890").start();
    let owners: Vec<_> = (0..MANY).map(start).collect();
    for mut owner in owners {
        owner.read_to_last();
        let (outcome, _) = owner.end_with_survivors();
        assert!(outcome.stdout == expected);
    }
    assert!(mark.alive().is_empty());
}

#[test]
#[cfg_attr(feature = "portable", ignore = "needs fork events")]
fn an_idle_helper_sleeps() {
    let mut owner = captured(&[])
        .sh("echo ready; exec sleep 1000")
        .start_until("ready");
    let helper = owner.pid;
    let switches = || -> Vec<String> {
        let names = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
        names.map(|name| status_field(helper, name)).to_vec()
    };
    let mut before = Vec::new();
    eventually("it has nothing to do", || {
        let last = std::mem::replace(&mut before, switches());
        last == before && state(helper) == b'S'
    });
    // Not a wait for an event: the helper is observed for this long.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(switches(), before);
    owner.send(&frames::stop());
    owner.finish();
}
