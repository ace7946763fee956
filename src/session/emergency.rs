// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The panic hook: kills and sweeps before it aborts.
//!
//! A panic is a bug in muontrap, but must not leave a program running. The state of the session may be inconsistent
//! or borrowed then, so what the hook needs is recorded here.

use super::abort;
use super::containment::Containment;
use crate::cgroup::Locations;
use crate::diagnostics;
use crate::process::sweep::{Handover, Sweep};
use crate::sys;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::PanicHookInfo;

/// No process group has this id: pids are smaller.
const NO_GROUP: i32 = i32::MAX;

/// What the hook kills and removes.
#[derive(Debug)]
struct Record {
    /// The program's pid, until it is reaped.
    program: Option<i32>,
    /// The program's process group.
    group: i32,
    handover: Handover,
    cgroup: Option<Locations>,
}

thread_local! {
    /// That of the only thread. Without a destructor, it needs no memory but this, which is in a page that every process
    /// writes to.
    static RECORD: ManuallyDrop<RefCell<Option<Record>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

pub(crate) fn install() {
    std::panic::set_hook(Box::new(on_panic));
}

fn update(change: impl FnOnce(&mut Record)) {
    RECORD.with(|record| record.borrow_mut().as_mut().map(change));
}

/// Makes the hook kill all children but the preexisting ones.
pub(super) fn arm(handover: Handover) {
    replace(Some(Record {
        program: None,
        group: NO_GROUP,
        handover,
        cgroup: None,
    }));
}

/// Makes the hook kill nothing: orphans may stay.
pub(super) fn disarm() {
    replace(None);
}

fn replace(new: Option<Record>) {
    RECORD.with(|record| record.replace(new));
}

pub(super) fn record_cgroup(locations: Locations) {
    update(|record| record.cgroup = Some(locations));
}

pub(super) fn record_start(pid: i32) {
    update(|record| {
        record.program = Some(pid);
        record.group = pid;
    });
}

/// The program was reaped, so its pid may be reused.
pub(super) fn record_death() {
    update(|record| record.program = None);
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    // Taken, so that a panic in this hook does not repeat it.
    let record = RECORD.with(|record| record.try_borrow_mut().ok()?.take());
    if let Some(record) = record {
        kill(record);
    }
    diagnostics::say(format_args!("this is a bug in muontrap: {panic}"));
    // Also in tests, where a panic would unwind.
    std::process::abort();
}

fn kill(record: Record) {
    let signal_program = |signal| {
        // Errors are ignored: the program may be dead, or have become another user's.
        if let Some(program) = record.program {
            let _ = sys::kill(program, signal);
            let _ = sys::kill(-program, signal);
        }
    };
    // Where orphans become children of init, its children have to be found before it dies, and it must not fork after that.
    signal_program(libc::SIGSTOP);
    let mut sweep = Sweep::taking_over(record.handover);
    sweep.set_program(record.group);
    signal_program(libc::SIGKILL);
    let mut containment = Containment::new(record.cgroup.map(Locations::open), sweep);
    containment.begin_sweep();
    abort::tear_down(&mut containment, true);
}

/// Panics in the state that `MUONTRAP_PANIC_IN` names.
#[cfg(feature = "panic-on-purpose")]
pub(super) fn inject_panic(state: &str) {
    let wanted = std::env::var_os("MUONTRAP_PANIC_IN");
    assert!(
        wanted.is_none_or(|wanted| wanted != state),
        "on purpose, in {state}"
    );
}

#[cfg(not(feature = "panic-on-purpose"))]
pub(super) fn inject_panic(_state: &str) {}
