// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What would be done for a request on a host: a value, for which nothing is touched. A session carries it
//! out (`create.rs`), the doctor checks and prints it.

use std::collections::BTreeSet;

use super::dialect::needed;
use super::error::Error;
use super::host::{Hierarchy, Host};
use super::location::Location;
use super::request::Request;
use super::version::Version;
use super::{v1, v2};

/// How the cgroup of a program would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The version of the files that settings are written to.
    pub version: Version,
    /// The controllers that it needs, by their names on this version.
    pub controllers: BTreeSet<String>,
    /// Its directories, one in each hierarchy.
    pub locations: Vec<Location>,
    /// v1: one directory more, to kill or freeze all processes at once: the first of these that can be
    /// made and entered.
    pub alternatives: Vec<Location>,
    /// What is written to its files, by names of either version.
    pub settings: Vec<(String, String)>,
}

impl Plan {
    /// Plans a cgroup. Depends on nothing but its arguments.
    pub fn new(host: &Host, request: &Request) -> Result<Self, Error> {
        request.validate()?;
        request.validate_on(host)?;
        match host.unified().filter(|_| is_for_v2(host, request)) {
            Some(unified) => Self::on_v2(unified, request),
            None => Self::on_v1(host, request),
        }
    }

    fn on_v2(unified: &Hierarchy, request: &Request) -> Result<Self, Error> {
        let controllers = needed_on(Version::V2, request)?;
        v2::check_available(unified, &controllers)?;
        Ok(Self {
            version: Version::V2,
            controllers,
            locations: vec![Location::new(unified, &request.group)],
            alternatives: vec![],
            settings: request.settings.clone(),
        })
    }

    fn on_v1(host: &Host, request: &Request) -> Result<Self, Error> {
        let controllers = needed_on(Version::V1, request)?;
        let (wanted, alternatives) = v1::hierarchies(host, &controllers)?;
        if wanted.is_empty() && alternatives.is_empty() {
            return Err(Error::NoHierarchy);
        }
        let locate = |hierarchies: Vec<&Hierarchy>| {
            let hierarchies = hierarchies.into_iter();
            hierarchies
                .map(|hierarchy| Location::new(hierarchy, &request.group))
                .collect()
        };
        Ok(Self {
            version: Version::V1,
            controllers,
            locations: locate(wanted),
            alternatives: locate(alternatives),
            settings: request.settings.clone(),
        })
    }

    /// Finds out by looking whether it can be carried out, and returns it with the one alternative that
    /// works as the last location. What only an attempt shows stays unknown: whether the kernel takes the
    /// values, `cgroup.max.descendants`, and the rules of a security module.
    pub fn check(mut self) -> Result<Self, Error> {
        for location in &self.locations {
            location.check_creation()?;
            location.check_entry()?;
            if location.is_v2() {
                v2::check_enabling(location, &self.controllers)?;
            }
        }
        let more = self.first_alternative(|location| {
            location.check_creation()?;
            location.check_entry()?;
            Ok(location.clone())
        });
        self.locations.extend(more?);
        self.alternatives.clear();
        Ok(self)
    }

    /// The first of the alternatives that works. That none does is an error only where the program would be
    /// in no group at all.
    pub(super) fn first_alternative<T>(
        &self,
        mut attempt: impl FnMut(&Location) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut first = None;
        for location in &self.alternatives {
            match attempt(location) {
                Err(error) if error.is_temporary() => return Err(error),
                Err(error) => first = first.or(Some(error)),
                Ok(made) => return Ok(Some(made)),
            }
        }
        match first {
            Some(error) if self.locations.is_empty() => Err(error),
            _ => Ok(None),
        }
    }

    /// The hierarchy by which all processes are killed at once, v2 or the v1 freezer; without one they get
    /// their signals one by one.
    pub fn holder(&self) -> Option<&Hierarchy> {
        let mut hierarchies = self.locations.iter().map(|location| &location.hierarchy);
        hierarchies.find(|hierarchy| hierarchy.version == Version::V2 || hierarchy.has("freezer"))
    }
}

fn needed_on(version: Version, request: &Request) -> Result<BTreeSet<String>, Error> {
    needed(&request.controllers, &request.settings, version)
        .map_err(|mismatch| Error::of_mismatch(mismatch, |file| file.into()))
}

/// Whether to use v2: without v1 always, so that what it lacks is an error, and else if it has all that is
/// needed.
fn is_for_v2(host: &Host, request: &Request) -> bool {
    let Some(unified) = host.unified() else {
        return false;
    };
    if host.legacy().next().is_none() {
        return true;
    }
    // Without limits, either version will do: v1 tries v2 first, and others where that is out of reach.
    if request.controllers.is_empty() && request.settings.is_empty() {
        return false;
    }
    // Controllers without a name on v2, such as `freezer`, are on v1 here.
    let mut controllers = request.controllers.iter();
    if controllers.any(|name| host.legacy_with(name).is_some()) {
        return false;
    }
    needed_on(Version::V2, request)
        .is_ok_and(|needed| needed.iter().all(|name| unified.offered().contains(name)))
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
