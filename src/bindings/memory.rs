//! The two buffers that bytes cross the boundary in. One of each serves every call, because a call that uses them is over
//! before the next begins.

use std::cell::{Cell, UnsafeCell};

use wasm_bindgen::prelude::*;

use crate::json::Writer;
use crate::stream::Decoder;

/// The most bytes that one push takes; a larger read is pushed in slices.
const INPUT_BYTES: usize = 65_536;

/// A buffer that one large output has grown past this is given back.
const KEPT_CAPACITY: usize = 512 * 1024;

/// State that one thread alone may use without a lock.
pub(super) struct Unshared<T>(pub(super) T);

// SAFETY: this module is built for wasm32 without threads, so no other thread shares it.
unsafe impl<T> Sync for Unshared<T> {}

static INPUT: Unshared<UnsafeCell<[u8; INPUT_BYTES]>> = Unshared(UnsafeCell::new([0; INPUT_BYTES]));
/// In place of the input buffer for text that it is too small for.
static LONG_INPUT: Unshared<Cell<Vec<u8>>> = Unshared(Cell::new(Vec::new()));
static OUTPUT: Unshared<Cell<Vec<u8>>> = Unshared(Cell::new(Vec::new()));
static REPORT: Unshared<Cell<Report>> = Unshared(Cell::new(Report {
    output: std::ptr::null(),
    length: 0,
    says: 0,
    has_token: 0,
    repeated: 0,
    patience: f64::INFINITY,
    due: f64::INFINITY,
}));

/// The numbers that the host reads after a call, so that it needs no second call for them.
#[derive(Clone, Copy)]
#[repr(C)]
struct Report {
    /// Where the output lies.
    output: *const u8,
    /// The length of the output in bytes.
    length: usize,
    /// 1 for yes, 0 for no: the answer to a question, or whether a decoder's outcome is decided.
    says: u32,
    /// Of a decoder: 1 once the first text, reasoning or tool call has come; 2 where the last push brought one, and not the end.
    has_token: u32,
    /// Of a decoder: how many bytes at the end of the last push were events that repeat the one before.
    repeated: usize,
    /// Of a decoder: for how many milliseconds a read may be pending before a tick is due.
    patience: f64,
    /// Of a decoder: the time when a tick is due, however long the read is pending.
    due: f64,
}

/// Where the host puts `length` bytes for the next call.
#[wasm_bindgen(js_name = inputPointer)]
pub fn input_pointer(length: usize) -> *mut u8 {
    if length <= INPUT_BYTES {
        return INPUT.0.get().cast();
    }
    let mut bytes = vec![0; length];
    let pointer = bytes.as_mut_ptr();
    LONG_INPUT.0.set(bytes);
    pointer
}

/// Where the host finds the report of the last call: five 32-bit numbers, where its output lies, how many bytes that is, yes (1) or
/// no (0), the same for tokens (2 for one of this call), and a number of bytes; then, from byte 24 on, two 64-bit ones, when a
/// decoder's next tick is due.
#[wasm_bindgen(js_name = reportPointer)]
pub fn report_pointer() -> *const u8 {
    REPORT.0.as_ptr().cast::<u8>().cast_const()
}

/// Gives `read` the `length` bytes that the host has put into the input buffer.
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(super) fn input<T>(length: usize, read: impl FnOnce(&[u8]) -> T) -> T {
    if length > INPUT_BYTES {
        return read(&LONG_INPUT.0.take());
    }
    // SAFETY: the host wrote these bytes before this call and cannot write while it runs; the slice does not outlive it.
    let buffer: &[u8; INPUT_BYTES] = unsafe { &*INPUT.0.get() };
    read(&buffer[..length])
}

/// Keeps `bytes` for the host to read.
pub(super) fn set_output(bytes: Vec<u8>) {
    REPORT.0.set(Report {
        output: bytes.as_ptr(),
        length: bytes.len(),
        ..REPORT.0.get()
    });
    OUTPUT.0.set(bytes);
}

/// Keeps a yes or a no.
#[inline]
pub(super) fn say(yes: bool) {
    REPORT.0.set(Report {
        says: u32::from(yes),
        ..REPORT.0.get()
    });
}

/// Keeps all that a host wants to know of a decoder after its bytes were taken.
#[inline]
pub(super) fn tell(decoder: &mut Decoder) {
    let output = decoder.take_output();
    let (patience, due) = decoder.patience();
    REPORT.0.set(Report {
        output: output.as_ptr(),
        length: output.len(),
        says: u32::from(decoder.has_ended()),
        // 1, or 2 where the last push brought one; 0 stays 0.
        has_token: u32::from(decoder.has_token()) << u32::from(decoder.has_progressed()),
        repeated: decoder.repeated_bytes(),
        patience,
        due,
    });
    OUTPUT.0.set(output);
}

/// Lets something be written to the output buffer.
pub(super) fn write(write: impl FnOnce(&mut Writer)) {
    // Room for nearly all that is written, so that the buffer need not grow in steps.
    let mut out = Writer::with_room(1024);
    write(&mut out);
    set_output(out.bytes);
}

/// Gives a decoder the output buffer to write to; what it wrote then goes to [`set_output`].
#[cfg_attr(chatwire_speed, optimize(speed))]
pub(super) fn lend_output(decoder: &mut Decoder) {
    let mut buffer = OUTPUT.0.take();
    if buffer.capacity() > KEPT_CAPACITY {
        buffer = Vec::new();
    }
    decoder.lend_buffer(buffer);
}
