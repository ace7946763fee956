// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is done to the cgroup of a program from outside it, whether its session runs or not.

use super::{CleanReport, Host, LiveCgroup, Request, clean};
use crate::error::{Failure, Step};
use std::time::Duration;

/// How long to try to clean a group, unless told otherwise.
const CLEAN_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Reads files.
    Get,
    /// Writes settings.
    Set,
    /// Reads what the group has used.
    Statistics,
    /// Reads all settings.
    #[default]
    Config,
    /// Kills all that is in the group, and removes it.
    Clean,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub action: Action,
    /// With what to write, or, for `Clean`, with what the group was made with.
    pub group: Request,
    /// What to read.
    pub files: Vec<String>,
    /// How long to try to clean.
    pub timeout: Duration,
    /// Whether it is no error that another session looks after the group.
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

/// Names, which have no white space, and texts.
pub type Values = Vec<(String, String)>;

impl Operation {
    pub fn run(&self) -> Result<Values, Failure> {
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

    fn clean(&self, host: &Host) -> Result<Values, Failure> {
        let report = clean(host, &self.group, self.timeout)?;
        match report.in_use {
            Some(_) if self.unless_in_use => return Ok(vec![]),
            Some(error) => return Err(error.into_failure(Some(&self.group.group))),
            None if report.removed => {}
            None => return Err(not_cleaned(&self.group.group, &report)),
        }
        Ok(vec![("killed".into(), report.killed.to_string())])
    }
}

fn not_cleaned(group: &str, report: &CleanReport) -> Failure {
    let why = match report.remaining {
        0 => "it is still in use".into(),
        count => format!("{count} of its processes could not be killed"),
    };
    let message = format!("cannot remove the cgroup {group:?}: {why}");
    Failure::new(Step::Cgroup, message)
        .errno(libc::EBUSY)
        .path(group)
}
