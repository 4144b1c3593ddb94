//! Validates a request before it is sent, by its provider's documentation.
//!
//! The law is the provider's [`rules`](Provider::rules), each with its source; this is only the judge. By default it refuses what the
//! service documents as rejected or out of range, and nothing else: what another service accepts is that service's
//! business. A request that is legal and probably a mistake is [`Severity::Suspicious`].

use crate::chat::view::{Value, View};
use crate::json::Reader;
use crate::problem::{Problem, Severity};
use crate::provider::{Check, MessageRules, Provider};
use crate::text::{integer, joined, push_number};
use crate::usage::prompt_tokens;

/// A request with ten thousand faults is described by its first hundred.
pub const MAX_PROBLEMS: usize = 100;

/// How strictly a client judges before sending: the option `validate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validation {
    /// Refuse what the service documents as rejected, warn about the rest.
    #[default]
    Documented,
    /// Refuse suspicious requests too.
    Strict,
    /// Judge nothing.
    Off,
}

impl Validation {
    /// The mode by the word that the option uses.
    ///
    /// # Errors
    /// A [`Problem`] at `validate` that lists the words.
    pub fn from_name(name: &str) -> Result<Self, Problem> {
        match name {
            "documented" => Ok(Self::Documented),
            "strict" => Ok(Self::Strict),
            _ => {
                let message = "validate must be \"documented\", \"strict\" or false";
                Err(Problem::refused("not_allowed", &["validate"], message))
            }
        }
    }

    /// Splits what was found into what stops the request and what is worth a warning.
    #[must_use]
    pub fn split(self, problems: Vec<Problem>) -> (Vec<Problem>, Vec<Problem>) {
        match self {
            Self::Off => (Vec::new(), Vec::new()),
            Self::Strict => (problems, Vec::new()),
            Self::Documented => problems
                .into_iter()
                .partition(|problem| problem.severity == Severity::Refused),
        }
    }
}

/// All that is wrong with a request, up to [`MAX_PROBLEMS`]: messages first, then fields, then what is suspicious.
///
/// ```
/// use chatwire::{chat::view::View, policy::validate, provider::Provider};
///
/// let request = View::from_json(br#"{"messages":[{"role":"user","content":"Hi"}],"n":2,"temperature":3}"#).unwrap();
/// let problems = validate::validate(&request, &Provider::electron("key"));
/// let paths: Vec<_> = problems.iter().map(|problem| problem.path.join(".")).collect();
/// assert_eq!(paths, ["temperature", "n"]);
/// ```
#[must_use]
#[inline(never)] // so that its caller stays short
pub fn validate(request: &View, provider: &Provider) -> Vec<Problem> {
    let mut judge = Judge {
        problems: Vec::new(),
        path: Vec::new(),
        nullable: provider.nullable,
    };
    match request.root() {
        Value::Object(_) => {}
        Value::Deep => {
            judge.refuse("too_deep", "the request is no JSON, or nests deeper than 128 levels");
            return judge.problems;
        }
        _ => {
            judge.refuse("wrong_type", "a request must be an object");
            return judge.problems;
        }
    }
    judge.model(request, provider);
    judge.messages(request, &provider.messages);
    for rule in provider.rules {
        let place = rule
            .path
            .iter()
            .try_fold(request.root(), |value, name| judge.member(value, name));
        if let Some(value) = place {
            for name in rule.path {
                judge.enter(name);
            }
            judge.check(value, rule.check);
            judge.path.clear();
        }
    }
    for range in &provider.ranges {
        if let Some(value) = request.get(&range.field) {
            judge.at(&range.field, |judge| {
                judge.check(value, Check::Number(range.min, range.max))
            });
        }
    }
    judge.suspect(request, provider);
    judge.problems
}

struct Judge<'a> {
    problems: Vec<Problem>,
    /// The path of the member at hand, from the outside in.
    path: Vec<Part<'a>>,
    /// Whether `null` stands for an absent field.
    nullable: bool,
}

/// A part of a path. The part becomes text only where there is a problem.
#[derive(Clone, Copy)]
enum Part<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Judge<'a> {
    fn member<'v>(&self, value: &'v Value, name: &str) -> Option<&'v Value> {
        if self.nullable {
            value.set(name)
        } else {
            value.get(name)
        }
    }

    fn at(&mut self, name: &'a str, inside: impl FnOnce(&mut Self)) {
        self.enter(name);
        inside(self);
        self.leave();
    }

    fn at_index(&mut self, index: usize, inside: impl FnOnce(&mut Self)) {
        self.path.push(Part::Index(index));
        inside(self);
        self.leave();
    }

    /// Not inlined: the function around it is generic, and compiled once for each rule.
    #[inline(never)]
    fn enter(&mut self, name: &'a str) {
        self.path.push(Part::Name(name));
    }

    /// Not inlined, as [`enter`](Self::enter).
    #[inline(never)]
    fn leave(&mut self) {
        self.path.pop();
    }

    fn found(&mut self, severity: Severity, code: &'static str, message: String) {
        if self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        let mut path = Vec::with_capacity(self.path.len());
        for part in &self.path {
            path.push(match part {
                Part::Name(name) => (*name).to_owned(),
                Part::Index(index) => integer(*index),
            });
        }
        self.problems.push(Problem {
            code,
            message,
            path,
            severity,
        });
    }

    fn refuse(&mut self, code: &'static str, message: impl Into<String>) {
        self.found(Severity::Refused, code, message.into());
    }

    fn doubt(&mut self, code: &'static str, message: impl Into<String>) {
        self.found(Severity::Suspicious, code, message.into());
    }

    fn model(&mut self, request: &'a View, provider: &'a Provider) {
        match request.get("model") {
            // A server that documents nothing may have one model only, and need no name for it.
            None if provider.rules.is_empty() => self.at("model", |judge| {
                judge.doubt("required", "model is missing, and this server's default is not known");
            }),
            None if provider.default_model.is_none() => self.at("model", |judge| {
                judge.refuse("required", "model is missing: name one, this provider has no default");
            }),
            Some(Value::String(model)) if !provider.models.is_empty() && !provider.models.contains(&model.as_str()) => {
                self.at("model", |judge| {
                    let mut message = String::from("this provider documents only ");
                    push_words(&mut message, provider.models);
                    judge.doubt("unknown_model", message);
                });
            }
            _ => {}
        }
    }

    fn messages(&mut self, request: &'a View, rules: &MessageRules) {
        self.at("messages", |judge| match request.get("messages") {
            None => judge.refuse("required", "messages is missing: give the conversation as an array"),
            Some(Value::Array(messages)) => {
                if messages.is_empty() {
                    judge.doubt("empty_messages", "messages is empty: there is nothing to answer");
                }
                for (index, message) in messages.iter().enumerate() {
                    judge.at_index(index, |judge| judge.message(message, rules));
                }
            }
            Some(_) => judge.refuse("wrong_type", "messages must be an array of messages"),
        });
    }

    fn message(&mut self, message: &'a Value, rules: &MessageRules) {
        if !matches!(message, Value::Object(_)) {
            return self.refuse("wrong_type", "a message must be an object with role and content");
        }
        let role = self.member(message, "role");
        self.at("role", |judge| match role {
            _ if rules.roles.is_empty() && !rules.role_required => {}
            Some(Value::String(role)) if rules.roles.is_empty() || rules.roles.contains(&role.as_str()) => {}
            Some(Value::String(_)) => judge.must_be_word(rules.roles),
            Some(_) => judge.must_be("a string"),
            None => judge.refuse("required", "role is missing: say who speaks"),
        });
        let role = role.and_then(Value::as_str);
        if rules.text_only {
            self.content(message, role);
        }
        if rules.tool_fields {
            self.tool_fields(message, role);
        }
    }

    fn content(&mut self, message: &'a Value, role: Option<&str>) {
        let has_calls =
            role == Some("assistant") && !message.get("tool_calls").map_or(&[][..], Value::elements).is_empty();
        self.at("content", |judge| match message.get("content") {
            Some(Value::String(_)) => {}
            None | Some(Value::Null) if has_calls => {}
            // A missing content is no better than null.
            None | Some(Value::Null) => judge.refuse(
                "required",
                "content is missing: only an assistant message that carries tool_calls may go without",
            ),
            Some(_) => judge.refuse(
                "wrong_type",
                "content must be a string: this provider documents no content parts",
            ),
        });
    }

    #[inline(never)] // a plain answer has no need of it
    fn tool_fields(&mut self, message: &'a Value, role: Option<&str>) {
        self.at("tool_call_id", |judge| match judge.member(message, "tool_call_id") {
            None if role == Some("tool") => {
                judge.refuse("required", "a tool message needs the id of the call it answers")
            }
            None | Some(Value::String(_)) => {}
            Some(_) => judge.must_be("a string"),
        });
        self.at("tool_calls", |judge| match judge.member(message, "tool_calls") {
            None => {}
            Some(Value::Array(calls)) => {
                for (index, call) in calls.iter().enumerate() {
                    judge.at_index(index, |judge| judge.tool_call(call));
                }
            }
            Some(_) => judge.must_be("an array"),
        });
    }

    fn tool_call(&mut self, call: &'a Value) {
        if !matches!(call, Value::Object(_)) {
            return self.refuse("wrong_type", "a tool call must be an object with id, type and function");
        }
        self.required_text(call, "id");
        self.function_type(call);
        self.at("function", |judge| match judge.member(call, "function") {
            Some(function @ Value::Object(_)) => {
                judge.required_text(function, "name");
                judge.required_text(function, "arguments");
            }
            Some(_) => judge.refuse("wrong_type", "function must be an object with name and arguments"),
            None => judge.refuse("required", "function is missing"),
        });
    }

    fn function_type(&mut self, value: &'a Value) {
        self.at("type", |judge| match judge.member(value, "type") {
            Some(Value::String(kind)) if kind == "function" => {}
            Some(Value::String(_)) => judge.must_be_word(&["function"]),
            Some(_) => judge.refuse("wrong_type", "type must be a string"),
            None => judge.refuse("required", "type is missing: it must be \"function\""),
        });
    }

    fn required_text(&mut self, value: &'a Value, name: &'a str) {
        self.at(name, |judge| match judge.member(value, name) {
            Some(Value::String(_)) => {}
            Some(_) => judge.refuse("wrong_type", joined(&[name, " must be a string"])),
            None => judge.refuse("required", joined(&[name, " is missing"])),
        });
    }

    fn check(&mut self, value: &'a Value, check: Check) {
        match (check, value) {
            (Check::Absent(message), _) => self.refuse("unsupported_parameter", message),
            (Check::AtMost(max, message), Value::Number(number)) if *number > max => {
                self.refuse("unsupported_parameter", message);
            }
            (Check::AtMost(..), _) => {}
            (_, Value::Null) => self.refuse("wrong_type", "must not be null: leave it out"),
            (Check::Number(min, max), Value::Number(number)) => self.in_range(*number, min, max),
            (Check::Integer(min, max), Value::Number(number)) if number.trunc() == *number => {
                self.in_range(*number, min, max);
            }
            (Check::Integer(..), _) => self.must_be("a whole number"),
            (Check::Number(..), _) => self.must_be("a number"),
            (Check::Boolean, Value::Bool(_)) | (Check::Text, Value::String(_)) | (Check::Object, Value::Object(_)) => {}
            (Check::Boolean, _) => self.must_be("true or false"),
            (Check::Text, _) => self.must_be("a string"),
            (Check::Object, _) => self.must_be("an object"),
            (Check::Words(words), Value::String(text)) if words.contains(&text.as_str()) => {}
            (Check::Words(words), _) => self.must_be_word(words),
            (Check::TextOrTexts, Value::String(_)) => {}
            (Check::TextOrTexts, Value::Array(texts)) => {
                for (index, text) in texts.iter().enumerate() {
                    self.at_index(index, |judge| judge.check(text, Check::Text));
                }
            }
            (Check::TextOrTexts, _) => self.must_be("a string or an array of strings"),
            (Check::NumberMap, Value::Object(members)) => {
                for (name, value) in members {
                    self.at(name, |judge| judge.check(value, Check::Number(f64::MIN, f64::MAX)));
                }
            }
            (Check::NumberMap, _) => self.must_be("an object whose values are numbers"),
            (Check::Objects | Check::Functions, Value::Array(tools)) => {
                for (index, tool) in tools.iter().enumerate() {
                    self.at_index(index, |judge| judge.tool(tool, check == Check::Functions));
                }
            }
            (Check::Objects | Check::Functions, _) => self.must_be("an array of objects"),
            (Check::ToolChoice(words), Value::String(text)) if words.contains(&text.as_str()) => {}
            (Check::ToolChoice(_), choice @ Value::Object(_)) => {
                self.function_type(choice);
                self.at("function", |judge| match judge.member(choice, "function") {
                    Some(function @ Value::Object(_)) => judge.required_text(function, "name"),
                    Some(_) => judge.must_be("an object with a name"),
                    None => judge.refuse("required", "function is missing: name the tool"),
                });
            }
            (Check::ToolChoice(words), _) => self.must_be_word(words),
        }
    }

    fn tool(&mut self, tool: &'a Value, function: bool) {
        if !matches!(tool, Value::Object(_)) {
            return self.refuse("wrong_type", "a tool must be an object");
        }
        if !function {
            return;
        }
        self.function_type(tool);
        // The reference shows both shapes (see `chat::Tool`); each needs a name.
        match self.member(tool, "function") {
            Some(nested @ Value::Object(_)) => self.at("function", |judge| judge.definition(nested)),
            Some(_) => self.at("function", |judge| judge.must_be("an object with name and parameters")),
            None => self.definition(tool),
        }
    }

    fn definition(&mut self, function: &'a Value) {
        self.required_text(function, "name");
        for (name, check) in [("description", Check::Text), ("parameters", Check::Object)] {
            if let Some(value) = self.member(function, name) {
                self.at(name, |judge| judge.check(value, check));
            }
        }
    }

    fn in_range(&mut self, number: f64, min: f64, max: f64) {
        // A NaN is in no range.
        if number >= min && number <= max {
            return;
        }
        let mut message = String::from("must be ");
        match (min.is_finite(), max.is_finite()) {
            (true, true) => {
                message.push_str("between ");
                push_number(&mut message, min);
                message.push_str(" and ");
                push_number(&mut message, max);
            }
            (true, false) => {
                message.push_str("at least ");
                push_number(&mut message, min);
            }
            (false, true) => {
                message.push_str("at most ");
                push_number(&mut message, max);
            }
            (false, false) => message.push_str("a number"),
        }
        self.refuse("out_of_range", message);
    }

    fn must_be(&mut self, what: &str) {
        self.refuse("wrong_type", joined(&["must be ", what]));
    }

    fn must_be_word(&mut self, words: &[&str]) {
        let mut message = String::from("must be ");
        push_words(&mut message, words);
        self.refuse("not_allowed", message);
    }

    /// Parameters that are legal, and probably a mistake.
    fn suspect(&mut self, request: &'a View, provider: &'a Provider) {
        self.suspect_calls(request.messages());
        let top = request
            .get("top_logprobs")
            .and_then(Value::as_number)
            .is_some_and(|top| top > 0.0);
        if top && request.get("logprobs").and_then(Value::as_bool) != Some(true) {
            self.at("top_logprobs", |judge| {
                judge.doubt("missing_logprobs", "top_logprobs has no effect without logprobs: true");
            });
        }
        let forced = request
            .get("tool_choice")
            .and_then(|choice| choice.set("function"))
            .and_then(|named| named.set("name"));
        if let Some(Value::String(forced)) = forced {
            let tools = request.get("tools").map(Value::elements).unwrap_or_default();
            let name = |tool: &'a Value| tool.set("function").unwrap_or(tool).set("name").and_then(Value::as_str);
            if !tools.iter().any(|tool| name(tool) == Some(forced)) {
                self.at("tool_choice", |judge| {
                    judge.doubt("unknown_tool", "the forced tool is not in tools")
                });
            }
        }
        let Some(context) = provider.context_tokens else { return };
        let limit = ["max_tokens", "max_completion_tokens"]
            .iter()
            .find_map(|field| request.get(field));
        let output = limit.and_then(Value::as_number).unwrap_or(1.0);
        let prompt = prompt_tokens(request) as f64;
        if prompt + output > context as f64 {
            let field = if prompt >= context as f64 {
                "messages"
            } else {
                "max_tokens"
            };
            self.at(field, |judge| {
                let mut message = String::from("the prompt (about ");
                push_number(&mut message, prompt);
                message.push_str(" tokens) and the answer look longer than the context of ");
                push_number(&mut message, context as f64);
                message.push_str(" tokens");
                judge.doubt("context_length", message);
            });
        }
    }

    fn suspect_calls(&mut self, messages: &'a [Value]) {
        for (index, message) in messages.iter().enumerate() {
            let calls = message.set("tool_calls").map(Value::elements).unwrap_or_default();
            if !calls.is_empty() {
                self.suspect_turn(index, calls, messages.get(index + 1..).unwrap_or_default());
            }
        }
    }

    /// The calls of one turn; `results`: the messages after it, of which those directly behind it answer them.
    #[inline(never)] // a plain answer has no need of it
    fn suspect_turn(&mut self, index: usize, calls: &'a [Value], results: &'a [Value]) {
        let mut answered = Vec::new();
        for result in results {
            if result.set("role").and_then(Value::as_str) != Some("tool") {
                break;
            }
            if let Some(Value::String(id)) = result.set("tool_call_id") {
                answered.push(id.as_str());
            }
        }
        self.enter("messages");
        self.path.push(Part::Index(index));
        self.enter("tool_calls");
        for (index, call) in calls.iter().enumerate() {
            self.at_index(index, |judge| judge.suspect_call(call, &answered));
        }
        self.path.clear();
    }

    fn suspect_call(&mut self, call: &'a Value, answered: &[&str]) {
        if call
            .set("id")
            .and_then(Value::as_str)
            .is_some_and(|id| !answered.contains(&id))
        {
            self.doubt(
                "missing_tool_result",
                "no tool message right after this turn answers this call",
            );
        }
        let arguments = call.set("function").and_then(|function| function.set("arguments"));
        if arguments.and_then(Value::as_str).is_some_and(|text| !is_json(text)) {
            self.enter("function");
            self.at("arguments", |judge| {
                judge.doubt("invalid_arguments", "the arguments are not JSON");
            });
            self.leave();
        }
    }
}

fn is_json(text: &str) -> bool {
    let mut reader = Reader::new(text.as_bytes());
    reader.value().and_then(|_| reader.finish()).is_ok()
}

fn push_words(text: &mut String, words: &[&str]) {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            text.push_str(if index + 1 == words.len() { " or " } else { ", " });
        }
        text.push('"');
        text.push_str(word);
        text.push('"');
    }
}
