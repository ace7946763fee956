// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Kinds of flags, and parsers of their values. clap names the flag in front of what a parser returns as an error.

use crate::config;
use crate::number::parse_decimal;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, ArgAction};
use std::ffi::OsStr;

/// A flag with a value, of which the last one counts.
pub(super) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .help(help)
        .value_parser(text())
        .allow_hyphen_values(true)
        .action(ArgAction::Set)
}

/// A flag with a value, of which each counts.
pub(super) fn list(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    option(name, value, help).action(ArgAction::Append)
}

pub(super) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

pub(super) fn group(help: &'static str) -> Arg {
    option("group", "path", help).short('g')
}

pub(super) fn controllers(help: &'static str) -> Arg {
    list("controller", "name", help).short('c')
}

pub(super) fn settings(help: &'static str) -> Arg {
    let parser = parsed(|given| config::cgroup_setting(utf8(given)?));
    list("set", "key=value", help)
        .short('s')
        .value_parser(parser)
}

pub(super) fn text() -> impl TypedValueParser<Value = String> {
    parsed(|given| utf8(given).map(str::to_owned))
}

/// A plain decimal number from `least` on.
pub(super) fn number_from(least: u32) -> impl TypedValueParser<Value = u32> {
    parsed(move |given| {
        parse_decimal(utf8(given)?)
            .filter(|&number| number >= least)
            .ok_or_else(|| format!("it is not a number from {least} to {}", u32::MAX))
    })
}

pub(super) fn parsed<T: Clone + Send + Sync + 'static>(
    parse: impl Fn(&OsStr) -> Result<T, String> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    OsStringValueParser::new().try_map(move |given| parse(&given))
}

/// clap's own error about this does not name the flag.
pub(super) fn utf8(given: &OsStr) -> Result<&str, String> {
    given.to_str().ok_or_else(|| "it is not UTF-8".to_owned())
}
