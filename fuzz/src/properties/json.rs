//! The JSON scanner and live values of partial JSON, against the host's parser: serde_json.

use chatwire::json::{Reader, Str, count, is_json, with_whole_surrogates};
use chatwire::provider::ReasoningPlace;
use chatwire::stream::{Decoder, Options, OutputKind, PartialValues};
use serde_json::{Value, json};

use super::settings;
use live::Live;

#[path = "../../../tests/live/mod.rs"]
mod live;

/// The scanner takes what the host's parser takes, and reads the same out of it.
pub fn json_scanner(bytes: &[u8]) {
    let ours = is_json(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let theirs: Result<Box<serde_json::value::RawValue>, _> = serde_json::from_str(text);
        // The scanner stops at a depth at which hosts do not.
        let is_deep = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 128;
        assert!(
            ours == theirs.is_ok() || is_deep && !ours,
            "ours: {ours}, theirs: {theirs:?}"
        );
        let whole = with_whole_surrogates(text);
        if ours && let Err(error) = serde_json::from_str::<Value>(&whole) {
            assert!(
                is_deep || error.to_string().contains("out of range"),
                "{error}: {whole}"
            );
        }
        if ours && text.trim_ascii().starts_with('"') {
            let value: String = serde_json::from_str(&whole).expect("a string");
            assert_eq!(
                Reader::new(whole.as_bytes()).string().expect("a string").to_text(),
                value
            );
            // A text that is not whole reads all the same, U+FFFD for the half.
            assert_eq!(Reader::new(bytes).string().expect("a string").to_text(), value);
        }
        if ours && let Some(number) = count(bytes.trim_ascii()) {
            let value: Value = serde_json::from_str(text).expect("a count is JSON");
            let float = value
                .as_f64()
                .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            let float = float.expect("a count is a number");
            assert!(
                (number as f64 - float.trunc()).abs() <= 1.0 + float * 1e-15,
                "{number} of {text}"
            );
        }
    }
    let _ = Str::spelled(bytes).to_text();
}

/// The live value of a text that comes in these pieces, or `None` where a parser of Rust cannot follow.
fn lived(pieces: &[&str]) -> Option<Option<Value>> {
    let mut decoder = Decoder::new(Options {
        output: OutputKind::Events,
        partial: PartialValues::Any,
        reasoning: ReasoningPlace::None,
        ..Options::default()
    });
    let mut live = Live::new();
    let done = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let chunks = pieces.iter().map(|piece| {
        format!(
            "data: {}\n\n",
            json!({"choices": [{"index": 0, "delta": {"content": piece}}]})
        )
    });
    for chunk in chunks.chain([done.to_owned()]) {
        decoder.push(chunk.as_bytes(), 0.0, 0.0);
        // Halves of pairs cross as they are spelled.
        let events: Vec<Value> = serde_json::from_slice(decoder.output()).ok()?;
        for event in events.iter().filter(|event| event["type"] == "partial") {
            live.apply(event);
        }
    }
    Some(live.value().cloned())
}

/// Each edit fits the value it is for, however the text was cut; of whole JSON the live value is the value.
pub fn partial_json(bytes: &[u8]) {
    let ([cut], text) = settings(bytes);
    let text = String::from_utf8_lossy(text);
    let mut cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    cuts.push(text.len());
    let step = usize::from(cut).max(1);
    let places: Vec<usize> = cuts.iter().copied().step_by(step).chain([text.len()]).collect();
    let parts: Vec<&str> = places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
    let (Some(in_parts), Some(whole)) = (lived(&parts), lived(&[&text])) else {
        return;
    };
    assert_eq!(in_parts, whole, "in parts of {step}: {text}");
    if let Ok(value) = serde_json::from_str::<Value>(&text) {
        assert_eq!(whole, Some(value), "{text}");
    }
}
