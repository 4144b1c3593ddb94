//! One chat stream: bytes in, a batch of text, chunks or events out after each push, and exactly one outcome at the end.
//!
//! ```
//! use chatwire::stream::{Decoder, Options, OutputKind, Status};
//!
//! let mut decoder = Decoder::new(Options { output: OutputKind::Text, ..Options::default() });
//! let body = b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
//! decoder.push(body, 0.0, 1.0);
//! assert_eq!(decoder.output(), b"Hi");
//! assert_eq!(decoder.outcome().unwrap().status, Status::Complete);
//! ```
//!
//! Time is an argument, in milliseconds on any one clock.

mod choice;
mod extras;
mod failure;
mod outcome;
mod output;
mod partial_json;
mod predict;
mod reasoning;
mod repairs;
mod scan;
mod sentences;
mod speech;
mod tool_calls;

pub use crate::attempt::Attempt;
use crate::json::{Kind, Malformed, Reader, Writer, is_json, with_plain_names};
use crate::provider::ReasoningPlace;
use crate::server_error::html_title;
use crate::sse;
use crate::text::{cut, joined, lossy};
pub use crate::usage::{TokenPrices, Tokens};
use choice::Choice;
use extras::Extras;
use failure::Failure;
pub use outcome::{Outcome, OutcomeError, RepairCount, Status, Timing, ToolCallSummary};
use output::Output;
pub use output::OutputKind;
use predict::{Marks, Predicted, Slot, Template};
pub use repairs::{Count, Repair, Repairs};
use scan::{Chunk, Field};
pub use sentences::{Sentence, SentenceOptions, Splitter, heard};
use speech::Speech;

/// How long to wait, in milliseconds. Only time spent waiting for the server counts, save for `total`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Timeouts {
    /// For the first text, reasoning or tool call.
    pub first_token: Option<f64>,
    /// Between two of them. Keep-alives and empty deltas are none.
    pub idle: Option<f64>,
    /// From the request to the end.
    pub total: Option<f64>,
}

/// Bounds on what one stream may hold. Past one the stream ends with a `ProtocolError` whose code names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one event, or of a JSON document: 16 MiB.
    pub max_event_bytes: usize,
    /// Bytes of the arguments of one tool call: 16 MiB.
    pub max_tool_call_bytes: usize,
    /// Bytes of all that is kept of the stream, text, reasoning and tool calls among it: 64 MiB.
    pub max_stream_bytes: usize,
    /// Choices of one completion: 128.
    pub max_choices: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Limits {
            max_event_bytes: sse::DEFAULT_MAX_EVENT_BYTES,
            max_tool_call_bytes: 16 * MIB,
            max_stream_bytes: 64 * MIB,
            max_choices: 128,
        }
    }
}

/// Which JSON is handed out as a value that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PartialValues {
    /// None.
    #[default]
    Off,
    /// Objects and lists: a text that starts like one.
    Containers,
    /// Any value, numbers and strings too.
    Any,
}

/// What a decoder is told before the first byte.
#[derive(Debug, Clone)]
pub struct Options {
    /// What each push hands out.
    pub output: OutputKind,
    /// One JSON completion is expected, not an event stream.
    pub document: bool,
    /// Where to look for reasoning.
    pub reasoning: ReasoningPlace,
    /// Refuse what would have to be repaired.
    pub strict: bool,
    /// Keep text and reasoning for the outcome. Without it they are only handed out.
    pub accumulate: bool,
    /// Hand out, among events, JSON values as they grow: the content of each choice, and the arguments of each tool call.
    ///
    /// Once a push at most, and for each of them, `{"type":"partial","choice":0,"edits":[…],"open":[…]}` (with the `index` of
    /// a tool call) says how to get from the value so far to the value now. An applier keeps a stack of open places, at first one list that receives the value
    /// as its only element. The first edit belongs to the top of the stack, which is popped before each further one: an edit
    /// of a list has elements to append, one of an object members to set, one of a string a string to append. Then each
    /// entry of `open` puts a child of the top onto the stack: a string names a member, `0` is the last element.
    pub partial: PartialValues,
    /// Cut the text of each choice into sentences: `sentence` events, and a time of the first.
    pub sentences: Option<SentenceOptions>,
    /// Recognise events that repeat the one before. Without it every event is read in full: slower, to the same result.
    pub predict: bool,
    /// For the cost; without them it is unknown.
    pub prices: Option<TokenPrices>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// What may be held.
    pub limits: Limits,
    /// When the request was sent.
    pub started: f64,
    /// Who was asked until this answer came.
    pub attempts: Vec<Attempt>,
    /// The server's id for the request.
    pub request_id: Option<String>,
    /// How many tokens the prompt probably has, for an estimate where the server counts nothing.
    pub prompt_tokens: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            output: OutputKind::None,
            document: false,
            reasoning: ReasoningPlace::Detect,
            strict: false,
            accumulate: true,
            partial: PartialValues::Off,
            sentences: None,
            predict: true,
            prices: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            started: 0.0,
            attempts: Vec::new(),
            request_id: None,
            prompt_tokens: None,
        }
    }
}

/// Why a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server closed it.
    Closed,
    /// The connection was lost.
    Lost,
    /// The caller left.
    Aborted,
}

/// The decoder will not go on with this stream.
#[derive(Debug)]
struct Refusal(Box<Failure>);

impl Refusal {
    fn protocol(code: &str, message: &str) -> Self {
        Refusal(Box::new(Failure::new("ProtocolError", code, message)))
    }

    fn limit(code: &str, message: &str) -> Self {
        Self::protocol(code, message)
    }
}

/// What the parts of a decoder share while one chunk is taken.
struct Context<'a> {
    output: &'a mut Output,
    repairs: &'a mut Repairs,
    kept_bytes: &'a mut usize,
    limits: &'a Limits,
    completion_id: &'a str,
    choice: u64,
    at: u64,
    started: f64,
    strict: bool,
    accumulate: bool,
    partial: PartialValues,
}

impl Context<'_> {
    /// Records a repair; in strict decoding it is refused instead.
    fn repair(&mut self, repair: Repair) -> Result<(), Refusal> {
        if self.strict {
            let message = joined(&[
                "The stream would need the repair ",
                repair.code(),
                ", which strict decoding refuses.",
            ]);
            return Err(Refusal::protocol(repair.code(), &message));
        }
        self.repairs.add(repair, self.at);
        if self.output.wants_events() {
            let at = self.at;
            self.output
                .event("repair", self.choice)
                .member("code", repair.code())
                .key("at")
                .integer(at)
                .raw(b"}");
        }
        Ok(())
    }

    /// Counts text that is kept if anything is.
    #[inline]
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        if self.accumulate { self.hold(bytes) } else { Ok(()) }
    }

    /// Counts what is held until the end.
    #[inline]
    fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        *self.kept_bytes += bytes;
        if *self.kept_bytes > self.limits.max_stream_bytes {
            return Err(Refusal::limit(
                "limit.stream_bytes",
                "The answer grew past `limits.maxStreamBytes`.",
            ));
        }
        Ok(())
    }
}

/// The parts of a decoder that taking one choice needs, borrowed apart from the choices themselves.
macro_rules! context {
    ($decoder:expr, $choice:expr) => {
        Context {
            partial: $decoder.partial(),
            output: &mut $decoder.output,
            repairs: &mut $decoder.repairs,
            kept_bytes: &mut $decoder.kept_bytes,
            limits: &$decoder.options.limits,
            completion_id: &$decoder.id,
            choice: $choice,
            at: $decoder.event,
            started: $decoder.options.started,
            strict: $decoder.options.strict,
            accumulate: $decoder.options.accumulate,
        }
    };
}

/// What the body turned out to be.
#[derive(Debug)]
enum Body {
    /// Only white space so far.
    Unknown,
    EventStream,
    Document(Vec<u8>),
    Html(Vec<u8>),
}

/// Decodes one chat stream, or one JSON completion.
#[derive(Debug)]
pub struct Decoder {
    options: Options,
    /// `None` while its events are taken, which borrow from it, and once the stream has ended.
    sse: Option<Box<sse::Decoder>>,
    body: Body,
    output: Output,
    repairs: Repairs,
    choices: Vec<Choice>,
    id: String,
    model: String,
    created: Option<Vec<u8>>,
    usage: Option<Vec<u8>>,
    extras: Extras,
    seen_chunk: bool,
    template: Template,
    /// What the template of the event at hand would be made from.
    marks: Option<Marks>,
    predicted_choice: u64,
    /// Ordinal of the event at hand.
    event: u64,
    kept_bytes: usize,
    first_byte: Option<f64>,
    first_token: Option<f64>,
    ended: Option<f64>,
    /// Milliseconds waited for the server since the last progress, up to the last read.
    waited: f64,
    status: Option<Status>,
    failure: Option<Failure>,
}

impl Decoder {
    /// A decoder at the start of a body.
    pub fn new(options: Options) -> Self {
        Decoder {
            sse: Some(Box::new(sse::Decoder::with_limit(options.limits.max_event_bytes))),
            body: Body::Unknown,
            output: Output::new(options.output),
            repairs: Repairs::default(),
            choices: Vec::new(),
            id: String::new(),
            model: String::new(),
            created: None,
            usage: None,
            extras: Extras::default(),
            seen_chunk: false,
            template: Template::default(),
            marks: None,
            predicted_choice: 0,
            event: 0,
            kept_bytes: 0,
            first_byte: None,
            first_token: None,
            ended: None,
            waited: 0.0,
            status: None,
            failure: None,
            options,
        }
    }

    /// Chooses what each push hands out. To be called before the first one.
    pub fn set_output(&mut self, kind: OutputKind) {
        self.output.kind = kind;
    }

    /// Takes the next bytes of the body, read from `read_started` to `now`. True once the stream has ended: what follows
    /// is not looked at.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn push(&mut self, bytes: &[u8], read_started: f64, now: f64) -> bool {
        self.output.begin();
        if self.status.is_none() {
            if !bytes.is_empty() && self.first_byte.is_none() {
                self.first_byte = Some(now);
            }
            self.waited += (now - read_started).max(0.0);
            if let Err(refusal) = self.take(bytes, now) {
                self.refuse(refusal, now);
            }
            if self.status.is_none() {
                self.check_timeouts(0.0, now);
            }
        }
        self.close_batch(now);
        self.has_ended()
    }

    /// The body is over. Does nothing where the stream has ended already.
    pub fn end(&mut self, reason: End, now: f64) {
        self.output.begin();
        if self.status.is_none() {
            let result = match reason {
                End::Aborted => self.conclude(
                    Status::Aborted,
                    Some(Failure::new(
                        "APIUserAbortError",
                        "aborted",
                        "The request was aborted by its caller.",
                    )),
                    now,
                ),
                End::Closed | End::Lost => self.finish_body(reason, now),
            };
            if let Err(refusal) = result {
                self.refuse(refusal, now);
            }
        }
        self.close_batch(now);
    }

    /// The connection was lost; `reason` is what the host says of it.
    pub fn lose(&mut self, reason: &str, now: f64) {
        self.end(End::Lost, now);
        if let Some(failure) = self.failure.as_mut().filter(|failure| failure.name == "TruncatedError") {
            failure.add_reason(reason);
        }
    }

    /// Looks at the clock while a read has been pending since `read_started`. True once the stream has ended.
    pub fn tick(&mut self, read_started: f64, now: f64) -> bool {
        self.output.begin();
        if self.awaits_blank_line() && now - read_started >= BLANK_LINE_MS {
            self.end(End::Closed, now);
            return true;
        }
        if self.status.is_none() {
            self.check_timeouts(now - read_started, now);
        }
        for choice in &mut self.choices {
            if let Some(speech) = &mut choice.speech {
                speech.tick(now, &mut self.output);
            }
        }
        self.close_batch(now);
        self.has_ended()
    }

    /// Whether `[DONE]` is there, all but the blank line after it.
    fn awaits_blank_line(&self) -> bool {
        let pending = self.sse.as_ref().and_then(|sse| sse.pending());
        pending.is_some_and(|data| is_done(data.trim_ascii()))
    }

    /// When [`tick`](Self::tick) is due for a read that has been pending since `read_started`.
    pub fn deadline(&self, read_started: f64) -> Option<f64> {
        let (patience, due) = self.patience();
        Some((read_started + patience).min(due)).filter(|due| due.is_finite())
    }

    /// The same for any read to come: for how many milliseconds it may be pending, and the time when a tick is due anyway.
    /// Infinity stands for no limit. It holds until the next call.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    pub fn patience(&self) -> (f64, f64) {
        let never = f64::INFINITY;
        if self.status.is_some() {
            return (never, never);
        }
        if self.awaits_blank_line() {
            return (BLANK_LINE_MS, never);
        }
        let patience = self.silence().map_or(never, |limit| limit - self.waited);
        let mut due = never;
        if let Some(limit) = self.options.timeouts.total {
            due = self.options.started + limit;
        }
        if self.options.sentences.is_some() {
            for speech in self.choices.iter().filter_map(|choice| choice.speech.as_ref()) {
                due = due.min(speech.deadline().unwrap_or(never));
            }
        }
        (patience, due)
    }

    /// What the last call handed out: UTF-8 text, or a JSON array.
    pub fn output(&self) -> &[u8] {
        self.output.bytes()
    }

    /// Takes what the last call handed out, and with it the buffer it lies in.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.output.take()
    }

    /// Gives the next call a buffer to write to, so that many decoders can share one.
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.output.lend(buffer);
    }

    /// Whether the outcome is decided.
    pub fn has_ended(&self) -> bool {
        self.status.is_some()
    }

    /// What had to be put right so far.
    pub fn repairs(&self) -> &Repairs {
        &self.repairs
    }

    /// The message of what ended the stream, and its class name.
    pub fn failure(&self) -> Option<(&'static str, &str)> {
        self.failure
            .as_ref()
            .map(|failure| (failure.name, failure.message.as_str()))
    }

    /// Which values are handed out as they grow.
    #[inline]
    fn partial(&self) -> PartialValues {
        if self.output.wants_events() {
            self.options.partial
        } else {
            PartialValues::Off
        }
    }

    /// Those who cut the choices' text into sentences, where that is wanted.
    #[inline]
    fn speeches(&mut self) -> impl Iterator<Item = &mut Speech> {
        let choices = match self.options.sentences {
            Some(_) => &mut self.choices[..],
            None => &mut [],
        };
        choices.iter_mut().filter_map(|choice| choice.speech.as_deref_mut())
    }

    /// Closes the batch of this call.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn close_batch(&mut self, now: f64) {
        for speech in self.speeches() {
            speech.note_time(now);
        }
        if self.partial() != PartialValues::Off {
            for choice in &mut self.choices {
                choice.hand_out_edits(&mut self.output);
            }
        }
        self.output.close();
    }

    fn document(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Document(document) => Some(document),
            _ => None,
        }
    }

    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn take(&mut self, mut bytes: &[u8], now: f64) -> Result<(), Refusal> {
        if matches!(self.body, Body::Unknown) {
            // A line of an event stream cannot start like a JSON document or a page.
            let blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0xEF | 0xBB | 0xBF);
            let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
            self.body = match bytes.get(start) {
                None => Body::Unknown,
                Some(b'{' | b'[') => {
                    if !self.options.document {
                        self.repair(Repair::Json)?;
                    }
                    Body::Document(Vec::new())
                }
                Some(b'<') => Body::Html(Vec::new()),
                Some(_) => {
                    if self.options.document {
                        self.repair(Repair::EventStream)?;
                    }
                    Body::EventStream
                }
            };
            if matches!(self.body, Body::Document(_) | Body::Html(_)) {
                bytes = &bytes[start..];
            }
        }
        match &mut self.body {
            Body::Document(document) => {
                if document.len() + bytes.len() > self.options.limits.max_event_bytes {
                    return Err(event_too_large());
                }
                document.extend_from_slice(bytes);
                if !bytes.trim_ascii().is_empty() {
                    self.waited = 0.0;
                }
                Ok(())
            }
            Body::Html(page) => {
                /// Enough to find a page's title in.
                const KEPT_BYTES: usize = 8192;
                let room = KEPT_BYTES.saturating_sub(page.len()).min(bytes.len());
                page.extend_from_slice(&bytes[..room]);
                Ok(())
            }
            Body::Unknown | Body::EventStream => self.take_events(bytes, now),
        }
    }

    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn take_events(&mut self, bytes: &[u8], now: f64) -> Result<(), Refusal> {
        let Some(mut sse) = self.sse.take() else { return Ok(()) };
        let mut events = sse.feed(bytes);
        let mut result;
        loop {
            result = self.take_run(&mut events, now);
            let is_mid_event = match events.at_event_start() {
                Some([]) => break,
                start => start.is_none(),
            };
            if result.is_err() {
                break;
            }
            let event = match events.next() {
                Some(Ok(event)) => event,
                Some(Err(sse::Overflow { .. })) => {
                    result = Err(event_too_large());
                    break;
                }
                None => break,
            };
            // One that began in an earlier push may be as predicted, too.
            let predict = is_mid_event && event.event == "message";
            let predicted = Some(event.data)
                .filter(|_| predict)
                .and_then(|data| self.template.read_data(data));
            if let Some(event) = predicted {
                result = self.take_predicted(&event, now);
            } else {
                self.marks = None;
                result = self.take_event(&event, now);
                self.template.clear();
                if let (Some(marks), Some(event), true) = (self.marks.take(), events.last_event(), self.options.predict)
                {
                    self.template.learn(event, &marks);
                }
            }
            if result.is_err() || self.status.is_some() {
                break;
            }
        }
        self.sse = Some(sse).filter(|_| self.status.is_none());
        result
    }

    /// Takes events for as long as each is the one before with other values in its holes.
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn take_run(&mut self, events: &mut sse::Events<'_, '_>, now: f64) -> Result<(), Refusal> {
        let limit = self.options.limits.max_event_bytes;
        let mut start = events.at_event_start();
        while let Some(event) = start.and_then(|rest| self.template.read(rest)) {
            if event.length > limit {
                break;
            }
            start = events.advance(event.length);
            self.take_predicted(&event, now)?;
        }
        Ok(())
    }

    #[inline]
    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn take_predicted(&mut self, event: &Predicted<'_>, now: f64) -> Result<(), Refusal> {
        match self.output.parts() {
            Some(parts) => self.template.hand_out(event, parts),
            None => self.output.chunk(event.data),
        }
        let mut context = context!(self, self.predicted_choice);
        let Some(choice) = self.choices.iter_mut().find(|choice| choice.index == context.choice) else {
            return Ok(());
        };
        let progress = match event.slot {
            Slot::Content => choice.take_content(event.text, &mut context)?,
            Slot::Reasoning => {
                choice.add_reasoning(event.text, &mut context)?;
                !event.text.is_empty()
            }
            Slot::Arguments(index) => choice.tool_calls.take_arguments(index, event.text, &mut context)?,
        };
        if let Some(usage) = event.usage {
            self.take_usage(usage);
        }
        if progress {
            self.waited = 0.0;
            self.first_token.get_or_insert(now);
        }
        self.event += 1;
        Ok(())
    }

    fn take_event(&mut self, event: &sse::Event<'_>, now: f64) -> Result<(), Refusal> {
        let result = match event.data.first() {
            Some(b'{') if event.event == "message" => self.take_chunk_bytes(event.data, now),
            _ => self.take_odd_event(event, now),
        };
        self.event += 1;
        result
    }

    /// Anything but a chunk: `[DONE]`, errors by event type, keep-alives sent as data, and what makes no sense.
    #[inline(never)]
    fn take_odd_event(&mut self, event: &sse::Event<'_>, now: f64) -> Result<(), Refusal> {
        let mut data = event.data.trim_ascii();
        let is_padded = data.len() != event.data.len();
        while let Some(rest) = data.strip_prefix(b"data:") {
            self.repair(Repair::DoubledField)?;
            data = rest.trim_ascii_start();
        }
        if is_done(data) {
            if is_padded || data != b"[DONE]" {
                self.repair(Repair::PaddedDone)?;
            }
            return self.done(now);
        }
        if event.event == "error" {
            let failure = if is_json(data) {
                Failure::in_band(data, data)
            } else {
                let mut quoted = Writer::default();
                quoted.string(&lossy(data));
                Failure::in_band(&quoted.bytes, &quoted.bytes)
            };
            return self.conclude(Status::Error, Some(failure), now);
        }
        match data.first() {
            None => self.repair(Repair::EmptyData),
            Some(b'{') if event.event == "message" => self.take_chunk_bytes(data, now),
            Some(b':') => self.repair(Repair::KeepAliveData),
            // An event of another kind, such as a named ping: not for this reader, unless it has what a chunk has.
            Some(byte) if event.event != "message" && !(*byte == b'{' && is_chunk(data)) => {
                self.repair(Repair::KeepAliveData)
            }
            Some(b'{') => self.take_chunk_bytes(data, now),
            Some(_) => {
                if !is_json(data) {
                    return self.repair(Repair::Malformed);
                }
                self.repair(Repair::NotAnObject)?;
                self.take_list(data, false, now)
            }
        }
    }

    /// A list in place of a chunk, or of a document: its objects are taken one by one.
    fn take_list(&mut self, data: &[u8], document: bool, now: f64) -> Result<(), Refusal> {
        let mut reader = Reader::new(data);
        let mut first = true;
        if reader.kind() != Ok(Kind::Array) || reader.array().is_err() {
            return Ok(());
        }
        while let Ok(true) = reader.element(&mut first) {
            let Ok(item) = reader.value() else { break };
            if item.first() != Some(&b'{') || self.status.is_some() {
                continue;
            }
            if document {
                self.take_document_value(item, now)?;
            } else {
                self.take_chunk_bytes(item, now)?;
            }
        }
        // Each item has had its effect: such an event is none to predict from.
        self.marks = None;
        Ok(())
    }

    /// Several values in one event, `[DONE]` perhaps among them: the server leaves out the blank lines between its events.
    #[inline(never)]
    fn take_several(&mut self, data: &[u8], now: f64) -> Result<(), Refusal> {
        let mut rest = data;
        while !rest.is_empty() && self.status.is_none() {
            let mut reader = Reader::new(rest);
            let length = match reader.value() {
                Ok(value) if value.first() == Some(&b'{') => {
                    if rest.len() < data.len() {
                        self.repair(Repair::NoBlankLine)?;
                    }
                    self.take_chunk_bytes(value, now)?;
                    reader.at()
                }
                _ => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            };
            let (line, after) = rest.split_at(length);
            if line.first() != Some(&b'{') {
                if is_done(line.trim_ascii()) {
                    self.repair(Repair::NoBlankLine)?;
                    self.done(now)?;
                } else {
                    self.repair(Repair::Malformed)?;
                }
            }
            rest = after.trim_ascii_start();
        }
        self.marks = None;
        Ok(())
    }

    fn take_chunk_bytes(&mut self, data: &[u8], now: f64) -> Result<(), Refusal> {
        let mut reader = Reader::new(data);
        let Ok(chunk) = Chunk::read(&mut reader) else {
            return self.repair(Repair::Malformed);
        };
        if reader.finish().is_err() {
            return self.take_several(data, now);
        }
        if std::str::from_utf8(data).is_err() {
            self.repair(Repair::InvalidUtf8)?;
            let text = lossy(data);
            self.take_chunk_bytes(text.as_bytes(), now)?;
            self.marks = None;
            return Ok(());
        }
        if let Some(plain) = Some(data)
            .filter(|_| reader.has_escaped_names())
            .and_then(with_plain_names)
        {
            self.take_chunk_bytes(&plain, now)?;
            self.marks = None;
            return Ok(());
        }
        let repairs = self.repairs.total();
        let error = chunk.error.or(Some(data).filter(|_| is_bare_error(&chunk)));
        if error.is_none() || chunk.first.is_some() {
            self.output.chunk(data);
            self.take_chunk(&chunk, now)?;
        }
        if error.is_none() && self.repairs.total() == repairs {
            self.marks = Marks::new(data, &chunk);
            self.predicted_choice = chunk.first.as_ref().and_then(|choice| choice.index).unwrap_or(0);
        }
        match error {
            Some(error) => self.conclude(Status::Error, Some(Failure::in_band(error, data)), now),
            None => Ok(()),
        }
    }

    fn take_chunk(&mut self, chunk: &Chunk<'_>, now: f64) -> Result<(), Refusal> {
        self.seen_chunk = true;
        if let Field::Str(id) = chunk.id
            && self.id.is_empty()
        {
            self.id = id.to_text();
        }
        if let Field::Str(model) = chunk.model
            && self.model.is_empty()
        {
            self.model = model.to_text();
        }
        if let Some(created) = chunk.created
            && !matches!(self.created.as_deref(), Some(kept) if kept != b"0")
        {
            self.created = Some(created.to_vec());
        }
        if !chunk.extras.is_empty() {
            let added = self.extras.replace(&chunk.extras);
            context!(self, 0).hold(added)?;
        }
        if !chunk.has_choices && chunk.usage.is_none() && chunk.vendor_usage.is_none() {
            self.repair(Repair::NoChoices)?;
        }
        let mut progress = false;
        for (at, choice) in chunk.first.iter().chain(&chunk.more).enumerate() {
            progress |= self.take_choice(choice, at as u64, !chunk.more.is_empty())?;
        }
        match (chunk.usage, chunk.vendor_usage) {
            (Some(usage), _) => self.take_usage(usage),
            (None, Some(usage)) => {
                self.repair(Repair::UsageMisplaced)?;
                self.take_usage(usage);
            }
            (None, None) => {}
        }
        if progress {
            self.waited = 0.0;
            self.first_token.get_or_insert(now);
        }
        Ok(())
    }

    fn take_choice(&mut self, choice: &scan::Choice<'_>, place: u64, among_several: bool) -> Result<bool, Refusal> {
        if choice.index.is_none() && among_several {
            self.repair(Repair::NoChoiceIndex)?;
        }
        if choice.whole && !self.is_document() {
            self.repair(Repair::MessageForDelta)?;
        }
        if choice.delta.is_none() && matches!(choice.finish_reason, Field::Absent | Field::Null) {
            self.repair(Repair::NoDelta)?;
        }
        let index = choice.index.unwrap_or(place);
        let at = match self.choices.iter().position(|kept| kept.index >= index) {
            Some(at) if self.choices[at].index == index => at,
            _ if self.choices.len() >= self.options.limits.max_choices => {
                return Err(Refusal::limit(
                    "limit.choices",
                    "The stream has more choices than `limits.maxChoices`.",
                ));
            }
            place => {
                let at = place.unwrap_or(self.choices.len());
                let mut choice = Choice::new(index, self.options.reasoning, self.partial());
                if let Some(options) = &self.options.sentences {
                    choice.speech = Some(Box::new(Speech::new(index, options)));
                }
                self.choices.insert(at, choice);
                at
            }
        };
        let mut context = context!(self, index);
        let progress = self.choices[at].take(choice, &mut context)?;
        if let Some(usage) = choice.usage {
            self.repair(Repair::UsageMisplaced)?;
            self.take_usage(usage);
        }
        Ok(progress)
    }

    fn take_usage(&mut self, usage: &[u8]) {
        if usage.first() != Some(&b'{') {
            return;
        }
        let is_news = self.output.wants_events() && self.usage.as_deref() != Some(usage);
        let kept = self.usage.get_or_insert_default();
        kept.clear();
        kept.extend_from_slice(usage);
        if is_news {
            let mut event = Writer::default();
            event.key("usage");
            self.write_usage(&mut event);
            event.key("cost");
            self.write_cost(self.counted(), &mut event);
            self.output.event("usage", 0).raw(b",").raw(&event.bytes).raw(b"}");
        }
    }

    /// `[DONE]`: the stream is over, whether or not the socket is.
    fn done(&mut self, now: f64) -> Result<(), Refusal> {
        let unfinished = || self.choices.iter().filter(|choice| choice.finish_reason.is_none());
        if unfinished().any(|choice| choice.tool_calls.calls().iter().any(|call| !call.is_whole())) {
            return self.conclude(Status::Truncated, Some(truncated(TRUNCATED)), now);
        }
        if self.choices.is_empty() || unfinished().next().is_some() {
            self.repair(Repair::NoFinishReason)?;
        }
        self.conclude(Status::Complete, None, now)
    }

    fn finish_body(&mut self, reason: End, now: f64) -> Result<(), Refusal> {
        match std::mem::replace(&mut self.body, Body::EventStream) {
            Body::Document(mut document) => {
                // A character cut short at the very end is the end of the document, and no damage.
                if std::str::from_utf8(&document).is_err_and(|error| error.error_len().is_some()) {
                    document = lossy(&document).into_bytes();
                    self.repair(Repair::InvalidUtf8)?;
                }
                let result = self.take_document(&document, reason, now);
                self.body = Body::Document(document);
                return result;
            }
            Body::Html(page) => return Err(html(&page)),
            Body::Unknown | Body::EventStream => {}
        }
        let mut sse = self.sse.take().unwrap_or_default();
        if let Some(event) = sse.end() {
            // Half an event of a cut stream is no repair, but the end. Where blank lines are missing, what is whole counts.
            let data = event.data.trim_ascii();
            let starts_whole = Reader::new(data).value().is_ok();
            if event.event == "error" && (starts_whole || data.first() != Some(&b'{')) {
                self.take_event(&event, now)?;
            } else if is_done(data) || starts_whole {
                self.repair(Repair::UnfinishedEvent)?;
                self.take_event(&event, now)?;
            }
        } else if self.event == 0 && sse.saw_unknown_field() {
            return Err(Refusal::protocol(
                "body.not_an_event_stream",
                "The server answered something that is neither an event stream nor JSON. Check the base URL.",
            ));
        }
        if self.status.is_some() {
            return Ok(());
        }
        let finished = !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish_reason.is_some());
        if finished {
            self.repair(Repair::NoDone)?;
            return self.conclude(Status::Complete, None, now);
        }
        let message = if reason == End::Lost { LOST } else { TRUNCATED };
        self.conclude(Status::Truncated, Some(truncated(message)), now)
    }

    /// A JSON document: a completion, an error, or several values in a row.
    fn take_document(&mut self, document: &[u8], reason: End, now: f64) -> Result<(), Refusal> {
        let mut reader = Reader::new(document);
        while reader.kind().is_ok() {
            let value = match reader.value() {
                Ok(value) => value,
                // What is valid up to its end only stops too early.
                Err(_) if reason == End::Lost || reader.at() >= document.len() => {
                    return self.conclude(Status::Truncated, Some(truncated(TRUNCATED)), now);
                }
                Err(_) if self.seen_chunk => break,
                Err(_) => {
                    return Err(Refusal::protocol(
                        "body.malformed",
                        "The server's answer is not valid JSON.",
                    ));
                }
            };
            match value.first() {
                Some(b'{') => self.take_document_value(value, now)?,
                _ => self.take_list(value, true, now)?,
            }
            if self.status.is_some() {
                return Ok(());
            }
        }
        if !self.seen_chunk {
            return Err(Refusal::protocol(
                "body.malformed",
                "The server's answer is not a chat completion.",
            ));
        }
        if reader.finish().is_err() {
            self.repair(Repair::Malformed)?;
        }
        if self.choices.iter().any(|choice| choice.finish_reason.is_none()) {
            self.repair(Repair::NoFinishReason)?;
        }
        self.end_choices(true)?;
        if !self.options.document && self.output.wants_chunks() {
            let mut chunk = Writer::default();
            self.write_completion_as("chat.completion.chunk", "delta", &mut chunk);
            self.output.chunk(&chunk.bytes);
        }
        self.conclude(Status::Complete, None, now)
    }

    fn take_document_value(&mut self, value: &[u8], now: f64) -> Result<(), Refusal> {
        let mut reader = Reader::new(value);
        let Ok(mut chunk) = Chunk::read(&mut reader) else {
            return Err(Refusal::protocol(
                "body.malformed",
                "The server's answer is not a chat completion.",
            ));
        };
        if let Some(plain) = Some(value)
            .filter(|_| reader.has_escaped_names())
            .and_then(with_plain_names)
        {
            return self.take_document_value(&plain, now);
        }
        if let Some(error) = chunk.error.or(Some(value).filter(|_| is_bare_error(&chunk))) {
            return self.conclude(Status::Error, Some(Failure::in_band(error, value)), now);
        }
        for choice in chunk.first.iter_mut().chain(&mut chunk.more) {
            // It was read once already.
            let _ = choice.prefer_message();
        }
        self.take_chunk(&chunk, now)
    }

    fn is_document(&self) -> bool {
        // While the document is taken its bytes are set aside, so no chunk of an event stream can be at hand.
        self.options.document || self.repairs.counts().iter().any(|count| count.repair == Repair::Json)
    }

    fn end_choices(&mut self, complete: bool) -> Result<(), Refusal> {
        let mut choices = std::mem::take(&mut self.choices);
        let mut result = Ok(());
        for choice in &mut choices {
            let mut context = context!(self, choice.index);
            result = result.and(choice.end(complete, &mut context));
        }
        self.choices = choices;
        result
    }

    fn conclude(&mut self, status: Status, failure: Option<Failure>, now: f64) -> Result<(), Refusal> {
        self.status = Some(status);
        self.failure = failure;
        self.ended = Some(now);
        self.sse = None;
        let result = self.end_choices(status == Status::Complete);
        // Who leaves does not want to hear the rest.
        if status != Status::Aborted {
            for choice in &mut self.choices {
                choice.flush_speech(&mut self.output);
            }
        }
        result
    }

    fn refuse(&mut self, refusal: Refusal, now: f64) {
        // Settling the choices may itself meet something strict decoding refuses: the first refusal stands.
        self.options.strict = false;
        let _ = self.conclude(Status::Error, Some(*refusal.0), now);
    }

    fn repair(&mut self, repair: Repair) -> Result<(), Refusal> {
        context!(self, 0).repair(repair)
    }

    fn silence(&self) -> Option<f64> {
        let timeouts = &self.options.timeouts;
        if self.first_token.is_none() {
            timeouts.first_token
        } else {
            timeouts.idle
        }
    }

    #[cfg_attr(chatwire_speed, optimize(speed))]
    fn check_timeouts(&mut self, pending: f64, now: f64) {
        let silent = self.silence().is_some_and(|limit| self.waited + pending >= limit);
        let over = self
            .options
            .timeouts
            .total
            .is_some_and(|limit| now - self.options.started >= limit);
        if !silent && !over {
            return;
        }
        let finished = !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish_reason.is_some());
        let result = if finished {
            // All of the answer is there; only the server forgot to say so and to hang up.
            self.repair(Repair::NoDone)
                .and_then(|()| self.conclude(Status::Complete, None, now))
        } else {
            let (code, message) = match (over, self.first_token) {
                (true, _) => ("timeout.total", "The whole request took longer than `timeout.total`."),
                (_, None) => ("timeout.firstToken", "No token arrived within `timeout.firstToken`."),
                _ => ("timeout.idle", "The server fell silent for longer than `timeout.idle`."),
            };
            self.conclude(Status::Stalled, Some(Failure::new("StalledError", code, message)), now)
        };
        if let Err(refusal) = result {
            self.refuse(refusal, now);
        }
    }
}

/// How long a server that has said `[DONE]`, and keeps the connection open, may take for the blank line after it.
const BLANK_LINE_MS: f64 = 100.0;

const TRUNCATED: &str = "The stream ended before the answer did: no finish reason and no [DONE] arrived.";
const LOST: &str = "The connection was lost before the answer was complete.";

fn truncated(message: &str) -> Failure {
    Failure::new("TruncatedError", "truncated", message)
}

fn event_too_large() -> Refusal {
    Refusal::limit("limit.event_bytes", "One event grew past `limits.maxEventBytes`.")
}

fn html(page: &[u8]) -> Refusal {
    let title = html_title(&lossy(page));
    let mut message = "The server answered an HTML page, not a chat completion. Check the base URL.".to_owned();
    if !title.is_empty() {
        message.push_str(" The page's title: ");
        message.push_str(cut(&title, 240));
    }
    Refusal::protocol("body.html", &message)
}

/// `[DONE]`, as generously as servers spell it.
fn is_done(data: &[u8]) -> bool {
    data.strip_prefix(b"\"")
        .and_then(|data| data.strip_suffix(b"\""))
        .unwrap_or(data)
        .eq_ignore_ascii_case(b"[DONE]")
}

/// Whether an object has what makes it a chunk.
fn is_chunk(data: &[u8]) -> bool {
    match Chunk::read(&mut Reader::new(data)) {
        Ok(chunk) => chunk.has_choices || chunk.usage.is_some() || chunk.error.is_some() || is_bare_error(&chunk),
        Err(Malformed) => true,
    }
}

/// An error without an `error` key: marked as one, or a message or detail in place of choices.
fn is_bare_error(chunk: &Chunk<'_>) -> bool {
    let has = |name, starts: &[u8]| {
        chunk
            .extra(name)
            .and_then(|value| value.first())
            .is_some_and(|first| starts.iter().any(|start| start == first))
    };
    let says_so = || has("message", b"\"") || has("detail", b"\"[{") || has("errors", b"[{");
    chunk.is_error || !chunk.has_choices && chunk.usage.is_none() && says_so()
}
