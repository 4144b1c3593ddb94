//! The operations that the host asks the engine for, by number. `npm/engine/boundary.ts` has the same list, and says what each operation
//! takes and puts out; `tests/npm/boundary.test.ts` holds the two lists alike.

// The kinds of part that `make` makes.
pub(super) const CONNECTION: u32 = 0;
pub(super) const DECODER: u32 = 1;
pub(super) const EVENT_STREAM: u32 = 2;

// Of a decoder.
pub(super) const PUSH: u32 = 0;
pub(super) const END: u32 = 1;
pub(super) const TICK: u32 = 2;
pub(super) const SET_OUTPUT: u32 = 3;
pub(super) const LACKS_USAGE: u32 = 4;
pub(super) const OUTCOME: u32 = 5;
pub(super) const COMPLETION: u32 = 6;
// Of an event stream.
pub(super) const FEED: u32 = 7;
pub(super) const FINISH: u32 = 8;
// Of an opening.
pub(super) const STEP: u32 = 9;
// Of a connection.
pub(super) const ACCOUNT: u32 = 10;
pub(super) const USAGE: u32 = 11;
pub(super) const PROVIDER: u32 = 12;
