//! The allocator of the npm module: lists of free blocks by size, powers of two, over memory that only grows.
//!
//! A fifth of the standard one's code. A block is never split or joined, so the free blocks of one size are of no use to
//! another: at worst the module holds, of each size, what was in use of it at one time.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;

/// The smallest block holds a pointer to the next free one, twice, as every value is at most so strictly aligned.
const SMALLEST: u32 = 4;
const LARGEST: u32 = 30;
const PAGE: usize = 65_536;

struct Blocks {
    /// The first free block of 2^n bytes; each holds the address of the next.
    free: [Cell<*mut u8>; LARGEST as usize + 1],
    /// The memory that has never been in use.
    fresh: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: this module is built for wasm32 without threads, so no other thread shares it.
unsafe impl Sync for Blocks {}

#[global_allocator]
static BLOCKS: Blocks = Blocks {
    free: [const { Cell::new(ptr::null_mut()) }; LARGEST as usize + 1],
    fresh: Cell::new(0),
    end: Cell::new(0),
};

/// Which size of block a layout needs.
fn class(size: usize) -> u32 {
    (usize::BITS - (size - 1).leading_zeros()).max(SMALLEST)
}

// SAFETY: a block belongs to its owner from `alloc` to `dealloc`, then to its list; no two blocks overlap, since
// fresh memory is handed out once. Blocks are as strictly aligned as the largest alignment asked for anywhere, 16.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class(layout.size());
        let Some(list) = self.free.get(class as usize) else {
            return ptr::null_mut();
        };
        let block = list.get();
        if !block.is_null() {
            // SAFETY: a block of the list holds the address of the next.
            list.set(unsafe { *block.cast::<*mut u8>() });
            return block;
        }
        self.fresh(1 << class)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(list) = self.free.get(class(layout.size()) as usize) {
            // SAFETY: the block has no owner any more, and is large enough for an address.
            unsafe { *block.cast::<*mut u8>() = list.get() };
            list.set(block);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (has, needs) = (1 << class(layout.size()), 1 << class(size));
        // The last block grows where it is, so that one long text takes no more than it needs.
        let is_last = block as usize + has == self.fresh.get();
        let is_short = |list: &Cell<*mut u8>| list.get().is_null();
        if has == needs
            || has < needs
                && is_last
                && self.free.get(class(size) as usize).is_some_and(is_short)
                // Not so where the host has made the memory larger itself.
                && self.fresh(needs - has) as usize == block as usize + has
        {
            return block;
        }
        // SAFETY: as the caller vouches, and the new block is large enough for what is copied.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

impl Blocks {
    /// Memory that was never handed out.
    #[cold]
    fn fresh(&self, size: usize) -> *mut u8 {
        let mut start = self.fresh.get();
        if self.end.get() - start < size {
            let pages = size.div_ceil(PAGE);
            let before = core::arch::wasm32::memory_grow::<0>(pages);
            if before == usize::MAX {
                return ptr::null_mut();
            }
            let from = before * PAGE;
            if from != self.end.get() {
                start = from;
            }
            self.end.set(from + pages * PAGE);
        }
        self.fresh.set(start + size);
        start as *mut u8
    }
}
