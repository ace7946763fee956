// SPDX-FileCopyrightText: 2026 The MuonTrap authors
//
// SPDX-License-Identifier: Apache-2.0

//! The allocator.
//!
//! A session is a fork of the fork server and shares its memory, until one of them writes to a page: then each has a
//! copy of its own. In one heap for both, every small allocation or free may cost such a copy, since free chunks are
//! all over the heap. So the fork server allocates from a region, and a session from another one. A
//! session leaks what it would free of the region of the fork server.

use dlmalloc::Dlmalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(target_env = "musl"))]
static HEAP: std::alloc::System = std::alloc::System;
/// musl's own allocator asks the kernel for each size of memory by itself, and gives it back at once: a quarter of
/// the time that the helper takes.
#[cfg(target_env = "musl")]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const PAGE: usize = 4096;
const REGION_SIZE: usize = 32 * PAGE;
/// The largest allocation from the region of the fork server, which is to fill no more than a page or two.
const MAX_OF_SERVER: usize = 1024;
/// The largest allocation from the region of a session. Buffers for output are larger, and come from the heap.
const MAX_OF_SESSION: usize = 4 * PAGE;

static FORK_SERVER: Region = Region::new();
static SESSION: Region = Region::new();

thread_local! {
    /// What this process allocates from, if it is not the heap.
    static CURRENT: Cell<Option<Source>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Source {
    region: &'static Region,
    /// The largest allocation, in bytes.
    max_size: usize,
}

/// Memory of fixed size. It begins with the state of its allocator, so that a few allocations need one page.
#[repr(C, align(4096))]
struct Region {
    allocator: UnsafeCell<MaybeUninit<Dlmalloc<Rest>>>,
    memory: UnsafeCell<MaybeUninit<[u8; REGION_SIZE]>>,
}

// SAFETY: muontrap has one thread.
unsafe impl Sync for Region {}

/// The memory of a region, which its allocator gets as a whole.
struct Rest {
    begin: *mut u8,
    is_given: AtomicBool,
}

// SAFETY: muontrap has one thread.
unsafe impl Send for Rest {}

// SAFETY: the memory is handed out once, is as large as asked for, and is never taken back.
unsafe impl dlmalloc::Allocator for Rest {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        /// The allocator must not give it back.
        const EXTERN_BIT: u32 = 1;
        if size > REGION_SIZE || self.is_given.swap(true, Ordering::Relaxed) {
            return (std::ptr::null_mut(), 0, 0);
        }
        (self.begin, REGION_SIZE, EXTERN_BIT)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        std::ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        false
    }

    fn page_size(&self) -> usize {
        PAGE
    }
}

impl Region {
    const fn new() -> Self {
        Self {
            allocator: UnsafeCell::new(MaybeUninit::uninit()),
            memory: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Before the first allocation.
    fn prepare(&self) {
        let mut allocator = Dlmalloc::new_with_allocator(Rest {
            begin: self.memory.get().cast(),
            is_given: AtomicBool::new(false),
        });
        allocator.set_granularity(PAGE);
        // SAFETY: nothing else refers to it, since muontrap has one thread.
        let allocator = unsafe { (*self.allocator.get()).write(allocator) };
        // The allocator takes the memory with the first allocation, and writes to both ends of it.
        // SAFETY: it is freed as it was allocated.
        unsafe {
            let first = allocator.malloc(1, 1);
            allocator.free(first, 1, 1);
        }
    }

    fn contains(&self, memory: *mut u8) -> bool {
        let begin = self.memory.get().addr();
        memory.addr().wrapping_sub(begin) < REGION_SIZE
    }

    /// # Safety
    ///
    /// The region was prepared, and nothing else refers to its allocator.
    #[allow(clippy::mut_from_ref)]
    unsafe fn allocator(&self) -> &mut Dlmalloc<Rest> {
        // SAFETY: as the caller promised.
        unsafe { (*self.allocator.get()).assume_init_mut() }
    }
}

impl Source {
    /// # Safety
    ///
    /// As that of [`Region::allocator`] and [`GlobalAlloc::alloc`]. The result is null when there is no room.
    unsafe fn allocate(self, layout: Layout) -> *mut u8 {
        if layout.size() > self.max_size || layout.align() > PAGE {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promised.
        unsafe {
            self.region
                .allocator()
                .malloc(layout.size(), layout.align())
        }
    }
}

/// The region that holds `memory`.
fn region_of(memory: *mut u8) -> Option<&'static Region> {
    let regions = [&SESSION, &FORK_SERVER];
    regions.into_iter().find(|region| region.contains(memory))
}

fn is_current(region: &Region) -> bool {
    CURRENT
        .get()
        .is_some_and(|source| std::ptr::eq(source.region, region))
}

/// That of `main.rs`.
#[derive(Debug)]
pub struct Allocator;

// Not inlined, since that would make the helper a fifth larger.
//
// SAFETY: all memory is left to the allocator that it is from, of which there is never more than one call at a time:
// muontrap has one thread.
unsafe impl GlobalAlloc for Allocator {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(source) = CURRENT.get() {
            // SAFETY: a region that is current was prepared. Otherwise as the caller promised.
            let memory = unsafe { source.allocate(layout) };
            if !memory.is_null() {
                return memory;
            }
        }
        // SAFETY: as the caller promised.
        unsafe { HEAP.alloc(layout) }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if let Some(source) = CURRENT.get() {
            // SAFETY: as in `alloc`. The memory is as large as asked for.
            unsafe {
                let memory = source.allocate(layout);
                if !memory.is_null() {
                    memory.write_bytes(0, layout.size());
                    return memory;
                }
            }
        }
        // SAFETY: as the caller promised.
        unsafe { HEAP.alloc_zeroed(layout) }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match region_of(memory) {
            // SAFETY: it is from this region, and otherwise as the caller promised.
            Some(region) if is_current(region) => unsafe {
                region
                    .allocator()
                    .free(memory, layout.size(), layout.align());
            },
            Some(_) => {}
            // SAFETY: it is from the heap, and otherwise as the caller promised.
            None => unsafe { HEAP.dealloc(memory, layout) },
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let region = region_of(memory);
        if region.is_none() {
            // SAFETY: it is from the heap, and otherwise as the caller promised.
            return unsafe { HEAP.realloc(memory, layout, size) };
        }
        let is_small = CURRENT.get().is_some_and(|source| size <= source.max_size);
        if let Some(region) = region.filter(|region| is_small && is_current(region)) {
            // SAFETY: it is from this region, and otherwise as the caller promised.
            let new = unsafe {
                region
                    .allocator()
                    .realloc(memory, layout.size(), layout.align(), size)
            };
            if !new.is_null() {
                return new;
            }
        }
        // SAFETY: the caller promised that the size is not 0 and does not overflow. Both are at least as large as what
        // is copied, and the new one was just allocated.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(memory, size.min(layout.size()));
                self.dealloc(memory, layout);
            }
            new
        }
    }
}

/// Has the fork server allocate from its region.
pub fn enter_server_region() {
    FORK_SERVER.prepare();
    SESSION.prepare();
    CURRENT.set(Some(Source {
        region: &FORK_SERVER,
        max_size: MAX_OF_SERVER,
    }));
}

/// Has a session, which is a fork of the fork server, allocate from its region.
pub fn enter_session_region() {
    CURRENT.set(Some(Source {
        region: &SESSION,
        max_size: MAX_OF_SESSION,
    }));
}

/// Has `make` allocate from the heap: for what stays as it is, in small parts.
pub fn allocate_from_heap<T>(make: impl FnOnce() -> T) -> T {
    let source = CURRENT.take();
    let result = make();
    CURRENT.set(source);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since the regions are static.
    #[test]
    fn memory_is_from_the_current_region_and_freed_where_it_is_from() {
        let layout = Layout::from_size_align(100, 64).unwrap();
        let is_in = |region: &Region, memory: *mut u8| {
            region_of(memory).is_some_and(|it| std::ptr::eq(it, region))
        };
        // SAFETY: all that is allocated here is freed with its own layout, and used while it is allocated.
        unsafe {
            let of_heap = Allocator.alloc(layout);
            assert!(region_of(of_heap).is_none());
            enter_server_region();
            let of_server = Allocator.alloc(layout);
            assert!(is_in(&FORK_SERVER, of_server) && of_server.addr() % 64 == 0);
            of_server.write_bytes(7, 100);
            enter_session_region();
            let of_session = Allocator.alloc_zeroed(layout);
            assert!(is_in(&SESSION, of_session) && *of_session.add(99) == 0);
            // What is freed is used again.
            Allocator.dealloc(of_session, layout);
            assert_eq!(Allocator.alloc(layout), of_session);
            // Large memory is from the heap, also when small memory grows.
            of_session.write_bytes(8, 100);
            let grown = Allocator.realloc(of_session, layout, REGION_SIZE);
            assert!(region_of(grown).is_none() && *grown.add(99) == 8);
            Allocator.dealloc(grown, Layout::from_size_align(REGION_SIZE, 64).unwrap());
            // Memory of the fork server is moved when it grows, and stays as it was when it is freed.
            let moved = Allocator.realloc(of_server, layout, 300);
            assert!(is_in(&SESSION, moved) && *moved.add(99) == 7 && *of_server.add(99) == 7);
            Allocator.dealloc(of_heap, layout);
            let of_heap = allocate_from_heap(|| Allocator.alloc(layout));
            assert!(region_of(of_heap).is_none());
            Allocator.dealloc(of_heap, layout);
            // A region that is full.
            let page = Layout::from_size_align(PAGE, 1).unwrap();
            let pages: Vec<_> = (0..=REGION_SIZE / PAGE)
                .map(|_| Allocator.alloc(page))
                .collect();
            assert!(region_of(pages[0]).is_some() && region_of(pages[pages.len() - 1]).is_none());
            for memory in pages {
                Allocator.dealloc(memory, page);
            }
            assert!(is_in(&SESSION, Allocator.alloc(page)));
        }
    }
}
