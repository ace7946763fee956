// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Cleaning up after a session that was killed.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::error::{Attempt, Error};
use super::group::{DEAD_HOLDER_TIMEOUT, Group};
use super::host::Host;
use super::owned::Cgroup;
use super::plan::Plan;
use super::poll::poll_until;
use super::request::Request;
use crate::wait::Undisturbed;

/// Long enough for one attempt after a dead holder's lock has ceased to count.
const LOCK_TIMEOUT: Duration = DEAD_HOLDER_TIMEOUT.saturating_add(Duration::from_millis(10));

/// What [`clean`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanReport {
    /// Why nothing was done: another muontrap uses the cgroup.
    pub in_use: Option<Error>,
    /// Whether there was anything to clean.
    pub existed: bool,
    /// How many processes were killed.
    pub killed: usize,
    /// How many are left at the deadline.
    pub remaining: usize,
    /// Whether the directories are gone.
    pub removed: bool,
}

/// Kills all processes in the cgroup that would be created for this request, and removes it. Blocks until
/// that is done or the time is over. One that does not exist is clean.
pub fn clean(host: &Host, request: &Request, time: Duration) -> Result<CleanReport, Error> {
    let deadline = Instant::now() + time;
    let mut report = CleanReport::default();
    let Some(mut cgroup) = find(&Plan::new(host, request)?)? else {
        report.removed = true;
        return Ok(report);
    };
    report.existed = true;
    cgroup.refuse_own()?;
    for group in &mut cgroup.groups {
        match lock_within(group, time.min(LOCK_TIMEOUT)) {
            Err(error) if error.is_temporary() => {
                report.in_use = Some(error);
                return Ok(report);
            }
            result => result?,
        }
    }
    let path = cgroup.groups[0].location.path.clone();
    report.remaining = cgroup
        .empty_within(time, &Undisturbed)
        .map_err(|error| Error::io(Attempt::Empty, &path, &error))?;
    if report.remaining > 0 {
        if let Some(frozen) = cgroup.held_frozen() {
            return Err(frozen);
        }
    }
    report.killed = cgroup.killed();
    if report.remaining == 0 {
        let rest = deadline.saturating_duration_since(Instant::now());
        report.removed = cgroup
            .remove_within(rest)
            .map_err(|error| Error::io(Attempt::Remove, &path, &error))?;
    }
    Ok(report)
}

fn lock_within(group: &mut Group, time: Duration) -> Result<(), Error> {
    let since = Instant::now();
    let result = poll_until(since + time, &Undisturbed, || match group.lock(since) {
        Err(error) if error.is_temporary() => ControlFlow::Continue(error),
        result => ControlFlow::Break(result),
    });
    let path = &group.location.path;
    match result.map_err(|error| Error::io(Attempt::WaitFor, path, &error))? {
        ControlFlow::Break(result) => result,
        ControlFlow::Continue(busy) => Err(busy),
    }
}

/// The directories of a plan that exist, and of its alternatives the first.
fn find(plan: &Plan) -> Result<Option<Cgroup>, Error> {
    let mut alternatives = plan.alternatives.iter();
    let more = alternatives.find(|location| location.path.exists());
    let mut groups = vec![];
    for location in plan.locations.iter().chain(more) {
        groups.extend(Group::find(location.clone())?);
    }
    Ok((!groups.is_empty()).then(|| Cgroup::new(plan.version, groups)))
}
