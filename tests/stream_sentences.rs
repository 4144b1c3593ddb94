//! Sentences as a stream gives them: when, in which order beside other events, and to the end of every stream.

use chatwire::stream::{Decoder, End, Options, OutputKind, SentenceOptions, heard};
use serde_json::{Value, json};

/// Every place is tried; under Miri, which is a thousand times slower, one of so many.
const STEP: usize = if cfg!(miri) { 41 } else { 1 };

fn decoder(options: SentenceOptions) -> Decoder {
    Decoder::new(Options {
        output: OutputKind::Events,
        sentences: Some(options),
        ..Options::default()
    })
}

fn chunk(choice: u64, delta: &Value, finish_reason: Option<&str>) -> String {
    let choices = json!([{"index": choice, "delta": delta, "finish_reason": finish_reason}]);
    format!("data: {}\n\n", json!({"id": "c", "choices": choices}))
}

fn says(text: &str) -> String {
    chunk(0, &json!({"content": text}), None)
}

/// The output of the last call, in short: texts of sentences, types of other events.
fn given(decoder: &Decoder) -> Vec<String> {
    let events: Vec<Value> = serde_json::from_slice(decoder.output()).expect("events are JSON");
    let short = |event: &Value| match event["type"].as_str() {
        Some("sentence") => format!("{}:{}", event["choice"], event["text"].as_str().unwrap_or_default()),
        other => other.unwrap_or_default().to_owned(),
    };
    events.iter().map(short).filter(|event| event != "text").collect()
}

fn push(decoder: &mut Decoder, text: &str, now: f64) -> Vec<String> {
    decoder.push(text.as_bytes(), now, now);
    given(decoder)
}

fn outcome(decoder: &Decoder) -> Value {
    serde_json::from_str(&decoder.outcome_json().expect("it has ended")).expect("an outcome is JSON")
}

#[test]
fn a_sentence_comes_with_the_text_that_completes_it() {
    let mut decoder = decoder(SentenceOptions::default());
    assert_eq!(push(&mut decoder, &says("Hello. How"), 1.0), ["0:Hello."]);
    assert_eq!(push(&mut decoder, &says(" are"), 2.0), [""; 0]);
    assert_eq!(push(&mut decoder, &says(" you? A"), 3.0), ["0: How are you?"]);
    let stop = chunk(0, &json!({}), Some("stop"));
    assert_eq!(push(&mut decoder, &stop, 4.0), ["0: A", "finish"]);
}

#[test]
fn any_cut_of_the_bytes_gives_the_same() {
    let stream = [
        says("Héllo 👋🏽. Wie geht’s? Dr. Rao "),
        says("ist da। 你好。"),
        says("Bye\n"),
        says("!"),
    ]
    .concat();
    let all = |pieces: &[&[u8]]| {
        let mut decoder = decoder(SentenceOptions::default());
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece, 0.0, 0.0);
            events.extend(given(&decoder));
        }
        decoder.end(End::Closed, 0.0);
        events.extend(given(&decoder));
        events
    };
    let whole = all(&[stream.as_bytes()]);
    assert!(whole.len() > 4, "{whole:?}");
    for at in (0..stream.len()).step_by(STEP) {
        let (before, after) = stream.as_bytes().split_at(at);
        assert_eq!(all(&[before, after]), whole, "cut at {at}");
    }
    let bytes: Vec<_> = stream.as_bytes().chunks(1).collect();
    assert_eq!(all(&bytes), whole);
}

#[test]
fn places_count_utf16_units() {
    let mut decoder = decoder(SentenceOptions::default());
    decoder.push(says("👋🏽 Hi। Bye।").as_bytes(), 0.0, 0.0);
    let events: Vec<Value> = serde_json::from_slice(decoder.output()).expect("events are JSON");
    let places: Vec<_> = events[1..]
        .iter()
        .map(|event| (event["start"].as_u64(), event["end"].as_u64()))
        .collect();
    assert_eq!(places, [(Some(0), Some(8)), (Some(8), Some(13))]);
}

#[test]
fn each_choice_has_its_own() {
    let mut decoder = decoder(SentenceOptions::default());
    let both = [
        says("One. "),
        chunk(1, &json!({"content": "Two. "}), None),
        says("Three. F"),
    ]
    .concat();
    assert_eq!(push(&mut decoder, &both, 0.0), ["0:One.", "0: Three."]);
    assert_eq!(
        push(&mut decoder, &chunk(1, &json!({"content": "Four"}), None), 0.0),
        ["1:Two."]
    );
}

#[test]
fn a_tool_call_has_the_sentence_spoken_before_it() {
    let mut decoder = decoder(SentenceOptions::default());
    push(&mut decoder, &says("Let me look"), 0.0);
    let call = json!({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{}"}}]});
    let events = push(&mut decoder, &chunk(0, &call, None), 0.0);
    assert_eq!(events[..3], ["0:Let me look", "filler", "tool_call.start"]);
}

#[test]
fn silence_completes_what_only_the_next_word_could() {
    let mut decoder = decoder(SentenceOptions {
        quiet: Some(200.0),
        ..SentenceOptions::default()
    });
    push(&mut decoder, &says("It is 3."), 1000.0);
    assert_eq!(decoder.deadline(1000.0), Some(1200.0));
    decoder.tick(1000.0, 1199.0);
    assert_eq!(given(&decoder), [""; 0]);
    decoder.tick(1000.0, 1200.0);
    assert_eq!(given(&decoder), ["0:It is 3."]);
    assert_eq!(decoder.deadline(1000.0), None);
    assert_eq!(push(&mut decoder, &says("14 more. Yes"), 1300.0), ["0:14 more."]);
    // Words without an end are not spoken, however long nothing comes.
    assert_eq!(decoder.deadline(1300.0), None);
}

#[test]
fn time_of_the_first_sentence_is_told() {
    for output in [OutputKind::Events, OutputKind::Text, OutputKind::None] {
        let mut decoder = Decoder::new(Options {
            output,
            sentences: Some(SentenceOptions::default()),
            started: 100.0,
            ..Options::default()
        });
        decoder.push(says("One").as_bytes(), 110.0, 110.0);
        decoder.push(says(". Two").as_bytes(), 120.0, 120.0);
        decoder.push(says(". Three").as_bytes(), 130.0, 130.0);
        decoder.end(End::Closed, 140.0);
        let timing = &outcome(&decoder)["timing"];
        assert_eq!(timing["firstToken"], 10.0);
        assert_eq!(timing["firstSentence"], 20.0);
    }
    let mut without = Decoder::new(Options::default());
    without.push(says("One. Two").as_bytes(), 0.0, 0.0);
    without.end(End::Closed, 0.0);
    assert_eq!(outcome(&without)["timing"]["firstSentence"], Value::Null);
}

#[test]
fn every_end_but_the_callers_gives_out_what_is_left() {
    for (end, left) in [
        (End::Closed, vec!["0: There"]),
        (End::Lost, vec!["0: There"]),
        (End::Aborted, vec![]),
    ] {
        let mut decoder = decoder(SentenceOptions::default());
        push(&mut decoder, &says("Hello. There"), 0.0);
        decoder.end(end, 0.0);
        assert_eq!(given(&decoder), left);
    }
}

#[test]
fn reasoning_is_not_spoken() {
    let mut decoder = decoder(SentenceOptions::default());
    let text = [says("<think>Hm. Well. </think>"), says("Yes. No")].concat();
    assert_eq!(push(&mut decoder, &text, 0.0), ["repair", "reasoning", "0:Yes."]);
}

#[test]
fn without_an_accumulated_answer_sentences_are_the_same() {
    let mut decoder = Decoder::new(Options {
        output: OutputKind::Events,
        accumulate: false,
        sentences: Some(SentenceOptions::default()),
        ..Options::default()
    });
    assert_eq!(
        push(&mut decoder, &[says("He"), says("llo. "), says("Bye")].concat(), 0.0),
        ["0:Hello."]
    );
}

#[test]
fn halves_of_a_surrogate_pair_are_joined_and_lone_ones_replaced() {
    let mut decoder = decoder(SentenceOptions::default());
    let half = |escape: &str| says("X").replace('X', escape);
    let stream = [half("Hi \\ud83d"), half("\\ude00! So \\ud83d"), half("lone। ")].concat();
    assert_eq!(push(&mut decoder, &stream, 0.0), ["0:Hi 😀!", "0: So \u{FFFD}lone।"]);
}

#[test]
fn what_was_heard_ends_with_a_whole_word() {
    for (text, units, rest) in [
        ("One two three", 7, "One two"),
        ("One two three", 8, "One two"),
        ("One two three", 9, "One two"),
        ("One two three", 13, "One two three"),
        ("One two three", 99, "One two three"),
        ("One two three", 0, ""),
        ("One", 2, ""),
        ("don't go", 4, ""),
        ("well-known", 6, "well-"),
        ("नमस्ते दुनिया", 8, "नमस्ते"),
        ("今日は。", 2, "今日"),
        ("안녕하세요 여러분", 8, "안녕하세요"),
        ("Hi 👨‍👩‍👧‍👦 you", 8, "Hi"),
        ("Hi 👨‍👩‍👧‍👦 you", 14, "Hi 👨‍👩‍👧‍👦"),
    ] {
        assert_eq!(heard(text, units), rest, "{text:?} at {units}");
    }
}
