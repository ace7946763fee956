// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! What a fork copies of the mappings of this process: fork(2), madvise(2), `proc_pid_mem(5)`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::ptr;

/// Since Linux 5.14. The libc crate has it for some targets only.
const MADV_POPULATE_READ: libc::c_int = 22;

/// Makes fork(2) copy the page tables of the code and the constants of this program, so that a child does not have a
/// page fault for each part of them that it uses.
///
/// fork(2) leaves out the page tables of a private mapping of a file as long as no page of it was written to, since
/// the child can find the pages in the file again. So this writes a byte of each mapping, which does not change it,
/// through `/proc/self/mem`, which needs no write permission of the mapping. Where one of this is refused, a fork is
/// slower and nothing else.
pub fn copy_page_tables_to_forks() {
    let memory = File::options()
        .read(true)
        .write(true)
        .open("/proc/self/mem");
    let (Ok(memory), Ok(maps)) = (memory, fs::read_to_string("/proc/self/maps")) else {
        return;
    };
    for (start, end) in maps.lines().filter_map(constant_part) {
        let (Ok(address), Ok(length)) = (usize::try_from(start), usize::try_from(end - start))
        else {
            continue;
        };
        let address = ptr::with_exposed_provenance_mut(address);
        // SAFETY: the range is mapped, and reading pages of a file in does not change it.
        unsafe { libc::madvise(address, length, MADV_POPULATE_READ) };
        let mut byte = [0];
        if memory.read_exact_at(&mut byte, start).is_ok() {
            let _ = memory.write_all_at(&byte, start);
        }
    }
}

/// The addresses of a mapping of a file that is not to be written to, from a line of `proc_pid_maps(5)`.
fn constant_part(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (addresses, permissions) = (fields.next()?, fields.next()?);
    let inode = fields.nth(2)?;
    if inode == "0" || !matches!(permissions, "r-xp" | "r--p") {
        return None;
    }
    let (start, end) = addresses.split_once('-')?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some((number(start)?, number(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_constants_are_found_and_unchanged() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let code = code_and_constants_are_found_and_unchanged as fn() as usize as u64;
        let holds_code = |&(start, end): &(u64, u64)| (start..end).contains(&code);
        let parts = || maps.lines().filter_map(constant_part);
        assert_eq!(parts().filter(holds_code).count(), 1);
        copy_page_tables_to_forks();
        // Still runs, from the page that was copied.
        assert_eq!(constant_part("1-2 r-xp 0 08:01 7 /bin/a"), Some((1, 2)));
    }

    #[test]
    fn other_mappings_are_left_out() {
        for line in [
            "7f00-7f01 rw-p 0 08:01 7 /bin/a",
            "7f00-7f01 r--s 0 08:01 7 /bin/a",
            "7f00-7f01 r-xp 0 00:00 0 [vdso]",
            "",
        ] {
            assert_eq!(constant_part(line), None, "{line}");
        }
    }
}
