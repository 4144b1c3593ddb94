//! Framing, against the words of the standard.

use chatwire::sse;

use super::{pieces, settings};

/// An event as this file keeps it: type, data, ID, unfinished.
type Framed = (String, Vec<u8>, String, bool);

/// A decoder's events, whether it overflowed, and what it says of IDs and of reconnection.
fn framed(pieces: &[&[u8]], limit: usize) -> (Vec<Framed>, bool, String, Option<u64>) {
    let mut decoder = sse::Decoder::with_limit(limit);
    let (mut events, mut overflow) = (Vec::new(), false);
    let own = |event: sse::Event<'_>| {
        assert_eq!(event.text(), String::from_utf8_lossy(event.data));
        (
            event.event.to_owned(),
            event.data.to_vec(),
            event.id.to_owned(),
            event.unfinished,
        )
    };
    for piece in pieces {
        let mut given = decoder.feed(piece);
        while let Some(event) = given.next() {
            match event {
                Ok(event) => events.push(own(event)),
                Err(_) => {
                    overflow = true;
                    break;
                }
            }
        }
    }
    events.extend(decoder.end().map(own));
    (
        events,
        overflow,
        decoder.last_event_id().to_owned(),
        decoder.reconnection_time(),
    )
}

/// The events of a whole stream, by the words of the standard: lines first, then fields, then dispatch.
fn by_the_standard(stream: &[u8]) -> Vec<Framed> {
    let mut rest = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut lines = Vec::new();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        lines.push(&rest[..at]);
        let ending = if rest[at..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[at + ending..];
    }
    let (mut events, mut data, mut kind, mut id) = (Vec::new(), Vec::<&[u8]>::new(), String::new(), String::new());
    let unfinished = (!rest.is_empty()).then_some(rest);
    let count = lines.len();
    for (number, line) in lines.into_iter().chain(unfinished).enumerate() {
        if line.is_empty() {
            if !data.is_empty() {
                let kind = if kind.is_empty() {
                    "message".to_owned()
                } else {
                    kind.clone()
                };
                events.push((kind, data.join(&b'\n'), id.clone(), false));
            }
            data.clear();
            kind.clear();
            continue;
        }
        let _ = number < count;
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => data.push(value),
            b"event" => kind = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => id = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
    }
    if !data.is_empty() {
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        events.push((kind, data.join(&b'\n'), id, true));
    }
    events
}

/// However the bytes are cut, the events are those of the standard.
pub fn framing(bytes: &[u8]) {
    let ([cut, limit], stream) = settings(bytes);
    let cut = pieces(stream, cut);
    let (events, overflow, id, retry) = framed(&cut, usize::MAX);
    assert!(!overflow);
    assert_eq!(events, by_the_standard(stream));
    assert_eq!((events, overflow, id, retry), framed(&[stream], usize::MAX));
    let limit = usize::from(limit);
    let limited = framed(&[stream], limit);
    assert_eq!(framed(&cut, limit), limited, "a limit of {limit}");
    assert!(
        limited.0.iter().all(|event| event.1.len() <= limit),
        "a limit of {limit}"
    );
}
