// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Choosing the version for a request.

use super::controllers::needed;
use super::version::Version;

/// The controllers of a host.
#[derive(Clone, Debug)]
pub(in crate::cgroup) struct Offer<'a> {
    /// Those of the v2 hierarchy; `None` where it is not mounted.
    pub v2: Option<&'a [String]>,
    /// Those of all v1 hierarchies. One without controllers has an entry such as `name=systemd`, so this is empty only
    /// where none is mounted.
    pub v1: Vec<&'a str>,
}

/// The version to use for these controllers and settings. On a host with one version, that one, even if it lacks
/// something: the error will name what is missing. On a host with both, v2 if it has everything that is needed.
pub(in crate::cgroup) fn choose(
    offer: &Offer<'_>,
    controllers: &[String],
    settings: &[(String, String)],
) -> Version {
    let Some(offered) = offer.v2 else {
        return Version::V1;
    };
    if offer.v1.is_empty() {
        return Version::V2;
    }
    // Without limits, either version will do. On v1, v2 is the first alternative for containment, and there are others
    // where this user may not use it.
    if controllers.is_empty() && settings.is_empty() {
        return Version::V1;
    }
    // This includes controllers that v2 does not have by name, such as `freezer`.
    let mut controllers_here = controllers.iter();
    if controllers_here.any(|name| offer.v1.contains(&name.as_str())) {
        return Version::V1;
    }
    match needed(controllers, settings, Version::V2) {
        Ok(needed) if needed.iter().all(|name| offered.contains(name)) => Version::V2,
        _ => Version::V1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_host_with_one_version() {
        let offered = strings(&["memory"]);
        let v2 = Offer {
            v2: Some(&offered),
            v1: vec![],
        };
        let v1 = Offer {
            v2: None,
            v1: vec!["memory"],
        };
        for controllers in [&[][..], &["memory"], &["pids"], &["freezer"]] {
            let controllers = strings(controllers);
            assert_eq!(choose(&v2, &controllers, &[]), Version::V2);
            assert_eq!(choose(&v1, &controllers, &[]), Version::V1);
        }
        let none = Offer {
            v2: None,
            v1: vec![],
        };
        assert_eq!(choose(&none, &[], &[]), Version::V1);
    }

    #[test]
    fn a_hybrid_host() {
        let offered = strings(&["io", "pids"]);
        let offer = Offer {
            v2: Some(&offered),
            v1: vec!["memory", "freezer", "name=systemd"],
        };
        let chosen = |controllers: &[&str], settings: &[&str]| {
            let settings = settings.iter().map(|name| (name.to_string(), "1".into()));
            choose(&offer, &strings(controllers), &settings.collect::<Vec<_>>())
        };
        assert_eq!(chosen(&[], &[]), Version::V1);
        assert_eq!(chosen(&["pids"], &[]), Version::V2);
        assert_eq!(chosen(&["blkio"], &["pids.max"]), Version::V2);
        assert_eq!(chosen(&["memory"], &[]), Version::V1);
        assert_eq!(chosen(&["pids", "memory"], &[]), Version::V1);
        assert_eq!(chosen(&["freezer"], &["pids.max"]), Version::V1);
        assert_eq!(chosen(&["cpu"], &[]), Version::V1);
        assert_eq!(chosen(&[], &["memory.max"]), Version::V1);
    }
}
