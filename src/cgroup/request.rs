// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is asked for, and whether it makes sense on any host.

use std::path::Path;

use super::mounts::Host;
use crate::error::{Failure, Step};

/// A cgroup to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Its path from the root of what is mounted, with or without a leading `/`. All that is
    /// below it is taken to be ours: it is emptied before use and removed afterwards.
    pub group: String,
    /// Controllers in either dialect, beside those that the settings need.
    pub controllers: Vec<String>,
    /// Files and values in either dialect, in the order of writing.
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
    /// Checks names and paths. Values are the kernel's to judge.
    pub fn validate(&self) -> Result<(), Failure> {
        check_group(&self.group).map_err(|why| refuse("group", &self.group, &why))?;
        for name in &self.controllers {
            check_controller(name).map_err(|why| refuse("controller", name, why))?;
        }
        for (name, value) in &self.settings {
            check_setting(name).map_err(|why| refuse("setting", name, why))?;
            if value.contains(['\0', '\n']) {
                return Err(refuse("value of", name, "it must be one line"));
            }
        }
        Ok(())
    }

    /// Refuses to write nothing, which the kernel takes for 0, except where it clears a list.
    pub fn refuse_empty(&self) -> Result<(), Failure> {
        let mut settings = self.settings.iter();
        let empty =
            settings.find(|(name, value)| value.trim().is_empty() && !name.starts_with("cpuset."));
        empty.map_or(Ok(()), |(name, _)| {
            Err(refuse("value of", name, "it is empty"))
        })
    }

    /// Checks that the group is not written with the mount point in front, which would quietly
    /// make `sys/fs/cgroup/...` inside the hierarchy.
    pub fn validate_on(&self, host: &Host) -> Result<(), Failure> {
        let absolute = Path::new("/").join(&self.group);
        for hierarchy in &host.hierarchies {
            let point = &hierarchy.mount_point;
            let Ok(rest) = absolute.strip_prefix(point) else {
                continue;
            };
            if point.components().count() > 1 {
                return Err(mount_point_in_front(&self.group, point, rest));
            }
        }
        Ok(())
    }

    /// The names on the way to the group.
    pub(super) fn components(&self) -> Vec<&str> {
        self.group.trim_start_matches('/').split('/').collect()
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
        return Err("it is muontrap's own business");
    }
    Ok(())
}

fn refuse(what: &str, value: &str, why: &str) -> Failure {
    Failure::new(
        Step::Cgroup,
        format!("invalid cgroup {what} {value:?}: {why}"),
    )
    .errno(libc::EINVAL)
    .path(value)
}

fn mount_point_in_front(group: &str, point: &Path, rest: &Path) -> Failure {
    let why = format!("it begins with the mount point {}", point.display());
    let failure = refuse("group", group, &why);
    if rest.as_os_str().is_empty() {
        return failure;
    }
    failure.advice(format!("give only {:?}", rest.display().to_string()))
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
        assert_eq!(group("/a/b").components(), ["a", "b"]);
        assert_eq!(group("a/b").components(), ["a", "b"]);
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
            assert_eq!(
                (error.step, error.errno),
                (Step::Cgroup, libc::EINVAL),
                "{path:?}"
            );
            assert!(error.message.contains(&format!("{path:?}")), "{error}");
        }
        assert_eq!(group("/sys/fs/cgroups/x").validate(), Ok(()));
    }

    #[test]
    fn nothing_is_no_value() {
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
    fn the_real_mount_point_in_front() {
        let host = Host::from_parts("1 0 0:26 / /dev/cg rw - cgroup2 c rw\n", "0::/\n");
        let error = group("/dev/cg/a/b")
            .validate_on(&host)
            .expect_err("refused");
        assert_eq!(error.advice, "give only \"a/b\"");
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
        fn what_is_accepted_stays_below_the_root(path in "[a./ \n\0]{0,12}") {
            if group(&path).validate().is_ok() {
                let components = group(&path);
                for name in components.components() {
                    prop_assert!(!name.is_empty() && name != "." && name != "..");
                }
            }
        }
    }
}
