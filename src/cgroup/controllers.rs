// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The names of controllers, to tell one that this host lacks from one that is misspelt.

use crate::error::{Failure, Step};

/// Of both versions, up to Linux 6.14.
const NAMES: [&str; 17] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "debug",
    "devices",
    "dmem",
    "freezer",
    "hugetlb",
    "io",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "rdma",
];

/// So many letters may be wrong in a name that is taken for another one.
const SIMILAR: usize = 2;

/// Whether some kernel has a controller of this name, or a v1 hierarchy may have it.
pub fn is_controller(name: &str) -> bool {
    NAMES.contains(&name) || name.starts_with("name=")
}

/// The error for an unknown name, with the nearest known one.
pub(super) fn misspelt(name: &str) -> Failure {
    let nearest = NAMES
        .into_iter()
        .min_by_key(|known| distance(name, known))
        .filter(|known| distance(name, known) <= SIMILAR);
    let message = match nearest {
        Some(nearest) => {
            format!("{name:?} is no controller of cgroups (did you mean {nearest:?}?)")
        }
        None => format!(
            "{name:?} is no controller of cgroups, which are {}",
            NAMES.join(", ")
        ),
    };
    Failure::new(Step::Cgroup, message)
        .errno(libc::ENOENT)
        .path(name)
}

/// How many letters have to be inserted, removed or replaced.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_told_with_the_one_that_was_meant() {
        for (typo, meant) in [
            ("memroy", "memory"),
            ("mem0ry", "memory"),
            ("pid", "pids"),
            ("cpusets", "cpuset"),
            ("hugetbl", "hugetlb"),
        ] {
            let message = misspelt(typo).message;
            let expected =
                format!("{typo:?} is no controller of cgroups (did you mean {meant:?}?)");
            assert_eq!(message, expected);
        }
        let message = misspelt("nonsense").message;
        assert!(message.contains("which are blkio, cpu,"), "{message}");
    }

    #[test]
    fn distances() {
        for (from, to, expected) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("ab", "ab", 0),
            ("abc", "adc", 1),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
