//! Cuts cases like those of `tests/fixtures/sentences.json`, read from the standard input, letter by letter as a stream
//! would bring them, with chatwire and with sentencex. Writes, for each of the two, group and case, where it cut and
//! how late.

use std::io::Read;

use chatwire::stream::{SentenceOptions, Splitter};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Group {
    locale: String,
    cases: Vec<String>,
}

/// A cut: how many characters lie before it, and how many had come when it was known.
#[derive(Serialize)]
struct Cut {
    at: usize,
    known: usize,
}

fn main() {
    let mut json = String::new();
    std::io::stdin().read_to_string(&mut json).expect("the cases are text");
    let groups: Vec<Group> = serde_json::from_str(&json).expect("the cases are JSON");
    let all = |cut: fn(&str, &str) -> Vec<Cut>| -> Vec<Vec<Vec<Cut>>> {
        let cuts = |group: &Group| {
            group
                .cases
                .iter()
                .map(|case| cut(&group.locale, &case.replace('‖', "")))
                .collect()
        };
        groups.iter().map(cuts).collect()
    };
    let whole: Vec<Vec<Vec<usize>>> = groups
        .iter()
        .map(|group| {
            group
                .cases
                .iter()
                .map(|case| whole(&group.locale, &case.replace('‖', "")))
                .collect()
        })
        .collect();
    println!(
        "{}",
        serde_json::json!({ "chatwire": all(chatwire), "sentencex": all(sentencex), "sentencexWhole": whole })
    );
}

fn chatwire(locale: &str, text: &str) -> Vec<Cut> {
    let options = SentenceOptions {
        locale: locale.to_owned(),
        ..SentenceOptions::default()
    };
    let mut splitter = Splitter::new(&options);
    let mut cuts = Vec::new();
    let mut at = 0;
    let mut letter = [0; 4];
    for (known, c) in text.chars().enumerate() {
        splitter.feed(c.encode_utf8(&mut letter), |sentence| {
            at += sentence.text.chars().count();
            cuts.push(Cut { at, known: known + 1 });
        });
    }
    // The rest of the text is cut at the end, as far as it is more than one sentence.
    let known = text.chars().count();
    splitter.flush(|sentence| {
        at += sentence.text.chars().count();
        cuts.push(Cut { at, known });
    });
    cuts
}

/// Where sentencex cuts a text that is there from the start.
fn whole(locale: &str, text: &str) -> Vec<usize> {
    let mut at = 0;
    let ends = sentencex::segment(locale, text).into_iter().map(|sentence| {
        at += sentence.chars().count();
        at
    });
    ends.collect()
}

/// All sentences of what has come but the last, which may go on; then from there.
fn sentencex(locale: &str, text: &str) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let (mut at, mut known) = (0, 0);
    let mut open = String::new();
    for c in text.chars() {
        known += 1;
        open.push(c);
        let sentences = sentencex::segment(locale, &open);
        let [done @ .., last] = &sentences[..] else { continue };
        let rest = (*last).to_owned();
        for sentence in done {
            at += sentence.chars().count();
            cuts.push(Cut { at, known });
        }
        if !done.is_empty() {
            open = rest;
        }
    }
    cuts.push(Cut { at: known, known });
    cuts
}
