// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is asked for, and the checks that do not depend on the host.

use std::path::Path;

use super::error::{Error, Part};
use super::host::Host;

/// A cgroup to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Its path from the root of what is mounted, with or without a leading `/`. It is emptied before use
    /// and removed afterwards, with all groups below it.
    pub group: String,
    /// Controllers by their names on either version, beside those that the settings need.
    pub controllers: Vec<String>,
    /// Files and values of either version, in the order of writing.
    pub settings: Vec<(String, String)>,
}

/// Files that would change which processes the group holds, or whether it can hold any.
const NOT_SETTINGS: [&str; 5] = [
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.kill",
    "cgroup.type",
    "cgroup.subtree_control",
];

impl Request {
    /// Checks names and paths. Values are left to the kernel.
    pub fn validate(&self) -> Result<(), Error> {
        check_group(&self.group).map_err(|why| refuse(Part::Group, &self.group, why))?;
        for name in &self.controllers {
            check_controller(name).map_err(|why| refuse(Part::Controller, name, why))?;
        }
        for (name, value) in &self.settings {
            check_setting(name).map_err(|why| refuse(Part::Setting, name, why))?;
            if value.contains(['\0', '\n']) {
                return Err(refuse(Part::Value, name, "it must be one line"));
            }
        }
        Ok(())
    }

    /// Whether it needs controllers.
    pub(super) fn needs_controllers(&self) -> bool {
        !self.controllers.is_empty() || !self.settings.is_empty()
    }

    /// Refuses empty values, which the kernel takes for 0, except where one clears a list.
    pub fn refuse_empty(&self) -> Result<(), Error> {
        let mut settings = self.settings.iter();
        let empty =
            settings.find(|(name, value)| value.trim().is_empty() && !name.starts_with("cpuset."));
        empty.map_or(Ok(()), |(name, _)| {
            Err(refuse(Part::Value, name, "it is empty"))
        })
    }

    /// Refuses a path with the mount point in front, which would mean a group such as `sys/fs/cgroup/...`
    /// inside the hierarchy.
    pub(super) fn validate_on(&self, host: &Host) -> Result<(), Error> {
        let absolute = Path::new("/").join(&self.group);
        for hierarchy in &host.hierarchies {
            let point = &hierarchy.mount_point;
            let Ok(rest) = absolute.strip_prefix(point) else {
                continue;
            };
            if point.components().count() > 1 {
                let mut why = format!("it begins with the mount point {}", point.display());
                if !rest.as_os_str().is_empty() {
                    why = format!("{why}; give only {:?}", rest.display().to_string());
                }
                return Err(refuse(Part::Group, &self.group, why));
            }
        }
        Ok(())
    }
}

fn check_group(group: &str) -> Result<(), String> {
    if group.is_empty() {
        return Err("it is empty".into());
    }
    let below_root = group.strip_prefix('/').unwrap_or(group);
    if below_root.is_empty() {
        return Err("it is the root of the hierarchy".into());
    }
    for name in below_root.split('/') {
        match name {
            "" => return Err("it has an empty component".into()),
            "." | ".." => return Err(format!("it has the component {name:?}")),
            name if name.contains(|c: char| c.is_control()) => {
                return Err("it has a control character".into());
            }
            name if name.len() > 255 => return Err("a component has over 255 bytes".into()),
            _ => {}
        }
    }
    if below_root.len() > 2048 {
        return Err("it has over 2048 bytes".into());
    }
    let usual = Path::new(below_root).strip_prefix("sys/fs/cgroup");
    usual.map_or(Ok(()), |_| {
        Err("it begins with the mount point /sys/fs/cgroup".into())
    })
}

fn check_controller(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-=.".contains(c);
    match name {
        "" => Err("it is empty"),
        name if !name.chars().all(allowed) => Err("it must be a name such as memory"),
        _ => Ok(()),
    }
}

fn check_setting(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.contains('/') {
        return Err("it must be a file name, without a slash");
    }
    let parts: Vec<&str> = name.split('.').collect();
    if !name.chars().all(allowed) || parts.len() < 2 || parts.contains(&"") {
        return Err("it must be a file name such as memory.max");
    }
    if NOT_SETTINGS.contains(&name) {
        return Err("it is reserved for muontrap");
    }
    Ok(())
}

fn refuse(part: Part, name: &str, reason: impl Into<String>) -> Error {
    Error::Invalid {
        part,
        name: name.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(path: &str) -> Request {
        Request {
            group: path.into(),
            ..Request::default()
        }
    }

    fn setting(name: &str, value: &str) -> Request {
        Request {
            settings: vec![(name.into(), value.into())],
            ..group("x")
        }
    }

    #[test]
    fn good_groups() {
        for path in ["a", "/a", "a/b", "/a/b.c-d_e", "user.slice/..x/...", "é"] {
            assert_eq!(group(path).validate(), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn bad_groups() {
        let long = "x".repeat(256);
        let bad = [
            "",
            "/",
            "//",
            "//a",
            "a//b",
            "a/",
            ".",
            "..",
            "../../x",
            "a/../b",
            "a/./b",
            "a\0b",
            "a\nb",
            "a\tb",
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/x",
            "sys/fs/cgroup/x",
            &long,
        ];
        for path in bad {
            let error = group(path).validate().expect_err(path);
            assert_eq!((error.errno(), error.path()), (libc::EINVAL, path.into()));
        }
        assert_eq!(group("/sys/fs/cgroups/x").validate(), Ok(()));
    }

    #[test]
    fn empty_values() {
        for (name, value, good) in [
            ("memory.max", "0", true),
            ("memory.max", "", false),
            ("memory.max", " ", false),
            ("cpuset.cpus", "", true),
        ] {
            let result = setting(name, value).refuse_empty();
            assert_eq!(result.is_ok(), good, "{name} {value:?}");
        }
    }

    #[test]
    fn a_path_that_begins_with_the_mount_point() {
        let host = Host::from_parts("1 0 0:26 / /dev/cg rw - cgroup2 c rw\n", "0::/\n");
        let error = group("/dev/cg/a/b")
            .validate_on(&host)
            .expect_err("refused");
        assert!(
            error.to_string().ends_with("; give only \"a/b\""),
            "{error}"
        );
        assert_eq!(group("/dev/cgx/a").validate_on(&host), Ok(()));
    }

    #[test]
    fn names_of_controllers_and_settings() {
        for name in ["memory", "net_cls", "name=systemd"] {
            let request = Request {
                controllers: vec![name.into()],
                ..group("x")
            };
            assert_eq!(request.validate(), Ok(()), "{name:?}");
        }
        for name in ["", "a/b", "a b", "a\n"] {
            let request = Request {
                controllers: vec![name.into()],
                ..group("x")
            };
            assert!(request.validate().is_err(), "{name:?}");
        }
        for name in ["memory.max", "cpu.cfs_quota_us", "hugetlb.2MB.rsvd.max"] {
            assert_eq!(setting(name, "").validate(), Ok(()), "{name:?}");
        }
        for name in [
            "",
            "/",
            "../x.y",
            "memory/max",
            "memory",
            ".max",
            "memory.",
            "a..b",
            "a.b\n",
        ] {
            assert!(setting(name, "1").validate().is_err(), "{name:?}");
        }
        for name in NOT_SETTINGS {
            assert!(setting(name, "1").validate().is_err(), "{name:?}");
        }
        assert!(setting("memory.max", "1\n2").validate().is_err());
        assert!(setting("memory.max", "1\0").validate().is_err());
    }

    proptest! {
        #[test]
        fn valid_paths_stay_below_the_root(path in "[a./ \n\0]{0,12}") {
            if group(&path).validate().is_ok() {
                for name in path.trim_start_matches('/').split('/') {
                    prop_assert!(!name.is_empty() && name != "." && name != "..");
                }
            }
        }
    }
}
