//! What a JavaScript client holds of the engine: its settings, read once, and the way to open responses with them.

use std::cell::RefCell;
use std::rc::Rc;

use super::descriptor::describe;
use super::memory;
use super::options::{Options, value};
use crate::attempt::write_attempts;
use crate::chat::view::{Value, View};
use crate::error::Error;
use crate::json::Writer;
use crate::policy::accounts::Place;
use crate::policy::opening::{self, Action, Call, Event, Key, Moment, Settings};
use crate::policy::timeouts::{Setting, TimeoutOption, Timeouts};
use crate::policy::{Validation, limits};
use crate::problem::Problem;
use crate::provider::{BaseUrl, Limits, Provider, Range, is_own_host};
use crate::redact::{check_header, check_key};
use crate::stream;
use crate::text::joined;
use crate::usage::{self, Tokens};

const DEFAULT_RETRIES: u32 = 2;

/// Why there is no client.
pub(super) enum Refused {
    Error(Error),
    /// The value of this environment variable is wanted as `env`.
    Wants(String),
}

/// The settings of one client, and what its calls have used so far.
pub(super) struct Connection(Rc<Shared>);

struct Shared {
    settings: Rc<Settings>,
    totals: RefCell<usage::Totals>,
    /// Requests under way that count against a plan's limits, by their number less one.
    places: RefCell<Vec<Option<Place>>>,
}

impl Connection {
    /// A client by the JSON text of the options its user gave, and `page`, `location` and `env` for where it is.
    pub(super) fn make(options: &[u8]) -> Result<Connection, Refused> {
        let options = value(options);
        let problems = RefCell::default();
        let options = Options::new(&options, &problems);
        let settings = connect(&options);
        let problems = problems.take();
        if let Some(wanted) = problems.iter().find(|problem| problem.code == WANTS_VARIABLE) {
            return Err(Refused::Wants(wanted.message.clone()));
        }
        match settings.filter(|_| problems.is_empty()) {
            Some(settings) => Ok(Connection(Rc::new(Shared {
                settings: Rc::new(settings),
                totals: RefCell::default(),
                places: RefCell::default(),
            }))),
            None => Err(Refused::Error(problems.into())),
        }
    }

    /// Begins to open a response. In the input are the JSON text of the call, and of the request's body if it has one.
    pub(super) fn open(&self, length: usize) -> Opening {
        let mut texts = memory::input(length, View::sequence).into_iter();
        let options = texts.next().unwrap_or(Value::Deep);
        let problems = RefCell::default();
        let call = read_call(&Options::new(&options, &problems), texts.next());
        let problems = problems.take();
        Opening {
            shared: Rc::clone(&self.0),
            opening: match problems.is_empty() {
                true => Ok(opening::Opening::new(Rc::clone(&self.0.settings), call)),
                false => Err(Error::invalid(problems)),
            },
        }
    }

    /// Whether the provider documents `response_format: json_schema`.
    pub(super) fn knows_schemas(&self) -> bool {
        self.0.settings.provider.capabilities.json_schema
    }

    /// Puts out what all calls have used so far, as the JSON text of `UsageTotals` in `npm/types.ts`.
    pub(super) fn usage(&self) {
        let totals = self.0.totals.borrow();
        memory::write(|out| {
            out.raw(b"{");
            for (name, number) in [
                ("requests", totals.requests),
                ("prompt_tokens", totals.prompt),
                ("completion_tokens", totals.completion),
                ("total_tokens", totals.prompt.saturating_add(totals.completion)),
                ("uncounted", totals.uncounted),
                ("estimated", totals.estimated),
            ] {
                out.key(name).integer(number);
            }
            out.key("prompt_tokens_details")
                .raw(b"{")
                .key("cached_tokens")
                .integer(totals.cached)
                .raw(b"}")
                .key("cost");
            // Pico-dollars, in dollars.
            match totals.unpriced {
                0 => out.decimal(totals.cost, 12),
                _ => out.raw(b"null"),
            };
            out.key("saved").decimal(totals.saved, 12).raw(b"}");
        });
    }

    /// Adds a call that is over to the totals, by the `usage` of its outcome in the input, and frees its place.
    pub(super) fn account(&self, length: usize, id: usize) {
        if let Some(place) = self.0.places.borrow_mut().get_mut(id.wrapping_sub(1)) {
            *place = None;
        }
        // Coming back for the rest of an answer is no call of its own.
        if length == 0 {
            return;
        }
        let (tokens, estimated) = memory::input(length, |usage| {
            (Tokens::read(usage), usage.ends_with(b"\"estimated\":true}"))
        });
        let prices = self.0.settings.prices.as_ref();
        self.0.totals.borrow_mut().add(&tokens, estimated, prices);
    }
}

impl Shared {
    /// Keeps a place under a number until the call is accounted for.
    fn keep(&self, place: Place) -> usize {
        let mut places = self.places.borrow_mut();
        let free = places.iter().position(Option::is_none).unwrap_or(places.len());
        if free == places.len() {
            places.push(None);
        }
        places[free] = Some(place);
        free + 1
    }
}

/// One response on its way.
pub(super) struct Opening {
    shared: Rc<Shared>,
    opening: Result<opening::Opening, Error>,
}

impl Opening {
    /// Takes what came of the last action, and puts out the next, as JSON text both.
    pub(super) fn step(&mut self, length: usize, now: f64, wall: f64, random: f64) {
        let at = Moment { now, wall, random };
        let event = read_event(&memory::input(length, value));
        memory::write(|out| {
            out.raw(b"{");
            match &mut self.opening {
                Ok(opening) => {
                    let action = opening.step(event, at);
                    out.key("told").raw(b"[").raw(&opening.told.bytes).raw(b"]");
                    opening.told.bytes.clear();
                    self.shared.write_action(action, out);
                }
                Err(error) => describe(error, out.key("fail")),
            }
            out.raw(b"}");
        });
    }
}

fn read_event(event: &Value) -> Event {
    let text = |name| event.set(name).and_then(Value::as_str).map(str::to_owned);
    let texts = [text("key"), text("body"), text("failed")];
    if let Some(status) = event.set("status").and_then(Value::as_number) {
        let mut headers = Vec::new();
        for pair in event.set("headers").map(Value::elements).unwrap_or_default() {
            if let [Value::String(name), Value::String(value)] = pair.elements() {
                headers.push((name.clone(), value.clone()));
            }
        }
        return Event::Answered {
            status: status as u16,
            request_id: text("requestId"),
            headers,
        };
    }
    match texts {
        [Some(key), ..] => Event::Key(key),
        [_, Some(body), _] => Event::Body(body),
        [.., Some(reason)] => Event::Failed(reason),
        _ if event.get("timedOut").is_some() => Event::TimedOut,
        _ if event.get("aborted").is_some() => Event::Aborted,
        _ => Event::Due,
    }
}

impl Shared {
    fn write_action(&self, action: Action, out: &mut Writer) {
        match action {
            Action::Key => drop(out.key("key").bool(true)),
            Action::Wait(ms) => drop(out.key("wait").milliseconds(Some(ms))),
            Action::Read(ms) => drop(out.key("read").milliseconds(Some(ms))),
            Action::Send(request) => {
                out.key("send")
                    .raw(b"{")
                    .member("url", &request.url)
                    .member("method", request.method);
                out.key("start").text(request.start.as_deref());
                out.key("timeout").milliseconds(request.timeout.map(|ms| ms.max(0.0)));
                for (key, pairs) in [("query", &request.query), ("headers", &request.headers)] {
                    out.key(key).raw(b"[");
                    for (name, value) in pairs {
                        out.comma().raw(b"[").string(name).raw(b",");
                        out.text(value.as_deref()).raw(b"]");
                    }
                    out.raw(b"]");
                }
                out.raw(b"}");
            }
            Action::Open(options, place) => {
                let id = place.map_or(0, |place| self.keep(place));
                out.key("open").raw(b"{").key("id").integer(id as u64);
                out.key("decoder").raw(b"{");
                write_decoder_options(&options, out);
                out.raw(b"}}");
            }
            Action::Fail(error) => describe(&error, out.key("fail")),
        }
    }
}

/// What `Decoder` takes, as the members of an object.
fn write_decoder_options(options: &stream::Options, out: &mut Writer) {
    out.key("document")
        .bool(options.document)
        .member("reasoning", options.reasoning.name());
    out.member("decoding", if options.strict { "strict" } else { "tolerant" })
        .key("accumulate")
        .bool(options.accumulate);
    if let Some(prices) = &options.prices {
        out.key("prices").raw(b"{");
        for (name, price) in [
            ("input", prices.input),
            ("cachedInput", prices.cached_input),
            ("output", prices.output),
        ] {
            // Millionths of a millionth of a dollar a token are millionths of a dollar for a million of them.
            out.key(name).decimal(price, 6);
        }
        out.raw(b"}");
    }
    out.key("timeouts").raw(b"{");
    let timeouts = &options.timeouts;
    for (name, ms) in [
        ("firstToken", timeouts.first_token),
        ("idle", timeouts.idle),
        ("total", timeouts.total),
    ] {
        if ms.is_some() {
            out.key(name).milliseconds(ms);
        }
    }
    out.raw(b"}")
        .key("started")
        .milliseconds(Some(options.started))
        .key("attempts");
    write_attempts(&options.attempts, out);
    if let Some(request_id) = &options.request_id {
        out.member("requestId", request_id);
    }
}

/// The connection that these options ask for; `None` where a problem leaves no address.
fn connect(options: &Options<'_>) -> Option<Settings> {
    let location = options.text("location");
    let own = options.of("provider");
    let mut provider = read_provider(options)?;
    if let Some(base_url) = options.text("baseURL") {
        provider.move_to(&options.checked(BaseUrl::parse(base_url, location))?);
    }
    if let Some(endpoint) = options.text("endpoint") {
        options.checked(provider.choose_endpoint(endpoint));
    }
    let base = options.checked(BaseUrl::parse(&provider.base_url, location))?;
    if provider.name == "custom" {
        provider.name = own.text("name").unwrap_or(base.host()).to_owned().into();
    }
    if let Some(reasoning) = own.reasoning() {
        provider.reasoning = reasoning;
    }
    read_ranges(&own, &mut provider.ranges);
    let prices = options.prices().or_else(|| own.prices()).or(provider.prices);
    let prices = prices.and_then(|prices| options.all_checked(usage::token_prices(&prices)));
    let key = read_key(&provider, &base, options);
    let headers = options.pairs("defaultHeaders");
    for (name, value) in &headers {
        options.checked(check_header(
            "defaultHeaders",
            name,
            value.as_deref().unwrap_or_default(),
        ));
    }
    let timeout = read_timeout(options);
    options.all_checked(Timeouts::new(timeout, &provider, true));
    let validation = match options.get("validate") {
        None => Validation::Documented,
        Some(Value::Bool(false)) => Validation::Off,
        Some(word) => options.checked(Validation::from_name(word.as_str().unwrap_or_default()))?,
    };
    Some(Settings {
        base,
        key,
        headers,
        query: options.pairs("defaultQuery"),
        max_retries: read_retries(options).unwrap_or(DEFAULT_RETRIES),
        timeout,
        limits: read_limits(options, &provider),
        validation,
        strict: options.strict().unwrap_or(false),
        prices,
        provider,
    })
}

fn read_provider(options: &Options<'_>) -> Option<Provider> {
    let message = match options.get("provider") {
        Some(Value::String(name)) => return options.checked(Provider::named(name)),
        Some(Value::Object(_)) => "must have a baseURL",
        Some(_) => "must be \"electron\", \"electronhub\", \"openai\" or { baseURL }",
        None => "is missing: name one, or give a baseURL",
    };
    let is_own = matches!(options.get("provider"), None | Some(Value::Object(_)));
    let base_url = options
        .of("provider")
        .text("baseURL")
        .or_else(|| options.text("baseURL"))
        .filter(|_| is_own);
    if base_url.is_none() {
        options.wrong("provider", message);
    }
    base_url.map(Provider::custom)
}

/// `ranges: { temperature: [0, 1] }` of a caller's own provider.
fn read_ranges(own: &Options<'_>, ranges: &mut Vec<Range>) {
    let Some(Value::Object(members)) = own.get("ranges") else {
        return;
    };
    for (field, bounds) in members {
        match bounds.elements() {
            [Value::Number(min), Value::Number(max)] if min <= max => {
                ranges.push(Range {
                    field: field.clone(),
                    min: *min,
                    max: *max,
                });
            }
            _ => own.wrong("ranges", "must map a field to [lowest, highest]"),
        }
    }
}

/// The code of what is no problem: the value of the environment variable in its message has to be looked at first.
const WANTS_VARIABLE: &str = "variable";

/// The key of the option `apiKey`: text, `null`, or `true` for a function that gives it.
fn read_key(provider: &Provider, base: &BaseUrl, options: &Options<'_>) -> Key {
    let own_host = is_own_host(base.host());
    let variable = provider.key_variable.filter(|_| own_host);
    let mut key = Key::None;
    match options.any("apiKey") {
        Some(Value::Bool(true)) => key = Key::Asked,
        Some(Value::String(text)) => {
            options.checked(check_key(text));
            key = Key::Value(text.clone());
        }
        Some(Value::Null) => return Key::None,
        Some(_) => {
            options.wrong("apiKey", "must be a string, null, or a function that gives one");
            return key;
        }
        None => match (variable, options.text("env").map(str::trim_ascii)) {
            (None, _) => {}
            (Some(variable), None) => options.note(Problem::refused(WANTS_VARIABLE, &[], variable)),
            (Some(variable), Some("")) => {
                let message = joined(&["is missing: this server needs one (or set ", variable, ")"]);
                options.wrong("apiKey", &message);
            }
            (Some(_), Some(text)) => key = Key::Value(text.to_owned()),
        },
    }
    let is_given = !matches!(key, Key::None);
    if own_host
        && is_given
        && options.flag("page") == Some(true)
        && options.flag("dangerouslyAllowBrowser") != Some(true)
    {
        let message = "apiKey would be readable by every visitor of this page: send requests through a server of yours \
                       (baseURL: \"/v1\"), or set dangerouslyAllowBrowser if you mean it";
        options.note(Problem::refused("key_in_page", &["apiKey"], message));
    }
    key
}

fn read_timeout(options: &Options<'_>) -> TimeoutOption {
    let setting = |value: Option<&Value>| match value {
        None => Setting::Default,
        Some(Value::Bool(false)) => Setting::Off,
        Some(Value::Number(ms)) => Setting::Ms(*ms),
        Some(_) => {
            options.wrong(
                "timeout",
                "must be a number of milliseconds, false, or { headers, firstToken, idle, total }",
            );
            Setting::Default
        }
    };
    match options.get("timeout") {
        Some(Value::Bool(false)) => TimeoutOption::OFF,
        Some(object @ Value::Object(_)) => TimeoutOption {
            headers: setting(object.set("headers")),
            first_token: setting(object.set("firstToken")),
            idle: setting(object.set("idle")),
            total: setting(object.set("total")),
        },
        value => TimeoutOption {
            total: setting(value),
            ..TimeoutOption::default()
        },
    }
}

fn read_limits(options: &Options<'_>, provider: &Provider) -> Option<Limits> {
    match options.get("limits")? {
        Value::Bool(false) => None,
        Value::String(plan) => options.checked(provider.plan(plan)),
        Value::Object(_) => {
            let own = options.of("limits");
            let limits = limits::limits(own.number("requestsPerMinute"), own.number("concurrent"));
            options.all_checked(limits)
        }
        _ => {
            let message = "must be false, \"standard\", \"enterprise\" or { requestsPerMinute, concurrent }";
            options.wrong("limits", message);
            None
        }
    }
}

fn read_retries(options: &Options<'_>) -> Option<u32> {
    let number = options.number("maxRetries")?;
    if !(0.0..=100.0).contains(&number) {
        options.wrong("maxRetries", "must be from 0 to 100");
    }
    Some(number as u32)
}

fn read_call(options: &Options<'_>, body: Option<Value>) -> Call {
    // They are for the decoder, but what is wrong with them is said before anything is sent.
    let _ = options.sentences();
    Call {
        path: options.text("path").unwrap_or_default().to_owned(),
        view: body.map(View::from),
        headers: options.pairs("headers"),
        query: options.pairs("query"),
        max_retries: read_retries(options),
        timeout: read_timeout(options),
        strict: options.strict(),
        discard: options.flag("accumulate") == Some(false),
        stream: options.flag("stream").unwrap_or(false),
        started: options.number("now").unwrap_or(0.0),
        attempts: options.attempts(),
    }
}
