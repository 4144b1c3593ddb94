//! What a JavaScript client holds of the engine: its settings, read once, and the way to open responses with them.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use web_sys::AbortSignal;

use super::descriptor::{describe, parse};
use super::options::{Options, value};
use crate::chat::view::{Value, View};
use crate::client::accounts::Place;
use crate::client::connection::{self, Call, Key, Opened};
use crate::client::host::{self, set};
use crate::json::{Reader, Writer};
use crate::policy::redact::{check_header, check_key};
use crate::policy::timeouts::{Setting, TimeoutOption, Timeouts};
use crate::policy::{Problem, Validation, cost, joined, limits};
use crate::provider::{BaseUrl, Limits, Provider, Range, is_own_host};
use crate::stream::{self, Tokens};

const DEFAULT_RETRIES: u32 = 2;

/// The settings of one client, and what its calls have used so far.
#[wasm_bindgen]
pub struct Connection(Rc<Shared>);

struct Shared {
    connection: Rc<connection::Connection>,
    totals: RefCell<cost::Totals>,
    /// Requests under way that count against a plan's limits, by their number less one.
    places: RefCell<Vec<Option<Place>>>,
}

#[wasm_bindgen]
impl Connection {
    /// A client with the options its user gave, and `page`, `location` and `env` for where it is.
    /// `observer` is called with the name of a hook and JSON text for it.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &JsValue, fetch: Option<Function>, observer: Option<Function>) -> Result<Connection, JsValue> {
        match read_settings(options, fetch, observer) {
            Ok(connection) => Ok(Connection(Rc::new(Shared {
                connection: Rc::new(connection),
                totals: RefCell::default(),
                places: RefCell::default(),
            }))),
            Err(problems) => Err(describe(&problems.into())),
        }
    }

    /// Opens a response: `{ response, decoder, requestId, id }`, or a rejection with a descriptor.
    pub fn open(&self, path: String, body: Option<String>, call: &JsValue, signal: Option<AbortSignal>) -> Promise {
        let shared = Rc::clone(&self.0);
        let call = read_call(path, body, call);
        future_to_promise(async move {
            let opened = match call {
                Ok(call) => Rc::clone(&shared.connection).open(call, signal.clone()).await,
                Err(problems) => Err(problems.into()),
            };
            match opened {
                Ok(opened) => {
                    if let Some(signal) = &signal {
                        host::follow(signal, &opened.controller);
                    }
                    Ok(shared.hand_over(opened))
                }
                Err(error) => Err(describe(&error)),
            }
        })
    }

    /// Whether the provider documents `response_format: json_schema`.
    #[wasm_bindgen(getter, js_name = jsonSchema)]
    pub fn json_schema(&self) -> bool {
        self.0.connection.provider.capabilities.json_schema
    }

    /// JSON text of what all calls have used so far.
    pub fn usage(&self) -> String {
        let totals = self.0.totals.borrow();
        let mut out = Writer::default();
        out.raw(b"{").key("requests").integer(totals.requests);
        out.key("prompt_tokens")
            .integer(totals.prompt)
            .key("completion_tokens")
            .integer(totals.completion);
        out.key("total_tokens")
            .integer(totals.prompt.saturating_add(totals.completion));
        out.key("prompt_tokens_details")
            .raw(b"{")
            .key("cached_tokens")
            .integer(totals.cached)
            .raw(b"}");
        out.key("uncounted")
            .integer(totals.uncounted)
            .key("estimated")
            .integer(totals.estimated);
        out.key("cost");
        if totals.unpriced == 0 {
            out.decimal(totals.cost, 12);
        } else {
            out.raw(b"null");
        }
        out.key("saved").decimal(totals.saved, 12).raw(b"}");
        out.into_string()
    }

    /// Adds a call that is over to the totals, by its outcome, and frees its place.
    pub fn account(&self, outcome: &str, id: u32) {
        if let Some(place) = self.0.places.borrow_mut().get_mut((id as usize).wrapping_sub(1)) {
            *place = None;
        }
        let (tokens, estimated) = outcome_usage(outcome.as_bytes()).unwrap_or_default();
        self.0
            .totals
            .borrow_mut()
            .add(&tokens, estimated, self.0.connection.prices.as_ref());
    }
}

impl Shared {
    fn hand_over(&self, opened: Opened) -> JsValue {
        let id = opened.place.map_or(0, |place| self.keep(place));
        let options = &opened.decoder;
        let mut out = Writer::default();
        out.raw(b"{").key("id").integer(u64::from(id)).key("requestId");
        match &options.request_id {
            Some(request_id) => out.string(request_id),
            None => out.raw(b"null"),
        };
        out.key("decoder").raw(b"{");
        write_decoder_options(options, &mut out);
        out.raw(b"}}");
        let result = parse(&out.into_string());
        set(result.unchecked_ref(), "response", &opened.response);
        result
    }

    /// Keeps a place under a number until the call is accounted for.
    fn keep(&self, place: Place) -> u32 {
        let mut places = self.places.borrow_mut();
        let free = places.iter().position(Option::is_none).unwrap_or(places.len());
        if free == places.len() {
            places.push(None);
        }
        places[free] = Some(place);
        free as u32 + 1
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
    stream::write_attempts(&options.attempts, out);
    if let Some(request_id) = &options.request_id {
        out.member("requestId", request_id);
    }
}

/// Some members of a JavaScript object. Others may be functions, clients, or whatever a caller carries around.
fn members(object: &JsValue, names: &[&str]) -> Value {
    let mut members = Vec::with_capacity(names.len());
    for name in names {
        members.push(((*name).to_owned(), value(member(object, name))));
    }
    Value::Object(members)
}

fn member(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

fn read_settings(
    js: &JsValue,
    fetch: Option<Function>,
    observer: Option<Function>,
) -> Result<connection::Connection, Vec<Problem>> {
    let read = members(
        js,
        &[
            "provider",
            "baseURL",
            "endpoint",
            "defaultHeaders",
            "defaultQuery",
            "maxRetries",
            "timeout",
            "limits",
            "validate",
            "decoding",
            "prices",
            "page",
            "location",
            "dangerouslyAllowBrowser",
        ],
    );
    let problems = RefCell::default();
    let options = Options::new(&read, &problems);
    let connection = connect(js, &options, fetch, observer);
    match (connection, problems.into_inner()) {
        (Some(connection), problems) if problems.is_empty() => Ok(connection),
        (_, problems) => Err(problems),
    }
}

/// The connection that these options ask for; `None` where a problem leaves no address.
fn connect(
    js: &JsValue,
    options: &Options<'_>,
    fetch: Option<Function>,
    observer: Option<Function>,
) -> Option<connection::Connection> {
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
    let prices = prices.and_then(|prices| {
        cost::token_prices(&prices)
            .map_err(|problems| options.note(problems))
            .ok()
    });
    let key = read_key(js, &provider, &base, options);
    let headers = options.pairs("defaultHeaders");
    for (name, value) in &headers {
        options.checked(check_header(
            "defaultHeaders",
            name,
            value.as_deref().unwrap_or_default(),
        ));
    }
    let timeout = read_timeout(options);
    if let Err(problems) = Timeouts::new(timeout, &provider, true) {
        options.note(problems);
    }
    let validation = match options.get("validate") {
        None => Validation::Documented,
        Some(Value::Bool(false)) => Validation::Off,
        Some(word) => options.checked(Validation::from_name(word.as_str().unwrap_or_default()))?,
    };
    Some(connection::Connection {
        base,
        key,
        fetch,
        headers,
        query: options.pairs("defaultQuery"),
        max_retries: read_retries(options).unwrap_or(DEFAULT_RETRIES),
        timeout,
        limits: read_limits(options, &provider),
        validation,
        strict: options.strict().unwrap_or(false),
        prices,
        observer,
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

fn read_key(js: &JsValue, provider: &Provider, base: &BaseUrl, options: &Options<'_>) -> Key {
    let given = member(js, "apiKey");
    let own_host = is_own_host(base.host());
    let mut key = Key::None;
    if let Some(function) = given.dyn_ref::<Function>() {
        key = Key::Function(function.clone());
    } else if let Some(text) = given.as_string() {
        options.checked(check_key(&text));
        key = Key::Value(text);
    } else if given.is_undefined() {
        let variable = provider.key_variable.filter(|_| own_host);
        let set = variable.and_then(|variable| member(&member(js, "env"), variable).as_string());
        if let Some(text) = set.as_deref().map(str::trim_ascii).filter(|text| !text.is_empty()) {
            key = Key::Value(text.to_owned());
        }
    } else if !given.is_null() {
        options.wrong("apiKey", "must be a string, null, or a function that gives one");
        return key;
    }
    if !own_host {
        return key;
    }
    if let Key::None = key {
        if !given.is_null() {
            let variable = provider.key_variable.unwrap_or("null");
            let message = joined(&["is missing: this server needs one (or set ", variable, ")"]);
            options.wrong("apiKey", &message);
        }
    } else if options.flag("page") == Some(true) && options.flag("dangerouslyAllowBrowser") != Some(true) {
        let message = "apiKey would be readable by every visitor of this page: send requests through a server of yours \
                       (baseURL: \"/v1\"), or set dangerouslyAllowBrowser if you mean it";
        options.note([Problem::refused("key_in_page", &["apiKey"], message)]);
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
            limits.map_err(|problems| options.note(problems)).ok()
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

fn read_call(path: String, body: Option<String>, js: &JsValue) -> Result<Call, Vec<Problem>> {
    let read = members(
        js,
        &[
            "headers",
            "query",
            "timeout",
            "maxRetries",
            "decoding",
            "accumulate",
            "stream",
            "now",
            "attempts",
        ],
    );
    let problems = RefCell::default();
    let options = Options::new(&read, &problems);
    let call = Call {
        path,
        view: body.as_deref().map(View::of_body),
        body,
        headers: options.pairs("headers"),
        query: options.pairs("query"),
        max_retries: read_retries(&options),
        timeout: read_timeout(&options),
        strict: options.strict(),
        discard: options.flag("accumulate") == Some(false),
        stream: options.flag("stream").unwrap_or(false),
        started: options.number("now").unwrap_or(0.0),
        attempts: options.attempts(),
        warnings: Vec::new(),
    };
    let problems = problems.into_inner();
    if problems.is_empty() { Ok(call) } else { Err(problems) }
}

/// The tokens in the JSON text of an outcome, and whether they are an estimate.
fn outcome_usage(outcome: &[u8]) -> Option<(Tokens, bool)> {
    let mut reader = Reader::new(outcome);
    let mut first = true;
    reader.object().ok()?;
    while let Some(key) = reader.member(&mut first).ok()? {
        let value = reader.value().ok()?;
        if key == b"usage" {
            return Some((Tokens::read(value), value.ends_with(b"\"estimated\":true}")));
        }
    }
    None
}
