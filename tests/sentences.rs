//! Sentences: where a text is cut, when each is given out, and that nothing of the text is lost however it arrives.

use chatwire::stream::{Sentence, SentenceOptions, Splitter};
use proptest::prelude::*;
use serde::Deserialize;

/// Cases of one script. `‖` stands where a sentence ends.
#[derive(Deserialize)]
struct Group {
    script: String,
    locale: String,
    cases: Vec<String>,
}

/// Cases that the rules get wrong, and know it.
const WRONG: [&str; 6] = [
    "I love it :)‖ Do you?",
    // A danda is the end at once: what follows is not waited for.
    "सब ठीक है।।‖ धन्यवाद।",
    "எம். ஜி. ஆர். நடிகர்.‖ அவர் முதல்வரும் ஆனார்.",
    "قال لي: «تعال.» فذهبت.‖ ثم عدت.",
    // A sentence in brackets or quotation marks may go on after them: `「すごい。」と彼は言った。`
    "（他走了。）‖她留下了。",
    "「行くの？」「うん。」‖二人は歩いた。",
];

fn groups() -> Vec<Group> {
    serde_json::from_str(include_str!("fixtures/sentences.json")).expect("the fixture is JSON")
}

fn sentences<'a>(options: &SentenceOptions, pieces: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut splitter = Splitter::new(options);
    let mut given = Vec::new();
    for piece in pieces {
        splitter.feed(piece, |sentence| given.push(sentence.text.to_owned()));
    }
    splitter.flush(|sentence| given.push(sentence.text.to_owned()));
    given
}

fn letters(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices()
        .map(|(at, letter)| &text[at..at + letter.len_utf8()])
}

#[test]
fn each_script_is_cut_where_its_sentences_end() {
    let mut wrong = Vec::new();
    for group in groups() {
        let options = SentenceOptions {
            locale: group.locale,
            ..SentenceOptions::default()
        };
        for case in group.cases {
            let text = case.replace('‖', "");
            let given = sentences(&options, [text.as_str()]).join("‖");
            assert_eq!(
                given,
                sentences(&options, letters(&text)).join("‖"),
                "{}: letter by letter",
                group.script
            );
            if given != case {
                wrong.push(case);
            }
        }
    }
    assert_eq!(wrong, WRONG);
}

#[test]
fn lists_on_one_line_and_more_abbreviations_are_cut_where_they_end() {
    for (locale, text) in [
        ("", "1. Foo‖ 2. Bar‖ 3. Baz"),
        ("", "Here it is: 1. Foo‖ 2. Bar"),
        ("", "9. Milk and tea‖ 10. Eggs.‖ Enjoy!"),
        // No numbers of items.
        ("", "1. Boil for 2.‖\n2. Add 2.5 g."),
        ("", "1. It costs Rs. 2.‖ Pay now."),
        ("", "I have 1.‖ You have 2.‖ She has 3."),
        ("", "1. Treffen am 2. Mai.‖ Bitte kommen."),
        ("de", "1. Treffen 2. Mai.‖ Bitte kommen."),
        ("", "Kum. Asha and Er. Singh came.‖ Good."),
        ("", "Wg. Cdr. Abhinandan and Maj. Gen. Bakshi spoke.‖ Ok."),
        ("", "Tel. No. 020-2567, Ref. No. 12.‖ Regd. Office is in Mumbai."),
        ("", "श्री. राम और श्रीमती. सीता आए।‖ ठीक है।"),
        ("", "इं. राजेश का मो. नं. 98765 है।‖ फ़ोन करें।"),
        ("", "म.प्र. में कि.ग्रा. और कि.मी. लिखते हैं।‖ अच्छा है।"),
        ("", "यह है.‖ वह नहीं."),
        ("", "ThS. Lan và TS. Minh đến TP. Huế.‖ Họ vui."),
        ("", "Có táo, cam, v.v.‖ Tôi thích táo."),
        ("", "Write it in TS.‖ Then compile."),
    ] {
        let options = SentenceOptions {
            locale: locale.to_owned(),
            ..SentenceOptions::default()
        };
        let bare = text.replace('‖', "");
        let want: Vec<_> = text.split('‖').collect();
        assert_eq!(sentences(&options, letters(&bare)), want);
        assert_eq!(sentences(&options, [bare.as_str()]), want);
    }
}

#[test]
fn a_sentence_is_out_as_soon_as_it_is_certain() {
    for (so_far, out) in [
        ("नमस्ते।", "नमस्ते।"),
        ("你好。", "你好。"),
        ("السلام علیکم۔", "السلام علیکم۔"),
        ("你好，“真的。", ""), // a closing quotation mark may follow
        ("Hello", ""),
        ("Hello.", ""),  // or `Hello.com`
        ("Hello. ", ""), // or `Hello. and so on`
        ("Hello. H", "Hello."),
        ("Hello.\n", "Hello."),
        ("Hello!", ""), // or `Hello!!`
        ("Hello! (", ""),
        ("At 5 p.m. T", ""),
        ("At 5 p.m. The", ""), // or `Theodor`
        ("At 5 p.m. The ", "At 5 p.m."),
        ("A line\n", ""),
        ("A line\nA", "A line"),
        ("A line\n\n", "A line"),
    ] {
        let mut given = String::new();
        Splitter::new(&SentenceOptions::default()).feed(so_far, |sentence| given.push_str(sentence.text));
        assert_eq!(given, out, "{so_far:?}");
    }
}

#[test]
fn what_only_the_next_word_could_tell_is_given_out_when_nothing_comes() {
    for (so_far, out) in [
        ("It is 3.", "It is 3."),
        ("Hello! ", "Hello!"),
        ("At 5 p.m. Th", "At 5 p.m."),
        ("Hello. And so", ""),
        ("Meet Dr.", ""),
        ("Hello", ""),
    ] {
        let mut splitter = Splitter::new(&SentenceOptions::default());
        splitter.feed(so_far, |_| ());
        let mut given = String::new();
        assert_eq!(splitter.wait(), Some(250.0).filter(|_| !out.is_empty()), "{so_far:?}");
        splitter.settle(|sentence| given.push_str(sentence.text));
        assert_eq!(given, out, "{so_far:?}");
        assert_eq!(splitter.wait(), None, "{so_far:?}");
    }
    let patient = SentenceOptions {
        quiet: None,
        ..SentenceOptions::default()
    };
    let mut splitter = Splitter::new(&patient);
    splitter.feed("Hello!", |_| ());
    assert_eq!(splitter.wait(), None);
}

#[test]
fn lengths_are_kept() {
    let short = |min_length| SentenceOptions {
        min_length,
        ..SentenceOptions::default()
    };
    assert_eq!(
        sentences(&short(10), ["Yes. No. I do not know. Ok."]),
        ["Yes. No. I do not know.", " Ok."]
    );
    let long = |max_length| SentenceOptions {
        max_length,
        ..SentenceOptions::default()
    };
    assert_eq!(sentences(&long(12), ["one two three four"]), ["one two", " three four"]);
    assert_eq!(
        sentences(&long(16), ["once upon, a time ago"]),
        ["once upon,", " a time ago"]
    );
    assert_eq!(sentences(&long(4), ["aaaaaaaaaa"]), ["aaaa", "aaaa", "aa"]);
    assert_eq!(sentences(&long(4), ["天地玄黄宇宙洪荒"]), ["天地玄黄", "宇宙洪荒"]);
}

#[test]
fn characters_that_belong_together_stay_together() {
    let one = |max_length| SentenceOptions {
        max_length,
        ..SentenceOptions::default()
    };
    for whole in ["👨‍👩‍👧‍👦", "👋🏽", "🇮🇳", "❤️", "1️⃣", "é̂", "क्षि", "நி", "กำ", "각", "\r\n", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"]
    {
        let text = whole.repeat(5);
        for max_length in 1..12 {
            for sentence in sentences(&one(max_length), [text.as_str()]) {
                assert_eq!(sentence.replace(whole, ""), "", "{whole:?} at {max_length}");
            }
        }
    }
}

#[test]
fn the_first_sentence_may_be_cut_at_a_clause() {
    let eager = SentenceOptions {
        eager: true,
        ..SentenceOptions::default()
    };
    assert_eq!(
        sentences(&eager, ["Well, 1,000 of them, I think. Or so, maybe."]),
        ["Well,", " 1,000 of them, I think.", " Or so, maybe."]
    );
    assert_eq!(sentences(&eager, ["嗯，我想是的，好。"]), ["嗯，", "我想是的，好。"]);
    let longer = SentenceOptions { min_length: 8, ..eager };
    assert_eq!(sentences(&longer, ["Well, I think so, yes."])[0], "Well, I think so,");
}

#[test]
fn markdown_is_not_spoken() {
    let plain = SentenceOptions {
        strip_markdown: true,
        ..SentenceOptions::default()
    };
    for (text, spoken) in [
        (
            "# Title\n\nSome **bold** and *slanted* `code`.",
            "Title‖\n\nSome bold and slanted code.",
        ),
        (
            "See [the docs](https://example.com/a_(b).html). Then ![a cat](cat.png) go.",
            "See the docs.‖ Then a cat go.",
        ),
        ("- one\n- two\n* three\n", "one‖\ntwo‖\nthree\n"),
        ("> quoted\n\n1. first\n2. second", "quoted‖\n\n1. first‖\n2. second"),
        ("Look:\n```js\nlet a = 1. B;\n```\nDone. Bye.", "Look:‖\nDone.‖ Bye."),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a , b ‖\n\n1 , 2 "),
        (
            "Keep 2 * 3, snake_case, a < b and C#.",
            "Keep 2 * 3, snake_case, a < b and C#.",
        ),
        ("<b>Bold</b> \\*not\\*", "Bold *not*"),
        ("~~gone~~ __strong__ ***both***", "gone strong both"),
    ] {
        let given = sentences(&plain, [text]);
        assert_eq!(given.join("‖"), spoken, "{text:?}");
        assert_eq!(given, sentences(&plain, letters(text)), "{text:?}, letter by letter");
    }
}

#[test]
fn places_of_spoken_sentences_meet_around_code() {
    let plain = SentenceOptions {
        strip_markdown: true,
        ..SentenceOptions::default()
    };
    let text = "Look 😀:\n\n```\nx();\n```\n\n**Done.** Bye";
    let mut splitter = Splitter::new(&plain);
    let mut places = Vec::new();
    splitter.feed(text, |sentence| places.push((sentence.start, sentence.end)));
    splitter.flush(|sentence| places.push((sentence.start, sentence.end)));
    let end = text.encode_utf16().count() as u64;
    assert_eq!(places.first().map(|place| place.0), Some(0));
    assert_eq!(places.last().map(|place| place.1), Some(end));
    assert!(places.windows(2).all(|pair| pair[0].1 == pair[1].0), "{places:?}");
}

/// Milliseconds that so many bytes of a text take which never ends a sentence.
fn milliseconds_for(bytes: usize, unit: &str) -> u128 {
    let text = unit.repeat(bytes / unit.len());
    let mut splitter = Splitter::new(&SentenceOptions::default());
    let (mut end, mut longest) = (0, 0);
    let started = std::time::Instant::now();
    let mut take = |sentence: Sentence<'_>| {
        longest = longest.max(sentence.end - end);
        end = sentence.end;
    };
    for piece in text.as_bytes().chunks(unit.len() * 1000) {
        splitter.feed(std::str::from_utf8(piece).expect("whole units"), &mut take);
    }
    splitter.flush(&mut take);
    assert_eq!(end, text.encode_utf16().count() as u64, "{unit:?}");
    assert!(longest <= 500, "{unit:?}: {longest}");
    started.elapsed().as_millis()
}

#[test]
#[cfg_attr(miri, ignore = "measures time")]
fn ten_megabytes_without_a_full_stop_take_linear_time() {
    milliseconds_for(10_000_000, "a");
    for unit in [
        "word ", "天", "!", ". ", "\n", " ", "(", "\"", "a, ", "1.", "u.s. ", "कि", "🇮🇳",
    ] {
        // A busy machine may slow one measurement down; ten times the text in a hundred times the time fails each of them.
        let mut measured = Vec::new();
        let is_linear = (0..6).any(|_| {
            let (one, ten) = (milliseconds_for(50_000, unit), milliseconds_for(500_000, unit));
            measured.push((one, ten));
            ten < one * 40 + 100
        });
        assert!(is_linear, "{unit:?}: {measured:?} ms");
    }
}

/// Text of all that means something here, and of anything at all.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => prop::sample::select(vec![
            " ", " ", "\n", "\n\n", "\r\n", ".", ".", "!", "?", "…", "।", "。", "！", "؟", "۔", "\"", "“", "”", "(", ")", "「", "」",
            ",", "，", ":", "Dr", "e.g.", "U.S.", "The", "he", "No", "5", "3.14", "नमस्ते", "你好", "வணக்கம்", "مرحبا", "👋🏽", "🇮🇳",
            "👨‍👩‍👧", "\u{200F}", "\u{200D}", "\u{FFFD}", "```", "`", "**", "- ", "# ", "[a](b)", "https://a.b/c?d", "\u{301}", "»", "« ",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-zA-Z]{1,12}",
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

fn any_options() -> impl Strategy<Value = SentenceOptions> {
    let length = prop_oneof![Just(500usize), 1..40usize];
    (
        length.clone(),
        length,
        any::<bool>(),
        prop::sample::select(vec!["", "de", "el", "en-IN"]),
    )
        .prop_map(|(min_length, max_length, eager, locale)| SentenceOptions {
            min_length: min_length % 30,
            max_length,
            eager,
            locale: locale.to_owned(),
            ..SentenceOptions::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 1000 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sentences_are_the_text_at_any_split(text in any_text(), options in any_options(), splits in prop::collection::vec(1..9usize, 1..40), pauses in any::<u64>()) {
        let mut whole = Vec::new();
        let mut end = 0;
        let mut splitter = Splitter::new(&options);
        for settle in [false, true] {
            splitter.feed(&text, |sentence| whole.push(sentence.text.to_owned()));
            if settle { splitter.settle(|sentence| whole.push(sentence.text.to_owned())); }
            splitter.flush(|sentence| whole.push(sentence.text.to_owned()));
        }
        prop_assert_eq!(whole.concat(), text.repeat(2));

        let whole = sentences(&options, [text.as_str()]);
        let mut pieces = Vec::new();
        let mut letters = letters(&text).peekable();
        for length in splits.iter().cycle() {
            if letters.peek().is_none() { break; }
            pieces.push(letters.by_ref().take(*length).collect::<String>());
        }
        prop_assert_eq!(&sentences(&options, pieces.iter().map(String::as_str)), &whole);

        // Pauses move ends of sentences, and lose nothing either.
        let mut splitter = Splitter::new(&options);
        let mut given = String::new();
        let mut places = Vec::new();
        let mut take = |sentence: Sentence<'_>| {
            given.push_str(sentence.text);
            places.push((sentence.start, sentence.end));
        };
        for (at, piece) in pieces.iter().enumerate() {
            splitter.feed(piece, &mut take);
            if pauses >> (at % 64) & 1 == 1 { splitter.settle(&mut take); }
        }
        splitter.flush(&mut take);
        prop_assert_eq!(&given, &text);
        for (start, stop) in places {
            prop_assert_eq!(start, end);
            prop_assert!(stop > start);
            end = stop;
        }
        prop_assert_eq!(end, text.encode_utf16().count() as u64);
    }

    #[test]
    fn stripping_takes_any_text_at_any_split(text in any_text(), options in any_options(), at in any::<prop::sample::Index>()) {
        let options = SentenceOptions { strip_markdown: true, ..options };
        let places: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        let at = places[at.index(places.len())];
        prop_assert_eq!(sentences(&options, [&text[..at], &text[at..]]), sentences(&options, [text.as_str()]));
    }
}
