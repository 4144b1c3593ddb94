//! Sentences: nothing is lost, however the text arrives.

use chatwire::stream::{Sentence, SentenceOptions, Splitter};

use super::settings;

/// Sentences are the text, whole, in order and cut at the same places however the text arrives.
pub fn sentences(bytes: &[u8]) {
    let ([flags, cut], text) = settings(bytes);
    let text = String::from_utf8_lossy(text);
    let options = SentenceOptions {
        locale: ["", "de", "el", "en"][usize::from(flags & 3)].to_owned(),
        eager: flags & 4 != 0,
        strip_markdown: flags & 8 != 0,
        min_length: usize::from(flags >> 4),
        max_length: if cut & 128 != 0 { 24 } else { 500 },
        ..SentenceOptions::default()
    };
    let spoken = |pieces: &mut dyn Iterator<Item = &str>, pauses: bool| {
        let (mut sentences, mut end) = (Vec::new(), 0);
        let mut take = |sentence: Sentence<'_>| {
            assert!(
                sentence.start >= end && sentence.end > sentence.start,
                "{sentence:?} after {end}"
            );
            end = sentence.end;
            sentences.push(sentence.text.to_owned());
        };
        let mut splitter = Splitter::new(&options);
        for piece in pieces {
            splitter.feed(piece, &mut take);
            if pauses {
                splitter.settle(&mut take);
            }
        }
        splitter.flush(&mut take);
        sentences
    };
    let whole = spoken(&mut [&*text].into_iter(), false);
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let places: Vec<usize> = places
        .into_iter()
        .step_by(usize::from(cut & 127).max(1))
        .chain([text.len()])
        .collect();
    let pieces = || places.windows(2).map(|pair| &text[pair[0]..pair[1]]);
    assert_eq!(spoken(&mut pieces(), false), whole, "in pieces");
    let paused = spoken(&mut pieces(), true);
    if !options.strip_markdown {
        assert_eq!(whole.concat(), text);
        assert_eq!(paused.concat(), text, "with pauses");
    }
}
