//! The decoder of answers: any bytes, options and cuts.

use chatwire::provider::ReasoningPlace;
use chatwire::stream::{
    Bounds, Decoder, End, Options, OutputKind, PartialValues, SentenceOptions, Timeouts, TokenPrices,
};
use serde_json::Value;

use super::same::{parsed, same_for_all};
use super::{pieces, settings};

const OUTPUTS: [OutputKind; 6] = [
    OutputKind::Events,
    OutputKind::EventParts,
    OutputKind::Chunks,
    OutputKind::ChunkParts,
    OutputKind::Text,
    OutputKind::None,
];

const PLACES: [ReasoningPlace; 5] = [
    ReasoningPlace::Detect,
    ReasoningPlace::None,
    ReasoningPlace::Tags,
    ReasoningPlace::Field("reasoning"),
    ReasoningPlace::Field("reasoning_content"),
];

/// The options that some bytes say.
fn options([flags, place, kind, limit]: [u8; 4]) -> Options {
    let is_set = |bit: u8| flags >> bit & 1 == 1;
    let of = |number: u8, length: usize| usize::from(number) % length;
    Options {
        output: OUTPUTS[of(kind, OUTPUTS.len())],
        document: is_set(0),
        strict: is_set(1),
        accumulate: !is_set(2),
        predict: !is_set(3),
        returns_reasoning: !is_set(4),
        partial: [PartialValues::Off, PartialValues::Containers, PartialValues::Any][of(kind / 8, 3)],
        sentences: is_set(5).then(|| SentenceOptions {
            eager: is_set(6),
            strip_markdown: is_set(7),
            max_length: 20,
            ..SentenceOptions::default()
        }),
        reasoning: PLACES[of(place, PLACES.len())],
        prompt_tokens: (place >= 128).then_some(7),
        prices: Some(TokenPrices {
            input: 400_000,
            cached_input: 100_000,
            output: 1_600_000,
            up_to: None,
        }),
        bounds: match limit {
            0 => Bounds::default(),
            limit => Bounds {
                max_event_bytes: usize::from(limit) * 8,
                max_tool_call_bytes: usize::from(limit) * 2,
                max_stream_bytes: usize::from(limit) * 16,
                max_choices: usize::from(limit) % 5,
            },
        },
        timeouts: Timeouts {
            first_token: Some(50.0),
            idle: Some(30.0),
            keep_alive: Some(40.0),
            total: Some(1000.0),
        },
        ..Options::default()
    }
}

/// Any bytes, options and cuts: the decoder ends with one outcome, and all that it hands out is JSON.
pub fn decoder(bytes: &[u8]) {
    let ([flags, place, kind, limit, cut, end], stream) = settings(bytes);
    let options = options([flags, place, kind, limit]);
    let output = options.output;
    let mut decoder = Decoder::new(options);
    let mut now = 1.0;
    let check = |decoder: &Decoder| match output {
        OutputKind::Text => assert!(std::str::from_utf8(decoder.output()).is_ok()),
        OutputKind::None => assert!(decoder.output().is_empty()),
        _ => assert!(matches!(parsed(decoder.output()), Value::Array(_) | Value::Null)),
    };
    for piece in pieces(stream, cut) {
        let started = now;
        now += f64::from(end % 8);
        let had_ended = decoder.has_ended();
        let ended = decoder.push(piece, started, now);
        assert_eq!(ended, decoder.has_ended());
        assert!(ended || !had_ended, "an end is for good");
        check(&decoder);
        if let Some(deadline) = decoder.deadline(now) {
            assert!(!deadline.is_nan());
            if end & 64 != 0 {
                decoder.tick(now, now + 1.0);
                check(&decoder);
            }
        }
    }
    match end / 8 % 5 {
        0 => decoder.end(End::Closed, now),
        1 => decoder.end(End::Lost, now),
        2 => decoder.end(End::Aborted, now),
        3 => decoder.lose("read ECONNRESET", now),
        _ => {
            decoder.tick(now, now + 2000.0);
        }
    }
    check(&decoder);
    assert!(decoder.has_ended(), "the decoder has ended");
    let json = decoder.outcome_json().expect("an outcome");
    let outcome = parsed(json.as_bytes());
    let typed = decoder.outcome().expect("a typed outcome");
    if !outcome.is_null() {
        assert_eq!(outcome["status"], typed.status.as_str());
        assert_eq!(outcome["text"], typed.text);
        assert_eq!(outcome["error"].is_null(), outcome["status"] == "complete", "{json}");
    }
    // The same text comes in parts, for hosts that read a long one so.
    let (mut whole, mut from) = (Vec::new(), 0);
    while let Some((part, more)) = decoder.outcome_part(from, 16) {
        from += part.len();
        whole.extend_from_slice(&part);
        if !more {
            break;
        }
        assert!(!part.is_empty(), "a part that is none goes on for ever");
    }
    assert_eq!(String::from_utf8_lossy(&whole), json, "in parts");
    assert!(decoder.failure().is_some() || outcome.is_null() || outcome["status"] == "complete");
    for json in [decoder.completion_json(), decoder.used_json()] {
        parsed(json.as_bytes());
    }
}

/// The stream says the same however it is read.
pub fn differential(bytes: &[u8]) {
    let ([flags, place, kind, cut], stream) = settings(bytes);
    // Sentences and timeouts go by the clock, which does not move here; limits by bytes hold whatever the cut.
    let options = Options {
        timeouts: Timeouts::default(),
        sentences: None,
        ..options([flags, place, kind, 0])
    };
    same_for_all(stream, &options, End::Closed, &[pieces(stream, cut), pieces(stream, 1)]);
}
