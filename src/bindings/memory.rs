//! The two buffers that bytes cross the boundary in. One of each serves every decoder, because a call that uses them is
//! over before the next begins.

use std::cell::{Cell, UnsafeCell};

use wasm_bindgen::prelude::*;

use crate::stream::Decoder;

/// What one push takes at the most; a larger read is pushed in slices.
const INPUT_BYTES: usize = 65_536;

struct Input(UnsafeCell<[u8; INPUT_BYTES]>);

// SAFETY: this module is built for wasm32 without threads, so there is nobody to share it with.
unsafe impl Sync for Input {}

static INPUT: Input = Input(UnsafeCell::new([0; INPUT_BYTES]));

thread_local! {
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OUTPUT_POINTER: Cell<*const u8> = const { Cell::new(std::ptr::null()) };
}

/// Where the host puts the bytes of the next push.
#[wasm_bindgen(js_name = inputPointer)]
pub fn input_pointer() -> *const u8 {
    INPUT.0.get().cast()
}

/// Where the output of the last call lies.
#[wasm_bindgen(js_name = outputPointer)]
pub fn output_pointer() -> *const u8 {
    OUTPUT_POINTER.get()
}

/// The first `length` bytes of the input buffer.
pub(super) fn input<T>(length: usize, read: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: the host wrote these bytes before this call and cannot write while it runs; the slice does not outlive it.
    let buffer: &[u8; INPUT_BYTES] = unsafe { &*INPUT.0.get() };
    read(&buffer[..length.min(INPUT_BYTES)])
}

/// Keeps `bytes` for the host to read, and tells how many there are.
pub(super) fn set_output(bytes: Vec<u8>) -> usize {
    let length = bytes.len();
    OUTPUT_POINTER.set(bytes.as_ptr());
    OUTPUT.set(bytes);
    length
}

/// Lets a decoder write to the output buffer, and tells how many bytes it wrote.
pub(super) fn with_output(decoder: &mut Decoder, run: impl FnOnce(&mut Decoder)) -> usize {
    /// A buffer that one large batch has grown past this is given back.
    const KEPT_CAPACITY: usize = 512 * 1024;
    let buffer = OUTPUT.take();
    decoder.lend_buffer(if buffer.capacity() > KEPT_CAPACITY {
        Vec::new()
    } else {
        buffer
    });
    run(decoder);
    set_output(decoder.take_output())
}
