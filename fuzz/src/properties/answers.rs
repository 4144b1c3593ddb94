//! The decoder of answers: any bytes, options and cuts.

use chatwire::json::{is_json, with_whole_surrogates};
use chatwire::provider::ReasoningPlace;
use chatwire::stream::{
    Bounds, Decoder, End, Options, OutputKind, PartialValues, SentenceOptions, Timeouts, TokenPrices,
};
use serde_json::Value;

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

/// JSON that Rust's parser takes: halves of surrogate pairs are made whole, and numbers beyond its range are made small.
fn parsed(json: &[u8]) -> Value {
    let text = std::str::from_utf8(json).expect("UTF-8");
    let whole = with_whole_surrogates(text);
    match serde_json::from_str(&whole) {
        Ok(value) => value,
        Err(error) => {
            // The host parses what Rust's parser finds too large or too deep.
            assert!(is_json(json), "{error}: {text}");
            Value::Null
        }
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

/// The output of a run, all batches as one, and its outcome.
fn read(stream: &[u8], cut: u8, options: &Options, output: OutputKind, predict: bool) -> (Vec<Vec<u8>>, String) {
    let mut decoder = Decoder::new(Options {
        output,
        predict,
        ..options.clone()
    });
    let mut batches = Vec::new();
    for piece in pieces(stream, cut) {
        decoder.push(piece, 0.0, 1.0);
        batches.push(decoder.output().to_vec());
    }
    decoder.end(End::Closed, 1.0);
    batches.push(decoder.output().to_vec());
    (batches, decoder.outcome_json().expect("an outcome"))
}

/// Prediction or not, cut anywhere, whichever output: the same outcome, the same text, and events that add up to it.
pub fn differential(bytes: &[u8]) {
    let ([flags, place, kind, cut], stream) = settings(bytes);
    // Sentences and timeouts go by the clock, which does not move here; limits by bytes hold whatever the cut.
    let options = Options {
        timeouts: Timeouts::default(),
        sentences: None,
        accumulate: true,
        ..options([flags, place, kind, 0])
    };
    let (events, outcome) = read(stream, 0, &options, OutputKind::Events, true);
    let value = parsed(outcome.as_bytes());
    for output in OUTPUTS {
        for (cut, predict) in [(cut, true), (cut, false), (0, true), (1, true)] {
            let (batches, other) = read(stream, cut, &options, output, predict);
            assert_eq!(other, outcome, "cut by {cut}, {output:?}, predict: {predict}");
            if output == OutputKind::Text && !outcome.contains("reasoning.reclassified") && !value.is_null() {
                assert_eq!(
                    String::from_utf8(batches.concat()).expect("UTF-8"),
                    value["text"],
                    "cut by {cut}"
                );
            }
        }
    }
    let events: Vec<Value> = events.iter().map(|batch| parsed(batch)).collect();
    if value.is_null() || events.iter().any(Value::is_null) || outcome.contains("reasoning.reclassified") {
        return;
    }
    let all = || events.iter().filter_map(Value::as_array).flatten();
    // The outcome is that of choice 0, or of the one that has anything: of that whose text and reasoning it has.
    let is_told = |choice: &&Value| {
        let message = &choice["message"];
        let of = |names: &[&str]| names.iter().find_map(|name| message[name].as_str()).unwrap_or_default();
        value["text"] == of(&["content"]) && value["reasoning"] == of(&["reasoning", "reasoning_content"])
    };
    let choices = value["completion"]["choices"].as_array();
    let told = choices.and_then(|choices| choices.iter().find(is_told));
    let main = told.map_or(&Value::from(0), |choice| &choice["index"]).clone();
    let sum = |kind: &str| -> String {
        let of = all().filter(|event| event["type"] == kind && event["choice"] == main);
        of.filter_map(|event| event["text"].as_str()).collect()
    };
    assert_eq!(sum("text"), value["text"], "the events' text");
    assert_eq!(sum("reasoning"), value["reasoning"], "the events' reasoning");
    assert_eq!(
        sum("refusal"),
        value["message"]["refusal"].as_str().unwrap_or_default(),
        "the events' refusal"
    );
}
