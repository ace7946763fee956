// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The code and the constants of this program in a huge page.
//!
//! With them in pages of 4 KiB, each fork copies hundreds of page table entries, and each exit frees them. A huge page
//! has one. Most kernels do not map files with huge pages, so this replaces the mapping of the file by a copy in anonymous
//! memory. See `admin-guide/mm/transhuge.rst` of the kernel's documentation.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::ptr;

/// A mapping of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub addresses: Range<usize>,
    /// It is of a file, and readable, and maybe executable, but not to be written to.
    pub is_constant: bool,
}

/// Moves constant mappings into huge pages, where the kernel has some, and as far as they fill most of one alone.
///
/// # Safety
///
/// These are all mappings of this process, and nothing writes to the constant ones any more. Those with code and those
/// without may be mixed: afterwards, all that was moved is executable.
pub unsafe fn move_to_huge_pages(mappings: &[Mapping]) {
    let Some(size) = huge_page_size() else { return };
    for page in suitable_pages(mappings, size) {
        // SAFETY: as the caller promised.
        if unsafe { move_to_huge_page(page, size, mappings) }.is_none() {
            return;
        }
    }
}

/// In bytes. `None` if the kernel has no transparent huge pages, or not for this program.
fn huge_page_size() -> Option<usize> {
    const FOLDER: &str = "/sys/kernel/mm/transparent_hugepage";
    let enabled = fs::read_to_string(format!("{FOLDER}/enabled")).ok()?;
    if enabled.contains("[never]") {
        return None;
    }
    let size = fs::read_to_string(format!("{FOLDER}/hpage_pmd_size")).ok()?;
    size.trim().parse().ok()
}

/// The addresses of huge pages in which nothing is mapped but constants, which fill at least half of it.
fn suitable_pages(mappings: &[Mapping], size: usize) -> BTreeSet<usize> {
    let (constants, others): (Vec<_>, Vec<_>) =
        mappings.iter().partition(|mapping| mapping.is_constant);
    let pages = constants
        .iter()
        .flat_map(|Mapping { addresses, .. }| {
            let first = addresses.start / size * size;
            (first..addresses.end).step_by(size)
        })
        .collect::<BTreeSet<_>>();
    let bytes_in = |page: usize, mappings: &[&Mapping]| -> usize {
        let parts = mappings.iter().map(|mapping| part_in(page, size, mapping));
        parts.map(|part| part.len()).sum()
    };
    let is_suitable =
        |&page: &usize| bytes_in(page, &others) == 0 && bytes_in(page, &constants) >= size / 2;
    pages.into_iter().filter(is_suitable).collect()
}

/// The part of a mapping that is in a huge page.
fn part_in(page: usize, size: usize, mapping: &Mapping) -> Range<usize> {
    let Range { start, end } = mapping.addresses;
    start.max(page)..end.min(page + size)
}

/// # Safety
///
/// As that of [`move_to_huge_pages`], for `size` bytes at `page`.
unsafe fn move_to_huge_page(page: usize, size: usize, mappings: &[Mapping]) -> Option<()> {
    let copy = HugePage::new(size)?;
    let original = ptr::with_exposed_provenance_mut::<libc::c_void>(page);
    let parts = mappings.iter().map(|mapping| part_in(page, size, mapping));
    // This function may be in the page that is replaced: mremap(2) then returns into the copy. It unmaps the original
    // first, so if it fails after that for want of memory, this process gets SIGSEGV. No session runs yet.
    // SAFETY: what is copied is mapped, and fits. Afterwards, the same contents are at the same address.
    unsafe {
        for part in parts.filter(|part| !part.is_empty()) {
            let offset = part.start - page;
            let (from, to) = (
                original.wrapping_byte_add(offset),
                copy.begin.wrapping_byte_add(offset),
            );
            ptr::copy_nonoverlapping(from.cast::<u8>(), to.cast(), part.len());
        }
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        // Refused where no memory may become executable, as with MemoryDenyWriteExecute of systemd.
        if libc::mprotect(copy.begin, size, protection) != 0 {
            return None;
        }
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let moved = libc::mremap(copy.begin, size, size, flags, original);
        (moved != libc::MAP_FAILED).then(|| std::mem::forget(copy))
    }
}

/// A page elsewhere, before it is moved.
struct HugePage {
    begin: *mut libc::c_void,
    size: usize,
}

impl HugePage {
    /// `None` if the kernel has no huge page to spare.
    fn new(size: usize) -> Option<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: this maps new memory. What is before and after the aligned part is unmapped again.
        let begin = unsafe {
            let begin = libc::mmap(ptr::null_mut(), 2 * size, protection, flags, -1, 0);
            if begin == libc::MAP_FAILED {
                return None;
            }
            let before = begin.align_offset(size);
            let aligned = begin.wrapping_byte_add(before);
            if before > 0 {
                libc::munmap(begin, before);
            }
            libc::munmap(aligned.wrapping_byte_add(size), size - before);
            aligned
        };
        let copy = Self { begin, size };
        copy.becomes_huge().then_some(copy)
    }

    fn becomes_huge(&self) -> bool {
        // SAFETY: it is mapped and writable, and nobody else refers to it.
        unsafe {
            if libc::madvise(self.begin, self.size, libc::MADV_HUGEPAGE) != 0 {
                return false;
            }
            // The kernel chooses the size of a page when it is first written to.
            self.begin.cast::<u8>().write_volatile(0);
        }
        fs::read_to_string("/proc/self/smaps")
            .is_ok_and(|maps| huge_bytes_at(&maps, self.begin.addr()) == self.size)
    }
}

impl Drop for HugePage {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and nobody else refers to it.
        unsafe { libc::munmap(self.begin, self.size) };
    }
}

/// Bytes in huge pages of the mapping that begins at this address: `proc_pid_smaps(5)`.
fn huge_bytes_at(maps: &str, address: usize) -> usize {
    let header = format!("{address:x}-");
    let mut lines = maps.lines().skip_while(|line| !line.starts_with(&header));
    let kibibytes = lines.find_map(|line| {
        let size = line.strip_prefix("AnonHugePages:")?;
        size.trim().strip_suffix(" kB")?.parse::<usize>().ok()
    });
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    const MIB: usize = 1024 * 1024;

    fn mapping(addresses: Range<usize>, is_constant: bool) -> Mapping {
        Mapping {
            addresses,
            is_constant,
        }
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn only_pages_with_constants_alone_are_moved() {
        let pages = |constants: &[Range<usize>], others: &[Range<usize>]| {
            let constants = constants.iter().map(|range| mapping(range.clone(), true));
            let others = others.iter().map(|range| mapping(range.clone(), false));
            let mappings: Vec<_> = constants.chain(others).collect();
            Vec::from_iter(suitable_pages(&mappings, 10))
        };
        assert_eq!(pages(&[5..40], &[]), [0, 10, 20, 30]);
        assert_eq!(pages(&[6..44], &[]), [10, 20, 30]);
        assert_eq!(pages(&[10..13, 13..20], &[20..21]), [10]);
        assert_eq!(pages(&[10..15], &[]), [10]);
        assert_eq!(pages(&[10..14], &[]), []);
        assert_eq!(pages(&[10..18], &[19..20]), []);
        assert_eq!(pages(&[10..28], &[0..1, 29..40]), [10]);
        assert_eq!(pages(&[], &[0..10]), []);
    }

    #[test]
    fn huge_pages_are_found_in_smaps() {
        let maps = "1000-2000 r-xp 0 00:00 0\nRss: 4 kB\nAnonHugePages:         0 kB\n\
            40000-80000 rw-p 0 00:00 0\nRss: 4 kB\nAnonHugePages:      2048 kB\n";
        assert_eq!(huge_bytes_at(maps, 0x1000), 0);
        assert_eq!(huge_bytes_at(maps, 0x40000), 2 * MIB);
        assert_eq!(huge_bytes_at(maps, 0x4000), 0);
    }

    #[test]
    fn contents_stay_the_same() {
        let size = huge_page_size().unwrap_or(2 * MIB);
        let contents: Vec<u8> = (0..=250).cycle().take(size).collect();
        let path = std::env::temp_dir().join(format!("muontrap-huge-{}", std::process::id()));
        let mut file = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        fs::remove_file(&path).unwrap();
        file.write_all(&contents).unwrap();
        // SAFETY: new memory is mapped, and the file over an aligned part of it.
        let (begin, all) = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let all = libc::mmap(ptr::null_mut(), 2 * size, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(all, libc::MAP_FAILED);
            let begin = all.wrapping_byte_add(all.align_offset(size));
            let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
            let fd = file.as_raw_fd();
            let mapped = libc::mmap(begin, size, libc::PROT_READ, flags, fd, 0);
            assert_eq!(mapped, begin);
            (begin, all)
        };
        let address = begin.expose_provenance();
        // In two parts, as code and constants are.
        let middle = address + 4096;
        let parts = [address..middle, middle..address + size];
        // SAFETY: nobody writes to this mapping.
        unsafe { move_to_huge_pages(&parts.map(|part| mapping(part, true))) };
        // SAFETY: it is mapped and has this size.
        let moved = unsafe { std::slice::from_raw_parts(begin.cast::<u8>(), size) };
        assert!(moved == contents);
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let huge = huge_bytes_at(&maps, address);
        println!("{huge} bytes of {size} are in huge pages");
        assert!(huge == 0 || huge == size);
        // SAFETY: it was mapped with this size.
        unsafe { libc::munmap(all, 2 * size) };
    }
}
