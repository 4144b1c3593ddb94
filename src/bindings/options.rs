//! Options as callers give them: plain objects, checked member by member.

use std::cell::RefCell;

use crate::attempt::Attempt;
use crate::chat::view::{Value, View};
use crate::problem::Problem;
use crate::provider::{Prices, ReasoningPlace};
use crate::stream::SentenceOptions;
use crate::text::joined;

/// Reads JSON text that the facade wrote. The facade writes a value of a type that no option has as a list.
pub(super) fn value(json: &[u8]) -> Value {
    View::of_body(json).into_root()
}

/// The members of one options object. An invalid value is noted among the problems, and is as if it were not there:
/// the code that reads the options looks at the problems once, at the end.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    value: &'a Value,
    problems: &'a RefCell<Vec<Problem>>,
    /// The names of this object and of the object around it; empty where there is none.
    place: [&'a str; 2],
}

impl<'a> Options<'a> {
    pub(super) fn new(value: &'a Value, problems: &'a RefCell<Vec<Problem>>) -> Self {
        Options {
            value,
            problems,
            place: ["", ""],
        }
    }

    /// The members of a member; none where there is no such object.
    pub(super) fn of(&self, name: &'a str) -> Self {
        let [_, outer] = self.place;
        Options {
            place: [outer, name],
            ..self.own(name)
        }
    }

    /// As [`of`](Self::of), where the name is no part of a problem's path.
    pub(super) fn own(&self, name: &str) -> Self {
        Options::new(self.get(name).unwrap_or(&Value::Null), self.problems)
    }

    /// Notes an option with a value that it cannot have.
    pub(super) fn wrong(&self, name: &str, message: &str) {
        self.refuse("invalid_option", name, message);
    }

    fn refuse(&self, code: &'static str, name: &str, message: &str) {
        let [outer, inner] = self.place;
        let path = [outer, inner, name];
        let unnamed = path.iter().take_while(|part| part.is_empty()).count();
        self.note(Problem::refused(
            code,
            path.get(unnamed..).unwrap_or_default(),
            joined(&[name, " ", message]),
        ));
    }

    /// Notes a problem that another part found.
    pub(super) fn note(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// The value that another function made of several options, if they are valid.
    pub(super) fn all_checked<T>(&self, result: Result<T, Vec<Problem>>) -> Option<T> {
        result
            .map_err(|mut problems| self.problems.borrow_mut().append(&mut problems))
            .ok()
    }

    /// The value that another function made of an option, if it is valid.
    pub(super) fn checked<T>(&self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.note(problem)).ok()
    }

    /// A member that is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.value.set(name)
    }

    /// A member as it was given, `null` too.
    pub(super) fn any(&self, name: &str) -> Option<&'a Value> {
        self.value.get(name)
    }

    /// A member that has to be text.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.get(name)?;
        if value.as_str().is_none() {
            self.wrong(name, "must be a string");
        }
        value.as_str()
    }

    /// A member that has to be a number, not NaN.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let number = self.get(name)?.as_number().filter(|number| !number.is_nan());
        if number.is_none() {
            self.wrong(name, "must be a number");
        }
        number
    }

    /// A member that has to be `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let flag = self.get(name)?.as_bool();
        if flag.is_none() {
            self.wrong(name, "must be true or false");
        }
        flag
    }

    /// A member that has to be a size or a count, at least 1.
    pub(super) fn size(&self, name: &str, default: usize) -> usize {
        match self.number(name) {
            Some(size) if size >= 1.0 => size as usize,
            Some(_) => {
                self.wrong(name, "must be at least 1");
                default
            }
            None => default,
        }
    }

    /// A member that has to be one of some words: the place of its word among them.
    pub(super) fn one_of(&self, name: &str, words: &[&str]) -> Option<usize> {
        let word = self.text(name)?;
        let found = words.iter().position(|known| *known == word);
        if found.is_none() {
            let mut message = String::from("must be one of ");
            for (index, word) in words.iter().enumerate() {
                message.push_str(if index > 0 { ", " } else { "" });
                message.push_str(word);
            }
            self.wrong(name, &message);
        }
        found
    }

    /// Notes the members that these options do not have: a misspelt option would be without effect. Each name stands
    /// between a space and a comma. Where only the host's side reads the members, the value is a list of their names. Not inlined:
    /// its copies cost more bytes of code than calls.
    ///
    /// The names are listed here and read elsewhere: reading that notes each name, so that there is no list, would be 700 bytes more
    /// after gzip. `tests/npm/option-names.test.ts` holds the lists against the types.
    #[inline(never)]
    pub(super) fn only(&self, names: &str) {
        let is_known = |name: &str| {
            let mut places = names.as_bytes().windows(name.len() + 2);
            // The first byte alone rules out nearly all places, without a call.
            places.any(|place| matches!(place, [b' ', own @ .., b','] if own == name.as_bytes()))
        };
        let check = |name: &str| {
            if !is_known(name) {
                let message = joined(&["is unknown: there are", names, " and no others"]);
                self.refuse("unknown_option", name, &message);
            }
        };
        match self.value {
            Value::Object(members) => members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .for_each(|(name, _)| check(name)),
            list => list.elements().iter().filter_map(Value::as_str).for_each(check),
        }
    }

    /// `decoding`: whether it is strict.
    pub(super) fn strict(&self) -> Option<bool> {
        self.one_of("decoding", &["tolerant", "strict"]).map(|word| word == 1)
    }

    /// `reasoning`: where to look for it.
    pub(super) fn reasoning(&self) -> Option<ReasoningPlace> {
        let words = ["reasoning", "reasoning_content", "tags", "none", "detect"];
        self.one_of("reasoning", &words)
            .and_then(|word| ReasoningPlace::from_name(words.get(word)?))
    }

    /// `sentences`: how to cut the text into them, if at all.
    pub(super) fn sentences(&self) -> Option<SentenceOptions> {
        self.read_sentences(self.get("sentences")?)
    }

    #[inline(never)] // a plain answer has no need of it
    fn read_sentences(&self, given: &Value) -> Option<SentenceOptions> {
        match given {
            Value::Bool(wanted) => return Some(SentenceOptions::default()).filter(|_| *wanted),
            Value::Object(_) => {}
            _ => self.wrong("sentences", "must be true, false or an object"),
        }
        let own = self.of("sentences");
        own.only(" locale, minLength, maxLength, eager, quietMs, stripMarkdown,");
        let default = SentenceOptions::default();
        Some(SentenceOptions {
            locale: own.text("locale").unwrap_or_default().to_owned(),
            min_length: own.size("minLength", default.min_length),
            max_length: own.size("maxLength", default.max_length),
            eager: own.flag("eager").unwrap_or(default.eager),
            quiet: match own.get("quietMs") {
                None => default.quiet,
                Some(Value::Bool(false)) => None,
                Some(_) => own.number("quietMs").map(|ms| ms.max(0.0)),
            },
            strip_markdown: own.flag("stripMarkdown").unwrap_or(default.strip_markdown),
        })
    }

    /// `prices`, in US dollars per million tokens.
    pub(super) fn prices(&self) -> Option<Prices> {
        self.get("prices")?;
        let prices = self.of("prices");
        // The last three are members that the entries of `chatwire/prices` have besides.
        prices.only(" input, cachedInput, output, upTo, read, source, confirmed,");
        let (input, output) = (prices.number("input"), prices.number("output"));
        let (Some(input), Some(output)) = (input, output) else {
            self.wrong("prices", "must have input and output");
            return None;
        };
        Some(Prices {
            input,
            cached_input: prices.number("cachedInput"),
            output,
            up_to: prices.get("upTo").map(|_| prices.size("upTo", 1) as u64),
        })
    }

    /// `attempts`, as [`crate::stream::Outcome`] lists them.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        let text = |attempt: &Value, name| attempt.set(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut attempts = Vec::new();
        for attempt in self.get("attempts").map(Value::elements).unwrap_or_default() {
            let status = attempt
                .set("status")
                .and_then(Value::as_number)
                .map(|status| status as u16);
            attempts.push(Attempt {
                provider: text(attempt, "provider"),
                status,
                reason: text(attempt, "reason"),
            });
        }
        attempts
    }

    /// A record of text; a member that is null or undefined has no value.
    pub(super) fn pairs(&self, name: &str) -> Vec<(String, Option<String>)> {
        let mut pairs = Vec::new();
        let Some(value) = self.get(name) else { return pairs };
        let Value::Object(members) = value else {
            self.wrong(name, "must be an object of names and values");
            return pairs;
        };
        for (key, value) in members {
            let value = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                _ => {
                    self.wrong(name, "must have text for values");
                    continue;
                }
            };
            pairs.push((key.clone(), value));
        }
        pairs
    }
}
