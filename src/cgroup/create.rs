// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Carrying out a plan.

use std::ops::ControlFlow;
use std::time::Instant;

use super::enabling::enable;
use super::error::{Attempt, Error};
use super::fs::{is_writable, words};
use super::group::{BUSY_TIMEOUT, CreatedDirs, Group};
use super::host::Host;
use super::location::Location;
use super::owned::Cgroup;
use super::plan::Plan;
use super::poll::poll_until;
use super::request::Request;
use super::settings::apply_settings;
use crate::wait::Wait;

impl Cgroup {
    /// Creates the cgroup for a request. `known` is what the host was like a moment ago, without the controllers of v2.
    pub fn create_for(
        request: &Request,
        known: Option<&Host>,
        wait: &dyn Wait,
    ) -> Result<Self, Error> {
        let failed = match known.map(|known| create_on(known, request, wait)) {
            Some(Err(error)) => Some(error),
            Some(created) => return created,
            None => None,
        };
        let host = Host::detect_mounted()?;
        match failed {
            Some(error) if known == Some(&host) => Err(error),
            _ => create_on(&host, request, wait),
        }
    }

    /// Creates the cgroup or takes over the one that exists, writes every setting, and opens the files by
    /// which the program enters. On any error, what was created is removed. Blocks while another muontrap
    /// uses the group, and then until its processes are killed: for each, five seconds at most.
    pub fn create(plan: &Plan, wait: &dyn Wait) -> Result<Self, Error> {
        let since = Instant::now();
        let result = poll_until(since + BUSY_TIMEOUT, wait, || {
            match create(plan, wait, since) {
                Err(error) if error.is_temporary() => ControlFlow::Continue(error),
                result => ControlFlow::Break(result),
            }
        });
        match result {
            Ok(ControlFlow::Break(result)) => result.map_err(|error| name_denied(error, plan)),
            Ok(ControlFlow::Continue(busy)) => Err(busy),
            Err(error) => {
                let location = plan.locations.iter().chain(&plan.alternatives).next();
                let path = location.map(|location| location.path.clone());
                Err(Error::io(
                    Attempt::WaitFor,
                    &path.unwrap_or_default(),
                    &error,
                ))
            }
        }
    }
}

fn create_on(mounted: &Host, request: &Request, wait: &dyn Wait) -> Result<Cgroup, Error> {
    let plan = if request.needs_controllers() {
        let mut host = mounted.clone();
        host.read_available();
        Plan::new(&host, request)
    } else {
        Plan::new(mounted, request)
    };
    Cgroup::create(&plan?, wait)
}

fn create(plan: &Plan, wait: &dyn Wait, since: Instant) -> Result<Cgroup, Error> {
    // Declared in this order, so that after an error the directories are removed before their locks are
    // released.
    let mut groups = vec![];
    let mut created = CreatedDirs::default();
    for location in &plan.locations {
        groups.push(Group::make(location, &mut created, since)?);
    }
    let more = plan.first_alternative(|location| make_alternative(location, since))?;
    if let Some((group, more)) = more {
        groups.push(group);
        created.append(more);
    }
    let mut cgroup = Cgroup::new(plan.version, groups);
    cgroup.is_limited = !plan.controllers.is_empty();
    prepare(&mut cgroup, plan, wait).inspect_err(|_| created.undo())?;
    cgroup.created = created.keep();
    Ok(cgroup)
}

fn make_alternative(location: &Location, since: Instant) -> Result<(Group, CreatedDirs), Error> {
    let mut created = CreatedDirs::default();
    let mut group = Group::make(location, &mut created, since)?;
    // In some hierarchies, this user may create a group and not enter it.
    let entered = group.open_entry().and_then(|()| location.check_entry());
    entered.inspect_err(|_| created.undo())?;
    Ok((group, created))
}

fn prepare(cgroup: &mut Cgroup, plan: &Plan, wait: &dyn Wait) -> Result<(), Error> {
    plan.locations.iter().try_for_each(Location::check_entry)?;
    cgroup.take_over(wait)?;
    for location in plan.with_controllers() {
        enable(location, &plan.controllers)?;
    }
    apply_settings(&cgroup.groups, plan.version, &plan.settings)?;
    cgroup.open_entries()
}

/// Adds to a permission error the names of all controllers that this user may not use.
fn name_denied(error: Error, plan: &Plan) -> Error {
    let is_of_group = match &error {
        Error::Io { attempt, .. } => matches!(attempt, Attempt::Create | Attempt::Open),
        Error::NotEnabled { .. } | Error::NoEntry { .. } => true,
        _ => false,
    };
    if !is_of_group || !matches!(error.errno(), libc::EACCES | libc::EPERM) {
        return error;
    }
    let needed = plan.controllers.iter().cloned();
    let controllers: Vec<String> = if let Error::NotEnabled { .. } = &error {
        let enabled = words(&error.path()).unwrap_or_default();
        needed.filter(|name| !enabled.contains(name)).collect()
    } else if plan.version.interface().is_unified {
        needed.collect()
    } else {
        let locations = plan.locations.iter();
        let denied = locations.filter(|location| !is_writable(&location.deepest_existing()));
        denied.map(|location| location.hierarchy.label()).collect()
    };
    if controllers.is_empty() {
        return error;
    }
    let cause = Box::new(error);
    Error::Denied { controllers, cause }
}
