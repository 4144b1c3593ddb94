//! Event streams framed by chatwire and by other parsers in Rust, in turns in one process. Each parser has to find the same events.

use bytes::Bytes;
use eventsource_stream::EventStream as OtherEvents;
use futures_util::stream::{self, Stream, StreamExt};
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// How many turns each parser has; the best of them counts, since what else the machine does can only slow one down.
const TURNS: usize = 9;

/// A parser: gives how many events it found, and how many bytes of data they have.
type Parser = fn(&[Bytes]) -> (usize, usize);

fn main() {
    let chat = "data: {\"id\":\"chatcmpl-7Qy\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"electron\",\
                \"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n";
    let large = |size: usize| format!("data: {}\n\n", "x".repeat(size));
    // Name, one event, how many of them, bytes a read.
    let cases = [
        ("chat chunks, 1,460 bytes a read", chat.to_owned(), 20_000, 1460),
        ("chat chunks, one event a read", chat.to_owned(), 20_000, chat.len()),
        ("chat chunks, 10 bytes a read", chat.to_owned(), 5_000, 10),
        ("events of 40 KiB, 1,460 bytes a read", large(40 << 10), 400, 1460),
        ("events of 4 KiB, 10 bytes a read", large(4 << 10), 100, 10),
        (
            "events of 9 bytes, 1,460 bytes a read",
            "data: x\n\n".to_owned(),
            200_000,
            1460,
        ),
        (
            "comments, 1,460 bytes a read",
            ": keep-alive\n\n".to_owned(),
            200_000,
            1460,
        ),
    ];
    let parsers: [(&str, Parser); 4] = [
        ("chatwire", chatwire),
        ("sse-core", sse_core),
        ("sseer", sseer),
        ("eventsource-stream", eventsource_stream),
    ];
    println!(
        "| MiB/s | {} |",
        parsers.map(|(name, _)| format!("`{name}`")).join(" | ")
    );
    println!("|---{}|", "|---".repeat(parsers.len()));
    for (name, event, count, size) in cases {
        let body = Bytes::from(event.repeat(count));
        let reads: Vec<_> = (0..body.len())
            .step_by(size)
            .map(|at| body.slice(at..body.len().min(at + size)))
            .collect();
        let expected = parsers[0].1(&reads);
        let mut best = [f64::INFINITY; 4];
        for _ in 0..TURNS {
            for (best, (parser, parse)) in best.iter_mut().zip(parsers) {
                let started = Instant::now();
                let found = parse(black_box(&reads));
                *best = best.min(started.elapsed().as_secs_f64());
                assert_eq!(found, expected, "{parser}, {name}");
            }
        }
        let speeds = best.map(|seconds| format!("{:.0}", body.len() as f64 / seconds / f64::from(1 << 20)));
        println!("| {name} | {} |", speeds.join(" | "));
    }
}

fn chatwire(reads: &[Bytes]) -> (usize, usize) {
    let mut decoder = chatwire::sse::Decoder::new();
    let mut found = (0, 0);
    for read in reads {
        let mut events = decoder.feed(read);
        while let Some(event) = events.next() {
            add(&mut found, event.expect("within the limit").data.len());
        }
    }
    found
}

fn sse_core(reads: &[Bytes]) -> (usize, usize) {
    let mut decoder = sse_core::SseDecoder::new();
    let mut found = (0, 0);
    for read in reads {
        let mut read = read.clone();
        while let Some(event) = decoder.next(&mut read) {
            if let sse_core::SseEvent::Message(message) = event.expect("within the limit") {
                add(&mut found, message.data.len());
            }
        }
    }
    found
}

fn sseer(reads: &[Bytes]) -> (usize, usize) {
    count(sseer::event_stream::EventStream::new(stream_of(reads)), |event| {
        event.expect("valid").data.len()
    })
}

fn eventsource_stream(reads: &[Bytes]) -> (usize, usize) {
    count(OtherEvents::new(stream_of(reads)), |event| {
        event.expect("valid").data.len()
    })
}

fn stream_of(reads: &[Bytes]) -> impl Stream<Item = Result<Bytes, Infallible>> + '_ {
    stream::iter(reads.iter().cloned().map(Ok))
}

/// Counts a stream that never waits.
fn count<S: Stream>(events: S, length: impl Fn(S::Item) -> usize) -> (usize, usize) {
    let mut events = pin!(events);
    let mut context = Context::from_waker(Waker::noop());
    let mut found = (0, 0);
    while let Poll::Ready(Some(event)) = events.poll_next_unpin(&mut context) {
        add(&mut found, length(event));
    }
    found
}

fn add(found: &mut (usize, usize), length: usize) {
    found.0 += 1;
    found.1 += length;
}
