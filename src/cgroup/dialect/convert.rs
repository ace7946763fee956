// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! Parsing numbers, and converting them from one version to the other.

/// The range of `cpu.shares`, to which the kernel itself clamps (`MIN_SHARES`, `MAX_SHARES` in
/// `kernel/sched/sched.h`). Its default is 1024.
const SHARES: (u64, u64) = (2, 1 << 18);
/// The range of `cpu.weight` and `io.weight`; their default is 100
/// ([cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html)).
const WEIGHT: (u64, u64) = (1, 10_000);
/// The range of `blkio.weight`.
const BLKIO: (u64, u64) = (10, 1000);

/// `cpu.shares` (2 to 262144) as `cpu.weight` (1 to 10000).
///
/// The curve through both ends and both defaults (1024 is 100), which runc has used since 1.3.2
/// and crun since 1.23 (<https://github.com/opencontainers/runc/pull/4785>,
/// <https://github.com/containers/crun/pull/1767>). The straight line used before them made 39 of
/// the default. Numbers out of range are clamped, as the kernel does.
pub(super) fn shares_to_weight(shares: u64) -> u64 {
    let shares = shares.clamp(SHARES.0, SHARES.1);
    if shares == SHARES.0 {
        return WEIGHT.0;
    }
    // At most 2^18, which a float holds exactly.
    #[allow(clippy::cast_precision_loss)]
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    // An error in the last bit must not round 100 up to 101.
    let weight = (10_f64.powf(exponent) - 1e-9).ceil();
    // Between 1 and 10000.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let weight = weight as u64;
    weight.clamp(WEIGHT.0, WEIGHT.1)
}

/// `cpu.weight` as `cpu.shares`: the largest number that comes back as the same weight, so that 1,
/// 100 and 10000 are 2, 1024 and 262144. `None` for a weight out of range.
pub(super) fn weight_to_shares(weight: u64) -> Option<u64> {
    if weight < WEIGHT.0 || weight > WEIGHT.1 {
        return None;
    }
    let (mut low, mut high) = SHARES;
    while low < high {
        let middle = (low + high).div_ceil(2);
        if shares_to_weight(middle) <= weight {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Some(low)
}

/// `blkio.weight` (10 to 1000) as `io.weight` (1 to 10000): the straight line of runc
/// (`ConvertBlkIOToIOWeightValue` in <https://github.com/opencontainers/cgroups>) and of
/// [crun](https://github.com/containers/crun/blob/main/crun.1.md).
pub(super) fn blkio_to_io(weight: u64) -> Option<u64> {
    (BLKIO.0..=BLKIO.1)
        .contains(&weight)
        .then(|| 1 + (weight - 10) * 9999 / 990)
}

/// `io.weight` as `blkio.weight`: the smallest that comes back as this weight or more.
pub(super) fn io_to_blkio(weight: u64) -> Option<u64> {
    (WEIGHT.0..=WEIGHT.1)
        .contains(&weight)
        .then(|| 10 + ((weight - 1) * 990).div_ceil(9999))
}

/// A limit in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// `max`, `-1`, or the number that v1 shows when there is no limit.
    None,
    Bytes(u64),
}

/// Reads a limit as the kernel does (`memparse` in `lib/cmdline.c`), with K, M, G, T, P or E for
/// powers of 1024, but decimal only: the kernel takes 010 for 8, which is hardly meant.
pub(super) fn parse_limit(text: &str) -> Option<Limit> {
    let text = text.trim();
    if text == "max" || text == "-1" {
        return Some(Limit::None);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "P" => 50,
        "E" => 60,
        _ => return None,
    };
    let bytes = parse_number(digits)?.checked_mul(1 << shift)?;
    // v1 shows the largest number of whole pages for "no limit", 2^63 less one page.
    Some(if bytes >= 1 << 62 {
        Limit::None
    } else {
        Limit::Bytes(bytes)
    })
}

/// A plain decimal number: no sign, no leading zero.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

/// The number after `key` in a file of `key number` lines, such as `memory.events`.
pub(in crate::cgroup) fn number_after(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, number) = line.split_once(' ')?;
        if name == key {
            number.trim().parse().ok()
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_of_runc() {
        // From the tests and release notes of runc and crun.
        let known = [
            (0, 1),
            (2, 1),
            (1024, 100),
            (2000, 170),
            (262_144, 10_000),
            (300_000, 10_000),
        ];
        for (shares, weight) in known {
            assert_eq!(shares_to_weight(shares), weight, "{shares}");
        }
        assert_eq!(weight_to_shares(1), Some(2));
        assert_eq!(weight_to_shares(100), Some(1024));
        assert_eq!(weight_to_shares(10_000), Some(262_144));
        assert_eq!(
            (weight_to_shares(0), weight_to_shares(10_001)),
            (None, None)
        );
    }

    #[test]
    fn every_weight_comes_back() {
        for weight in 1..=10_000 {
            assert_eq!(weight_to_shares(weight).map(shares_to_weight), Some(weight));
        }
    }

    #[test]
    fn every_blkio_weight_comes_back() {
        assert_eq!(
            (blkio_to_io(10), blkio_to_io(500), blkio_to_io(1000)),
            (Some(1), Some(4950), Some(10_000))
        );
        assert_eq!((blkio_to_io(9), blkio_to_io(1001)), (None, None));
        for weight in 10..=1000 {
            assert_eq!(blkio_to_io(weight).and_then(io_to_blkio), Some(weight));
        }
    }

    #[test]
    fn limits() {
        assert_eq!(parse_limit("max"), Some(Limit::None));
        assert_eq!(parse_limit("-1"), Some(Limit::None));
        assert_eq!(parse_limit("9223372036854771712\n"), Some(Limit::None));
        assert_eq!(parse_limit("256M"), Some(Limit::Bytes(256 << 20)));
        assert_eq!(parse_limit("1k"), Some(Limit::Bytes(1024)));
        assert_eq!(parse_limit("0"), Some(Limit::Bytes(0)));
        for bad in [
            "",
            "abc",
            "-2",
            "+1",
            "010",
            "0x10",
            "1.5G",
            "10KB",
            "99999999999999999999",
        ] {
            assert_eq!(parse_limit(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn numbers_in_keyed_files() {
        let text = "oom 1\noom_kill 23\noom_group_kill 4\n";
        assert_eq!(number_after(text, "oom_kill"), Some(23));
        assert_eq!(number_after(text, "low"), None);
        assert_eq!(number_after("oom_kill x", "oom_kill"), None);
    }

    proptest! {
        #[test]
        fn more_shares_never_weigh_less(a in 0_u64..300_000, b in 0_u64..300_000) {
            prop_assert!(shares_to_weight(a.min(b)) <= shares_to_weight(a.max(b)));
        }

        #[test]
        fn shares_settle_after_one_round(shares in 2_u64..=262_144) {
            let weight = shares_to_weight(shares);
            prop_assert_eq!(weight_to_shares(weight).map(shares_to_weight), Some(weight));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}") {
            let _ = parse_limit(&text);
        }
    }
}
