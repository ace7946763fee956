// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The panic hook: kills and sweeps before it aborts.
//!
//! A panic is a bug in muontrap, but must not leave a program running. The state of the session cannot be
//! relied on or even borrowed then, so what the hook needs is kept here.

use super::abort;
use super::containment::Containment;
use crate::cgroup::Locations;
use crate::diagnostics;
use crate::process::sweep::{Preexisting, Sweep};
use crate::sys;
use std::panic::PanicHookInfo;
use std::sync::Mutex;

/// No process group has this id: pids are smaller.
const NO_GROUP: i32 = i32::MAX;

/// What to kill and to remove.
#[derive(Debug)]
struct Record {
    /// The program, until it is collected.
    program: Option<i32>,
    /// Its process group.
    group: i32,
    preexisting: Preexisting,
    cgroup: Option<Locations>,
}

static RECORD: Mutex<Option<Record>> = Mutex::new(None);

fn change(change: impl FnOnce(&mut Option<Record>)) {
    if let Ok(mut record) = RECORD.lock() {
        change(&mut record);
    }
}

/// Installs the panic hook.
pub fn install() {
    std::panic::set_hook(Box::new(end));
}

/// From now on, a panic kills all children but these.
pub fn prepare(preexisting: Preexisting) {
    change(|record| {
        *record = Some(Record {
            program: None,
            group: NO_GROUP,
            preexisting,
            cgroup: None,
        });
    });
}

/// The program's group.
pub fn note_cgroup(locations: Locations) {
    change(|record| {
        if let Some(record) = record {
            record.cgroup = Some(locations);
        }
    });
}

/// The program was started.
pub fn note_start(pid: i32) {
    change(|record| {
        if let Some(record) = record {
            record.program = Some(pid);
            record.group = pid;
        }
    });
}

/// The program was collected, so its pid may soon be another's.
pub fn note_death() {
    change(|record| {
        if let Some(record) = record {
            record.program = None;
        }
    });
}

/// What is left may stay: a panic kills nothing any more.
pub fn forget() {
    change(|record| *record = None);
}

fn end(panic: &PanicHookInfo<'_>) {
    // Taken, so that a panic in here does not try again.
    let record = RECORD.try_lock().ok().and_then(|mut record| record.take());
    if let Some(record) = record {
        kill(record);
    }
    diagnostics::say(format_args!("this is a bug in muontrap: {panic}"));
    // Not left to the panic's strategy, which is another in tests.
    std::process::abort();
}

fn kill(record: Record) {
    // The program first. It may be dead, or another user's.
    if let Some(program) = record.program {
        let _ = sys::kill(program, libc::SIGKILL);
        let _ = sys::kill(-program, libc::SIGKILL);
    }
    let mut sweep = Sweep::sparing(record.preexisting);
    sweep.set_program(record.group);
    let mut containment = Containment::new(record.cgroup.map(Locations::open), sweep);
    containment.begin_sweep();
    abort::finish(&mut containment, true);
}

/// Panics where `MUONTRAP_PANIC_IN` says so.
///
/// # Panics
///
/// That is what it is for.
#[cfg(feature = "panic-on-purpose")]
pub fn rehearse(state: &str) {
    let wanted = std::env::var_os("MUONTRAP_PANIC_IN");
    assert!(
        wanted.is_none_or(|wanted| wanted != state),
        "on purpose, in {state}"
    );
}

/// Does nothing but in tests.
#[cfg(not(feature = "panic-on-purpose"))]
pub fn rehearse(_state: &str) {}
