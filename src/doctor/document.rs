// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The report for programs: one JSON object, described in `docs/doctor.md`.

use super::Report;
use super::groups::{self, Controller, Verdict, delegated, reason};
use super::json::Json;
use crate::cgroup::{Hierarchy, Version};

/// The whole report.
pub fn of(report: &Report, works: bool) -> Json {
    let hierarchies = report.host.hierarchies.iter().map(hierarchy);
    Json::Map(vec![
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("works", works.into()),
        ("host", report.facts.setting.name().into()),
        ("kernel", report.facts.release.as_str().into()),
        ("user", report.facts.user.as_str().into()),
        ("uid", Json::Number(report.facts.uid.into())),
        ("checks", Json::list(report.checks.clone())),
        ("cgroups", groups::kind(&report.host).into()),
        ("hierarchies", Json::list(hierarchies)),
        ("controllers", Json::list(&report.controllers)),
        ("kill_method", report.kill.into()),
        ("request", (&report.verdict).into()),
    ])
}

impl From<&Controller> for Json {
    fn from(controller: &Controller) -> Self {
        let (version, path) = controller.home.clone().unzip();
        Self::Map(vec![
            ("name", controller.name.as_str().into()),
            ("version", version.map(version_number).into()),
            (
                "mounted",
                path.map(|path| path.display().to_string()).into(),
            ),
            ("enabled", controller.enabled.into()),
            ("delegated", controller.delegated.into()),
            ("writable", controller.writable.into()),
            ("usable", controller.failure.is_none().into()),
            ("why_not", controller.failure.as_ref().map(reason).into()),
            ("mend", Self::list(controller.mends.clone())),
        ])
    }
}

fn version_number(version: Version) -> Json {
    Json::Number(match version {
        Version::V1 => 1,
        Version::V2 => 2,
    })
}

fn hierarchy(hierarchy: &Hierarchy) -> Json {
    Json::Map(vec![
        ("version", version_number(hierarchy.version)),
        (
            "controllers",
            Json::list(hierarchy.offered().iter().cloned()),
        ),
        (
            "mounted",
            hierarchy.mount_point.display().to_string().into(),
        ),
        ("read_only", hierarchy.read_only.into()),
        ("own_group", hierarchy.own_path.as_str().into()),
        ("delegated_from", delegated(hierarchy).into()),
    ])
}

impl From<&Verdict> for Json {
    fn from(verdict: &Verdict) -> Self {
        let plan = verdict.outcome.as_ref().ok();
        let locations = plan.into_iter().flat_map(|plan| &plan.locations);
        let directories = locations.filter_map(|location| location.path.parent());
        Self::Map(vec![
            ("base", verdict.base.as_str().into()),
            ("base_given", verdict.given.into()),
            ("controllers", Self::list(verdict.controllers.clone())),
            ("probed", verdict.probed.into()),
            ("works", verdict.outcome.is_ok().into()),
            ("why_not", verdict.outcome.as_ref().err().map(reason).into()),
            (
                "directories",
                Self::list(directories.map(|path| path.display().to_string())),
            ),
            ("mend", Self::list(verdict.mends.clone())),
        ])
    }
}
