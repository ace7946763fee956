// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fields about a cgroup, in START and in the CGROUP frames.

use super::fields::{Field, Row, malformed, many, one, read};
use crate::cgroup::Request;
use crate::config;
use crate::error::Failure;
use std::time::Duration;

/// The path of a group.
pub const PATH: Row = one(64, "cgroup_path");
/// A controller that it has to have.
pub const CONTROLLER: Row = many(65, "cgroup_controller");
/// A setting of it.
pub const SET: Row = many(66, "cgroup_set");

/// How long CLEAN tries, unless it says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

const GROUP: [Row; 3] = [PATH, CONTROLLER, SET];

/// A group, as far as it was described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    path: Option<String>,
    controllers: Vec<String>,
    settings: Vec<(String, String)>,
}

impl Group {
    /// Notes a field.
    pub fn take(&mut self, field: Field<'_>) -> Result<(), Failure> {
        let text = field.name()?;
        match field.name {
            "cgroup_path" => self.path = Some(text.to_owned()),
            "cgroup_controller" => self.controllers.push(text.to_owned()),
            _ => self.settings.push(setting(field.name, text)?),
        }
        Ok(())
    }

    /// The group to make for a program, if there is to be one.
    pub fn to_make(self) -> Result<Option<Request>, Failure> {
        if self.path.is_none() && self.controllers.is_empty() && self.settings.is_empty() {
            return Ok(None);
        }
        let request = self.named(None)?;
        request.refuse_empty()?;
        if let Some(setting) = config::freezing(&request) {
            let why = format!("{setting:?} is not {}", config::NO_FREEZING);
            return Err(malformed(SET.name, &why));
        }
        Ok(Some(request))
    }

    /// The group that this describes, which is of the path `own` if it names none.
    fn named(self, own: Option<&str>) -> Result<Request, Failure> {
        let own = || own.map(str::to_owned);
        let group = self.path.or_else(own);
        let request = Request {
            group: group.ok_or_else(|| malformed(PATH.name, "it is missing"))?,
            controllers: self.controllers,
            settings: self.settings,
        };
        request.validate()?;
        Ok(request)
    }
}

fn setting(name: &str, given: &str) -> Result<(String, String), Failure> {
    match given.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(malformed(name, &format!("{given:?} is not file=value"))),
    }
}

/// What to do to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names of the frames
pub enum Action {
    Get,
    Set,
    Statistics,
    Config,
    Clean,
}

/// A CGROUP frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What to do.
    pub action: Action,
    /// The group, its controllers and its settings.
    pub group: Request,
    /// What to read.
    pub files: Vec<String>,
    /// How long to try.
    pub timeout: Duration,
    /// Leave alone, without an error, what somebody else looks after.
    pub unless_in_use: bool,
}

impl Asked {
    /// Reads the fields. `own` is the path of the session's own group.
    pub fn decode(action: Action, payload: &[u8], own: Option<&str>) -> Result<Self, Failure> {
        const TABLE: [Row; 5] = [
            PATH,
            CONTROLLER,
            SET,
            many(67, "cgroup_file"),
            one(68, "timeout"),
        ];
        let mut group = Group::default();
        let mut files = Vec::new();
        let mut timeout = DEFAULT_TIMEOUT;
        read(payload, &TABLE, |field| {
            match field.name {
                "cgroup_file" => files.push(field.name()?.to_owned()),
                "timeout" => timeout = Duration::from_millis(field.number()?.into()),
                _ => group.take(field)?,
            }
            Ok(())
        })?;
        Ok(Self {
            action,
            group: group.named(own)?,
            files,
            timeout,
            unless_in_use: true,
        })
    }
}

/// The fields of a group, for [`decode`].
pub fn encode(request: &Request) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut push = |row: Row, value: &str| {
        payload.extend_from_slice(&row.number.to_be_bytes());
        // Whatever comes in a frame is shorter.
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        payload.extend_from_slice(&length.to_be_bytes());
        payload.extend_from_slice(value.as_bytes());
    };
    push(PATH, &request.group);
    for controller in &request.controllers {
        push(CONTROLLER, controller);
    }
    for (name, value) in &request.settings {
        push(SET, &format!("{name}={value}"));
    }
    payload
}

/// The group that [`encode`] described.
pub fn decode(payload: &[u8]) -> Result<Request, Failure> {
    let mut group = Group::default();
    read(payload, &GROUP, |field| group.take(field))?;
    group.named(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_comes_back_as_it_was() {
        let request = Request {
            group: "a/b".into(),
            controllers: vec!["cpu".into(), "memory".into()],
            settings: vec![("memory.max".into(), "a=b".into())],
        };
        assert_eq!(decode(&encode(&request)).unwrap(), request);
    }

    #[test]
    fn a_session_has_a_group_to_speak_of() {
        let own = Asked::decode(Action::Config, &[], Some("own")).unwrap();
        assert_eq!(own.group.group, "own");
        assert_eq!(own.timeout, DEFAULT_TIMEOUT);
        let failure = Asked::decode(Action::Config, &[], None).unwrap_err();
        assert_eq!(failure.path.to_str(), Some("cgroup_path"));
    }

    #[test]
    fn controllers_without_a_group_are_refused() {
        let mut group = Group::default();
        let value = b"memory";
        let name = CONTROLLER.name;
        group.take(Field { name, value }).unwrap();
        let failure = group.to_make().unwrap_err();
        assert_eq!(failure.path.to_str(), Some("cgroup_path"));
        assert_eq!(Group::default().to_make(), Ok(None));
    }
}
