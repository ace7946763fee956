// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is done to a group from outside: cleaning up after a helper that was killed, and changing
//! settings while a program runs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::group::{Group, failed};
use super::held::Held;
use super::lock::{DEAD_HOLDER_TIMEOUT, Refusal};
use super::mounts::{Hierarchy, Host, Version};
use super::request::Request;
use super::{suffices, v1};
use crate::error::Failure;
use crate::wait::Undisturbed;

/// Between two attempts to lock.
const TICK: Duration = Duration::from_millis(2);
/// Long enough for one attempt after a dead holder's lock has ceased to count.
const LOCK_TIMEOUT: Duration = DEAD_HOLDER_TIMEOUT.saturating_add(Duration::from_millis(10));

/// What [`clean`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanReport {
    /// Why nothing was done: another muontrap looks after the group.
    pub in_use: Option<Failure>,
    /// Whether there was anything to clean.
    pub existed: bool,
    /// How many processes were killed.
    pub killed: usize,
    /// How many are left at the deadline.
    pub remaining: usize,
    /// Whether the directories are gone.
    pub removed: bool,
}

/// Kills all in the groups that [`super::Cgroup::create`] would make for this request, and removes
/// them. Blocks until that is done or the time is over. A group that does not exist is clean.
///
/// # Errors
///
/// As [`super::Cgroup::create`]; also when a group holds this process or one that started it.
pub fn clean(host: &Host, request: &Request, time: Duration) -> Result<CleanReport, Failure> {
    let deadline = Instant::now() + time;
    let Some(mut held) = find(host, request)? else {
        return Ok(CleanReport {
            removed: true,
            ..CleanReport::default()
        });
    };
    held.refuse_own(request)?;
    for group in &mut held.groups {
        match lock_within(group, request, time.min(LOCK_TIMEOUT)) {
            Ok(()) => {}
            Err(Refusal::Busy(failure)) => return Ok(in_use(failure)),
            Err(Refusal::Failed(failure)) => return Err(failure),
        }
    }
    let path = held.groups[0].path.clone();
    let remaining = held
        .empty_within(time, &Undisturbed)
        .map_err(|error| failed("empty", &path, &error))?;
    let frozen = held.held_frozen().filter(|_| remaining > 0);
    if let Some(frozen) = frozen {
        return Err(frozen);
    }
    let killed = held.killer.killed.len();
    let mut report = CleanReport {
        existed: true,
        killed,
        remaining,
        ..CleanReport::default()
    };
    if remaining == 0 {
        let rest = deadline.saturating_duration_since(Instant::now());
        report.removed = held
            .remove_within(rest)
            .map_err(|error| failed("remove", &path, &error))?;
    }
    Ok(report)
}

fn in_use(failure: Failure) -> CleanReport {
    CleanReport {
        in_use: Some(failure),
        existed: true,
        ..CleanReport::default()
    }
}

fn lock_within(group: &mut Group, request: &Request, time: Duration) -> Result<(), Refusal> {
    let since = Instant::now();
    loop {
        match group.lock(request, since) {
            Err(Refusal::Busy(_)) if since.elapsed() < time => sleep(TICK),
            result => return result,
        }
    }
}

/// Writes the settings of a request to its groups, which must exist.
///
/// # Errors
///
/// As [`super::Cgroup::create`].
pub fn apply(host: &Host, request: &Request) -> Result<(), Failure> {
    if let Some(held) = find(host, request)? {
        return held.furnish(request);
    }
    let error = std::io::Error::from_raw_os_error(libc::ENOENT);
    let hierarchy = host.hierarchies.first().ok_or_else(v1::no_hierarchy)?;
    Err(failed("open", &hierarchy.directory(&request.group), &error))
}

/// The groups of a request, as far as they exist.
fn find(host: &Host, request: &Request) -> Result<Option<Held>, Failure> {
    request.validate()?;
    request.validate_on(host)?;
    let unified = host
        .unified()
        .filter(|unified| suffices(host, unified, request));
    let (version, hierarchies) = match unified {
        Some(unified) => (Version::V2, vec![unified]),
        None => (Version::V1, existing_v1(host, request)?),
    };
    let mut groups = vec![];
    for hierarchy in hierarchies {
        groups.extend(Group::find(hierarchy, request)?);
    }
    Ok((!groups.is_empty()).then(|| Held::new(version, groups)))
}

/// Those that are asked for, and the first in which there is a group to hold processes together.
fn existing_v1<'a>(host: &'a Host, request: &Request) -> Result<Vec<&'a Hierarchy>, Failure> {
    let (mut wanted, spare) = v1::hierarchies(host, request)?;
    wanted.extend(
        spare
            .into_iter()
            .find(|hierarchy| hierarchy.directory(&request.group).exists()),
    );
    Ok(wanted)
}
