// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::cgroup::dialect::Version;

fn denied() -> Error {
    Error::Io {
        attempt: Attempt::Create,
        path: "/cg/memory/b/x".into(),
        errno: libc::EACCES,
    }
}

#[test]
fn a_failure_names_the_file_and_the_doctor() {
    let failure = denied().into_failure(Some("a/b/x"));
    assert_eq!(failure.message, "failed to create /cg/memory/b/x");
    assert_eq!(failure.errno, libc::EACCES);
    assert_eq!(failure.path, Path::new("/cg/memory/b/x"));
    let advice = format!("`{} --base a/b` tells how to fix it", doctor_command());
    assert_eq!(failure.advice, advice);
}

#[test]
fn the_doctor_gets_the_controllers_that_are_out_of_reach() {
    let error = Error::Denied {
        controllers: vec!["memory".into(), "pids".into()],
        cause: Box::new(denied()),
    };
    let text = "no permission for memory, pids: failed to create /cg/memory/b/x";
    assert_eq!(error.to_string(), text);
    let advice = error.into_failure(Some("x")).advice;
    assert!(advice.contains(" --need memory,pids --base x`"), "{advice}");
}

#[test]
fn what_depends_on_the_request_alone_is_not_for_the_doctor() {
    let version = Version::V2;
    for error in [
        Error::NoEquivalent {
            setting: "devices.allow".into(),
            version,
        },
        Error::Removed {
            path: "/cg/x".into(),
        },
    ] {
        assert_eq!(error.into_failure(Some("x")).advice, "");
    }
}

#[test]
fn the_setting_is_named_where_its_file_has_another_name() {
    let not_set = |exists| {
        let error = Error::NotSet {
            setting: "memory.swap.max".into(),
            value: "1".into(),
            path: "/cg/x/memory.memsw.limit_in_bytes".into(),
            exists,
            errno: libc::EINVAL,
        };
        error.to_string()
    };
    let file = "/cg/x/memory.memsw.limit_in_bytes";
    let refused = format!("failed to write \"1\" to {file} for memory.swap.max");
    assert_eq!(not_set(true), refused);
    let missing = format!("cannot set \"memory.swap.max\": this host has no {file}, because");
    assert!(not_set(false).starts_with(&missing), "{}", not_set(false));
}
