//! `sentencex` as a WebAssembly module would carry it: for its size.

/// How many sentences a text has.
///
/// # Safety
/// Each pointer is to so many bytes of UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn count(text: *const u8, length: usize, language: *const u8, language_length: usize) -> usize {
    let (text, language) = unsafe {
        (
            std::slice::from_raw_parts(text, length),
            std::slice::from_raw_parts(language, language_length),
        )
    };
    match (str::from_utf8(text), str::from_utf8(language)) {
        (Ok(text), Ok(language)) => sentencex::segment(language, text).len(),
        _ => 0,
    }
}
