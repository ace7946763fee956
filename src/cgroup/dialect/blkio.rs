// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Limits and weights of block devices.

use super::convert;
use super::error::Mismatch;
use super::settings::RATES;
use super::translate::{Translation, Write, refuse};
use super::version::Version;

impl Translation<'_> {
    /// `N`, `default N` or `MAJ:MIN N`. Where only the BFQ scheduler has weights, its file has the
    /// scale of `blkio.weight`: runc and crun write the v1 number to it as it is.
    pub(super) fn add_io_weight(
        &mut self,
        name: &str,
        value: &str,
        is_own: bool,
    ) -> Result<(), Mismatch> {
        let words: Vec<&str> = value.split_whitespace().collect();
        let (device, number) = match words[..] {
            [number] | ["default", number] => (None, number),
            [device, number] => (Some(device), number),
            _ => (None, value),
        };
        let parsed = convert::parse_number(number);
        let blkio = if name == "io.weight" {
            parsed.and_then(convert::io_to_blkio)
        } else {
            parsed
        };
        let io = if name == "io.weight" {
            parsed
        } else {
            parsed.and_then(convert::blkio_to_io)
        };
        let with_device = |number: u64| match device {
            Some(device) => format!("{device} {number}"),
            None => number.to_string(),
        };
        let (file, bfq, number) = match (self.version, device) {
            (Version::V1, None) => ("blkio.weight", "blkio.bfq.weight", blkio),
            (Version::V1, Some(_)) => ("blkio.weight_device", "blkio.bfq.weight_device", blkio),
            (Version::V2, _) => ("io.weight", "io.bfq.weight", io),
        };
        let (file, written) = if is_own {
            (name, value.to_string())
        } else {
            let number = number.ok_or_else(|| {
                let why = "it must be 10 to 1000 on v1, 1 to 10000 on v2";
                refuse(name, value, file, libc::EINVAL, why)
            })?;
            (file, with_device(number))
        };
        let fallback = match (is_own, self.version) {
            (true, Version::V1) => Some((bfq.to_string(), value.to_string())),
            _ => blkio.map(|number| (bfq.to_string(), with_device(number))),
        };
        let (setting, file) = (name.to_string(), file.to_string());
        self.writes.push(Write {
            setting,
            file,
            value: written,
            fallback,
        });
        Ok(())
    }

    /// v1 `MAJ:MIN N`, one file for each key; v2 `MAJ:MIN key=N key=N`, one file.
    pub(super) fn add_rates(
        &mut self,
        name: &str,
        value: &str,
        key: &str,
        file: &str,
    ) -> Result<(), Mismatch> {
        let words: Vec<&str> = value.split_whitespace().collect();
        let refuse = |reason| refuse(name, value, file, libc::EINVAL, reason);
        if self.version == Version::V2 {
            let [device, rate] = words[..] else {
                return Err(refuse("it must be a device and a number"));
            };
            let rate = if rate == "0" { "max" } else { rate };
            self.write(name, file, format!("{device} {key}={rate}"));
            return Ok(());
        }
        let [device, ref rates @ ..] = words[..] else {
            return Err(refuse("it is empty"));
        };
        if rates.is_empty() {
            return Err(refuse(
                "it must be a device and a limit such as rbps=1048576",
            ));
        }
        let mut writes = vec![];
        for rate in rates {
            let parts = rate.split_once('=').and_then(|(key, rate)| {
                let (_, file) = RATES.into_iter().find(|(known, _)| *known == key)?;
                Some((file, rate))
            });
            let (file, rate) = parts.ok_or_else(|| refuse("it has an unknown key"))?;
            // v1 takes 0 for "no limit", which v2 refuses.
            let rate = match rate {
                "max" => "0",
                "0" => return Err(refuse("a limit must not be 0")),
                rate => rate,
            };
            writes.push((file, format!("{device} {rate}")));
        }
        for (file, rate) in writes {
            self.write(name, file, rate);
        }
        Ok(())
    }
}
