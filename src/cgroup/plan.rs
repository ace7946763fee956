// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What would be done for a request on a host, as a value. Making one changes nothing on the host. A session carries it
//! out (`create.rs`), and the doctor checks and prints it.

use std::collections::BTreeSet;

use super::dialect::{Version, choose, needed};
use super::enabling::check_enabling;
use super::error::Error;
use super::hierarchies::hierarchies;
use super::host::{Hierarchy, Host};
use super::location::Location;
use super::request::Request;

/// How the cgroup of a program would be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The version of the files that settings are written to.
    pub version: Version,
    /// The controllers that it needs, by their names on this version.
    pub controllers: BTreeSet<String>,
    /// Its directories, one in each hierarchy.
    pub locations: Vec<Location>,
    /// One more directory is made, to kill or freeze all processes at once: the first of these that can be made and
    /// entered.
    pub alternatives: Vec<Location>,
    /// What is written to its files, by names of either version.
    pub settings: Vec<(String, String)>,
}

impl Plan {
    /// Plans a cgroup. Depends on nothing but its arguments.
    pub fn new(host: &Host, request: &Request) -> Result<Self, Error> {
        request.validate()?;
        request.validate_on(host)?;
        let version = choose(&host.offer(), &request.controllers, &request.settings);
        let controllers = needed(&request.controllers, &request.settings, version)
            .map_err(|mismatch| Error::of_mismatch(mismatch, |file| file.into()))?;
        let hierarchies = hierarchies(host, version, &controllers)?;
        let locate = |hierarchies: Vec<&Hierarchy>| -> Vec<Location> {
            let hierarchies = hierarchies.into_iter();
            let locations = hierarchies.map(|hierarchy| Location::new(hierarchy, &request.group));
            locations.collect()
        };
        let locations = locate(hierarchies.needed);
        let alternatives = locate(hierarchies.alternatives);
        if locations.is_empty() && alternatives.is_empty() {
            return Err(Error::NoHierarchy);
        }
        Ok(Self {
            version,
            controllers,
            locations,
            alternatives,
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
            check_enabling(location, &self.controllers)?;
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

    /// The directories in hierarchies of the plan's version. An alternative may be on the other version, and gets no
    /// controllers.
    pub(super) fn with_controllers(&self) -> impl Iterator<Item = &Location> {
        let locations = self.locations.iter();
        locations.filter(|location| location.hierarchy.version == self.version)
    }

    /// The hierarchy by which all processes are killed at once; without one they get their signals one by one.
    pub fn holder(&self) -> Option<&Hierarchy> {
        let mut hierarchies = self.locations.iter().map(|location| &location.hierarchy);
        hierarchies.find(|hierarchy| hierarchy.freezer().is_some())
    }
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
