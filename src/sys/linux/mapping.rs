// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a fork copies of the mappings of this process: fork(2), madvise(2), `proc_pid_mem(5)`.

use super::huge_page::{Mapping, move_to_huge_pages};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::ptr;

/// Since Linux 5.14. The libc crate has it for some targets only.
const MADV_POPULATE_READ: libc::c_int = 22;

/// Makes fork(2) copy the page tables of the code and the constants of this program, so that a child does not have a
/// page fault for each part of them that it uses. Moves most of them to a huge page first, where the kernel has one.
///
/// fork(2) leaves out the page tables of a private mapping of a file as long as no page of it was written to, since
/// the child can find the pages in the file again. So this writes a byte of each mapping, which does not change it,
/// through `/proc/self/mem`, which needs no write permission of the mapping. Where one of this is refused, a fork is
/// slower and nothing else.
pub fn copy_page_tables_to_forks() {
    // Other architectures need the instruction cache synchronized with code that was copied.
    if cfg!(target_arch = "x86_64") {
        // SAFETY: nothing writes to the code and the constants of a program that runs.
        unsafe { move_to_huge_pages(&mappings()) };
    }
    let memory = File::options()
        .read(true)
        .write(true)
        .open("/proc/self/mem");
    let Ok(memory) = memory else { return };
    let constant = |mapping: &Mapping| mapping.is_constant;
    for Mapping { addresses, .. } in mappings().into_iter().filter(constant) {
        let address = ptr::with_exposed_provenance_mut(addresses.start);
        // SAFETY: the range is mapped, and reading pages of a file in does not change it.
        unsafe { libc::madvise(address, addresses.len(), MADV_POPULATE_READ) };
        let mut byte = [0];
        let offset = addresses.start as u64;
        if memory.read_exact_at(&mut byte, offset).is_ok() {
            let _ = memory.write_all_at(&byte, offset);
        }
    }
}

fn mappings() -> Vec<Mapping> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter_map(parse).collect()
}

/// Parses a line of `proc_pid_maps(5)`.
fn parse(line: &str) -> Option<Mapping> {
    let mut fields = line.split_ascii_whitespace();
    let (addresses, permissions) = (fields.next()?, fields.next()?);
    let inode = fields.nth(2)?;
    let (start, end) = addresses.split_once('-')?;
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    Some(Mapping {
        addresses: number(start)?..number(end)?,
        is_constant: inode != "0" && matches!(permissions, "r-xp" | "r--p"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_constants_are_found_and_unchanged() {
        let code = code_and_constants_are_found_and_unchanged as fn() as usize;
        let holds_code =
            |mapping: &Mapping| mapping.is_constant && mapping.addresses.contains(&code);
        assert_eq!(mappings().into_iter().filter(holds_code).count(), 1);
        copy_page_tables_to_forks();
        // Still runs, from the page that was copied.
        let mapping = parse("1-2 r-xp 0 08:01 7 /bin/a").unwrap();
        assert_eq!((mapping.addresses, mapping.is_constant), (1..2, true));
    }

    #[test]
    fn other_mappings_are_not_constant() {
        for line in [
            "7f00-7f01 rw-p 0 08:01 7 /bin/a",
            "7f00-7f01 r--s 0 08:01 7 /bin/a",
            "7f00-7f01 r-xp 0 00:00 0 [vdso]",
        ] {
            assert!(!parse(line).unwrap().is_constant, "{line}");
        }
        assert_eq!(parse(""), None);
    }
}
