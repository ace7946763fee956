// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The fields about a cgroup, in START and in the CGROUP frames.

use super::fields::{Row, decode, malformed, many, one, push, set, set_some};
use super::message::CgroupCommand;
use super::payload::push_field;
use crate::cgroup::{Operation, Request};
use crate::config;
use crate::error::Failure;

const PATH: u16 = 64;
const PATH_NAME: &str = "cgroup_path";
const CONTROLLER: u16 = 65;
const SET: u16 = 66;
const SET_NAME: &str = "cgroup_set";

/// A group, as far as it was described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    path: Option<String>,
    controllers: Vec<String>,
    settings: Vec<(String, String)>,
}

/// The rows of a group, for the table of whatever has one.
pub(super) const fn rows<T: AsMut<Group>>() -> [Row<T>; 3] {
    [
        one(PATH, PATH_NAME, |target: &mut T, field| {
            set_some(&mut target.as_mut().path, field.string())
        }),
        many(CONTROLLER, "cgroup_controller", |target: &mut T, field| {
            push(&mut target.as_mut().controllers, field.string())
        }),
        many(SET, SET_NAME, |target: &mut T, field| {
            let setting = field.checked(config::cgroup_setting(field.utf8()?));
            push(&mut target.as_mut().settings, setting)
        }),
    ]
}

impl AsMut<Self> for Group {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

impl Group {
    /// The group to make for a program; `None` without any description.
    pub(super) fn into_request(self) -> Result<Option<Request>, Failure> {
        if self == Self::default() {
            return Ok(None);
        }
        let request = self.named(None)?;
        request.validate()?;
        request.refuse_empty()?;
        config::check_thawed(&request.settings).map_err(|why| malformed(SET_NAME, &why))?;
        Ok(Some(request))
    }

    /// The described group, whose path is `own` if the description has none.
    fn named(self, own: Option<&str>) -> Result<Request, Failure> {
        let group = self.path.or_else(|| own.map(str::to_owned));
        Ok(Request {
            group: group.ok_or_else(|| malformed(PATH_NAME, "it is missing"))?,
            controllers: self.controllers,
            settings: self.settings,
        })
    }
}

#[derive(Default)]
struct Draft {
    group: Group,
    operation: Operation,
}

impl AsMut<Group> for Draft {
    fn as_mut(&mut self) -> &mut Group {
        &mut self.group
    }
}

const OPERATION: [Row<Draft>; 5] = {
    let [path, controller, set_row] = rows();
    [
        path,
        controller,
        set_row,
        many(67, "cgroup_file", |draft, field| {
            push(&mut draft.operation.files, field.string())
        }),
        one(68, "timeout", |draft, field| {
            set(&mut draft.operation.timeout, field.milliseconds())
        }),
    ]
};

/// What a CGROUP frame asks for. `own` is the path of the session's own group.
pub(crate) fn operation(
    command: CgroupCommand<'_>,
    own: Option<&str>,
) -> Result<Operation, Failure> {
    let mut draft = Draft::default();
    decode(command.fields, &OPERATION, &mut draft)?;
    Ok(Operation {
        action: command.action,
        group: draft.group.named(own)?,
        unless_in_use: true,
        ..draft.operation
    })
}

/// The fields of a group, for [`decode_request`].
pub(super) fn encode_request(request: &Request) -> Vec<u8> {
    let mut payload = Vec::new();
    push_field(&mut payload, PATH, request.group.as_bytes());
    for controller in &request.controllers {
        push_field(&mut payload, CONTROLLER, controller.as_bytes());
    }
    for (name, value) in &request.settings {
        push_field(&mut payload, SET, format!("{name}={value}").as_bytes());
    }
    payload
}

/// The group that [`encode_request`] described.
pub(super) fn decode_request(payload: &[u8]) -> Result<Request, Failure> {
    let mut group = Group::default();
    decode(payload, &rows(), &mut group)?;
    group.named(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Action;
    use std::time::Duration;

    fn request() -> Request {
        Request {
            group: "a/b".into(),
            controllers: vec!["cpu".into(), "memory".into()],
            settings: vec![("memory.max".into(), "a=b".into())],
        }
    }

    #[test]
    fn a_group_comes_back_as_it_was() {
        let request = request();
        assert_eq!(decode_request(&encode_request(&request)).unwrap(), request);
    }

    #[test]
    fn an_operation_is_about_the_sessions_own_group_unless_it_names_one() {
        let decoded = |fields: &[u8], own| {
            let command = CgroupCommand {
                action: Action::Config,
                request: 1,
                fields,
            };
            operation(command, own)
        };
        let own = decoded(&[], Some("own")).unwrap();
        assert_eq!(own.group.group, "own");
        assert_eq!(own.timeout, Operation::default().timeout);
        let failure = decoded(&[], None).unwrap_err();
        assert_eq!(failure.path.to_str(), Some(PATH_NAME));
        let mut fields = encode_request(&request());
        push_field(&mut fields, 67, b"memory.peak");
        push_field(&mut fields, 68, &7_u32.to_be_bytes());
        let other = decoded(&fields, Some("own")).unwrap();
        assert_eq!(other.group, request());
        assert_eq!(other.files, ["memory.peak"]);
        assert_eq!(other.timeout, Duration::from_millis(7));
    }

    #[test]
    fn controllers_without_a_group_are_refused() {
        let group = Group {
            controllers: vec!["memory".into()],
            ..Group::default()
        };
        let failure = group.into_request().unwrap_err();
        assert_eq!(failure.path.to_str(), Some(PATH_NAME));
        assert_eq!(Group::default().into_request(), Ok(None));
    }

    #[test]
    fn a_group_that_would_freeze_its_program_is_refused() {
        let group = Group {
            path: Some("a".into()),
            settings: vec![("cgroup.freeze".into(), "1".into())],
            ..Group::default()
        };
        let failure = group.into_request().unwrap_err();
        assert_eq!(failure.path.to_str(), Some(SET_NAME));
    }
}
