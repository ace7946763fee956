// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Reading, changing and cleaning a cgroup from outside, whether its session runs or not.

use std::time::Duration;

use super::clean::clean;
use super::error::Error;
use super::host::Host;
use super::live::LiveCgroup;
use super::request::Request;
use crate::error::Failure;

/// How long to try to clean a cgroup, unless told otherwise.
const CLEAN_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Reads files.
    Get,
    /// Writes settings.
    Set,
    /// Reads what the cgroup has used.
    Statistics,
    /// Reads all settings.
    #[default]
    Config,
    /// Kills all processes, and removes the cgroup.
    Clean,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub action: Action,
    /// With the settings to write, or, for `Clean`, those that it was created with.
    pub group: Request,
    /// The files to read.
    pub files: Vec<String>,
    /// How long to try to clean.
    pub timeout: Duration,
    /// Whether it is no error that another muontrap uses the cgroup.
    pub unless_in_use: bool,
}

impl Default for Operation {
    fn default() -> Self {
        Self {
            action: Action::default(),
            group: Request::default(),
            files: Vec::new(),
            timeout: CLEAN_TIMEOUT,
            unless_in_use: false,
        }
    }
}

/// Names, which have no white space, and the text of each.
pub type Values = Vec<(String, String)>;

impl Operation {
    pub fn run(&self) -> Result<Values, Failure> {
        self.carry_out()
            .map_err(|error| error.into_failure(Some(&self.group.group)))
    }

    fn carry_out(&self) -> Result<Values, Error> {
        self.group.validate()?;
        let host = Host::detect()?;
        let open = || LiveCgroup::open(&host, &self.group.group);
        match self.action {
            Action::Get => {
                let cgroup = open()?;
                let controller = self.group.controllers.last().map(String::as_str);
                let read = |name: &String| Ok((name.clone(), cgroup.get(controller, name)?));
                self.files.iter().map(read).collect()
            }
            Action::Set => {
                open()?.set(self.group.settings.clone())?;
                Ok(vec![])
            }
            Action::Statistics => Ok(open()?.statistics()),
            Action::Config => Ok(open()?.settings()),
            Action::Clean => self.clean(&host),
        }
    }

    fn clean(&self, host: &Host) -> Result<Values, Error> {
        let report = clean(host, &self.group, self.timeout)?;
        match report.in_use {
            Some(_) if self.unless_in_use => return Ok(vec![]),
            Some(error) => return Err(error),
            None if report.removed => {}
            None => {
                return Err(Error::NotRemoved {
                    group: self.group.group.clone(),
                    remaining: report.remaining,
                });
            }
        }
        Ok(vec![("killed".into(), report.killed.to_string())])
    }
}
