// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Choosing between the versions, on a host that has both.

use super::controllers::needed;
use super::version::Version;

/// The controllers of a host.
#[derive(Clone, Debug)]
pub(in crate::cgroup) struct Offer<'a> {
    /// Those of its v2 hierarchy, if it has one.
    pub v2: Option<&'a [String]>,
    /// Those of its v1 hierarchies, which have at least a name. None without such a hierarchy.
    pub v1: Vec<&'a str>,
}

/// The version whose files are used for these controllers and settings. On a host with one version it is that, so
/// that what it lacks is an error, and else v2 if it has all that is needed.
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
    // Without limits, either version will do: v1 tries v2 first, and others where that is out of reach.
    if controllers.is_empty() && settings.is_empty() {
        return Version::V1;
    }
    // Controllers without a name on v2, such as `freezer`, are on v1 here.
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
