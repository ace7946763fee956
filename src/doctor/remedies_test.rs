// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The table by itself, and the documents that repeat it.

use super::*;

#[test]
fn every_problem_has_a_fix_on_every_kind_of_host() {
    for (problems, ..) in TABLE {
        for problem in *problems {
            let kinds = ANY
                .iter()
                .filter(|kind| fixes(**kind, *problem, &[]).is_empty());
            assert_eq!(kinds.count(), 0, "{problem:?}");
        }
    }
}

#[test]
fn lines_without_their_values_are_left_out() {
    let values = [("a", "1".to_owned()), ("b", String::new())];
    assert_eq!(fill("{a} and {a}\n{b}{a}\n{c}", &values), "1 and 1\n{c}");
}

/// In a release there is no Mix.
#[test]
fn no_fix_needs_mix() {
    for (.., place, text) in TABLE {
        for words in [place, text] {
            let mut words = words.split_whitespace();
            assert!(!words.any(|word| word.trim_matches('`') == "mix"), "{text}");
        }
    }
}

/// The blocks of code in a section of a document.
fn blocks<'a>(document: &'a str, heading: &str) -> Vec<&'a str> {
    let (_, section) = document.split_once(heading).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("\n```").skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').expect("a language").1)
        .collect()
}

/// With the values of an example: a user and a base `app`.
#[test]
fn the_documents_have_the_commands_of_the_table() {
    let values = [
        ("owner", "app"),
        ("user", "app"),
        ("base", "\"app\""),
        ("point", "/sys/fs/cgroup"),
        ("directory", "/sys/fs/cgroup/app"),
        ("base_names", "app"),
        ("pluses", "+cpu +memory +pids"),
        (
            "v1_directories",
            "/sys/fs/cgroup/cpu/app /sys/fs/cgroup/freezer/app /sys/fs/cgroup/memory/app",
        ),
    ];
    let values = values.map(|(name, value)| (name, value.to_owned()));
    let known: Vec<String> = TABLE.iter().map(|(.., text)| fill(text, &values)).collect();
    let document = include_str!("../../docs/cgroups.md");
    let blocks = blocks(document, "\n## Setting it up\n");
    assert!(blocks.len() > 5, "{blocks:?}");
    for block in blocks {
        assert!(known.iter().any(|text| text == block), "{block}");
    }
}
