// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What is said when permission is missing: all controllers at once, and the doctor's command.

use super::advice;
use super::lock::Refusal;
use super::request::Request;
use crate::error::Failure;

/// Names all controllers that are out of reach in a refusal for lack of permission; leaves any other one
/// alone.
pub(super) fn name_all(
    refusal: Refusal,
    request: &Request,
    controllers: impl FnOnce() -> Vec<String>,
) -> Refusal {
    match refusal {
        Refusal::Failed(failure) if matches!(failure.errno, libc::EACCES | libc::EPERM) => {
            Refusal::Failed(named(failure, request, &controllers()))
        }
        other => other,
    }
}

fn named(failure: Failure, request: &Request, controllers: &[String]) -> Failure {
    let message = match controllers {
        [] => failure.message,
        names => format!(
            "no permission for {}: {}",
            names.join(", "),
            failure.message
        ),
    };
    let doctor = advice::doctor(controllers, request);
    let advice = match failure.advice.as_str() {
        "" => doctor,
        advice => format!("{advice}; {doctor}"),
    };
    Failure {
        message,
        advice,
        ..failure
    }
}
