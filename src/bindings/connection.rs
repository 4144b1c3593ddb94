//! What a JavaScript client holds of the engine: its settings, read once, and the way to open responses with them.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use web_sys::AbortSignal;

use super::descriptor::{describe, parse};
use super::options::{Options, value, wrong};
use crate::chat::view::{Value, View};
use crate::client::accounts::Place;
use crate::client::connection::{self, Call, Key, Opened};
use crate::client::host::set;
use crate::error::Error;
use crate::json::{Reader, Writer};
use crate::policy::redact::{check_header, check_key};
use crate::policy::timeouts::{Setting, TimeoutOption, Timeouts};
use crate::policy::{Problem, Validation, cost, limits};
use crate::provider::{BaseUrl, Limits, Prices, Provider, Range, is_own_host};
use crate::stream::{self, Tokens};

const DEFAULT_RETRIES: u32 = 2;

/// The settings of one client, and what its calls have used so far.
#[wasm_bindgen]
pub struct Connection(Rc<Shared>);

struct Shared {
    connection: Rc<connection::Connection>,
    prices: Option<Prices>,
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
        let settings = read_settings(options, fetch).map_err(|error| describe(&error))?;
        let (connection, prices) = settings;
        let connection = connection::Connection { observer, ..connection };
        Ok(Connection(Rc::new(Shared {
            connection: Rc::new(connection),
            prices,
            totals: RefCell::default(),
            places: RefCell::default(),
        })))
    }

    /// Opens a response: `{ response, decoder, requestId, id }`, or a rejection with a descriptor.
    pub fn open(
        &self,
        path: String,
        body: Option<String>,
        call: &JsValue,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let shared = Rc::clone(&self.0);
        let call = read_call(path, body, call);
        future_to_promise(async move {
            let call = call.map_err(|error| describe(&error))?;
            let opened = Rc::clone(&shared.connection).open(call, signal).await.map_err(|error| describe(&error))?;
            Ok(shared.hand_over(opened))
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
        out.key("prompt_tokens").integer(totals.prompt).key("completion_tokens").integer(totals.completion);
        out.key("total_tokens").integer(totals.prompt.saturating_add(totals.completion));
        out.key("prompt_tokens_details").raw(b"{").key("cached_tokens").integer(totals.cached).raw(b"}");
        out.key("uncounted").integer(totals.uncounted).key("estimated").integer(totals.estimated);
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
        self.0.totals.borrow_mut().add(&tokens, estimated, self.0.connection.prices.as_ref());
    }
}

impl Shared {
    fn hand_over(&self, opened: Opened) -> JsValue {
        let id = opened.place.map_or(0, |place| self.keep(place));
        let result = Object::new();
        set(&result, "requestId", &opened.decoder.request_id.as_deref().map_or(JsValue::NULL, JsValue::from_str));
        set(&result, "decoder", &self.decoder_options(&opened.decoder));
        set(&result, "response", &opened.response);
        set(&result, "id", &id.into());
        result.into()
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

    /// What `Decoder` takes, as a plain object.
    fn decoder_options(&self, options: &stream::Options) -> JsValue {
        let object = Object::new();
        set(&object, "document", &options.document.into());
        set(&object, "reasoning", &options.reasoning.name().into());
        set(&object, "decoding", &if options.strict { "strict" } else { "tolerant" }.into());
        set(&object, "accumulate", &options.accumulate.into());
        if let Some(prices) = &self.prices {
            let member = Object::new();
            set(&member, "input", &prices.input.into());
            set(&member, "cachedInput", &prices.cached_input.unwrap_or(prices.input).into());
            set(&member, "output", &prices.output.into());
            set(&object, "prices", &member);
        }
        let timeouts = Object::new();
        for (name, ms) in [
            ("firstToken", options.timeouts.first_token),
            ("idle", options.timeouts.idle),
            ("total", options.timeouts.total),
        ] {
            if let Some(ms) = ms {
                set(&timeouts, name, &ms.into());
            }
        }
        set(&object, "timeouts", &timeouts);
        set(&object, "started", &options.started.into());
        let mut attempts = Writer::default();
        stream::write_attempts(&options.attempts, &mut attempts);
        set(&object, "attempts", &parse(&attempts.into_string()));
        if let Some(id) = &options.request_id {
            set(&object, "requestId", &id.into());
        }
        object.into()
    }
}

/// Some members of a JavaScript object. Others may be functions, clients, or whatever a caller carries around.
fn members(object: &JsValue, names: &[&str]) -> Value {
    let member = |name: &&str| {
        let value_of = Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED);
        ((*name).to_owned(), value(value_of))
    };
    Value::Object(names.iter().map(member).collect())
}

fn read_settings(
    js: &JsValue,
    fetch: Option<Function>,
) -> Result<(connection::Connection, Option<Prices>), Error> {
    let read = members(
        js,
        &[
            "provider", "baseURL", "endpoint", "defaultHeaders", "defaultQuery", "maxRetries", "timeout", "limits",
            "validate", "decoding", "prices", "page", "location", "dangerouslyAllowBrowser",
        ],
    );
    let options = Options(&read);
    let location = options.text("location")?;
    let (mut provider, own) = read_provider(&options)?;
    if let Some(base_url) = options.text("baseURL")? {
        provider = provider.at(base_url, location)?;
    }
    if let Some(endpoint) = options.text("endpoint")? {
        provider = provider.endpoint(endpoint)?;
    }
    let base = BaseUrl::parse(&provider.base_url, location)?;
    if let Some(reasoning) = own.reasoning()? {
        provider.reasoning = reasoning;
    }
    provider.ranges = read_ranges(&own)?;
    let prices = match options.prices()? {
        Some(prices) => Some(prices),
        None => own.prices()?.or(provider.prices),
    };
    let token_prices = prices.as_ref().map(cost::token_prices).transpose()?;
    let key = read_key(js, &provider, &base, &options)?;
    let headers = options.pairs("defaultHeaders")?;
    for (name, value) in &headers {
        check_header("defaultHeaders", name, value.as_deref().unwrap_or_default())?;
    }
    let timeout = read_timeout(&options)?;
    Timeouts::new(timeout, &provider, true)?;
    let limits = read_limits(&options, &provider)?;
    let validation = match options.get("validate") {
        None => Validation::Documented,
        Some(Value::Bool(false)) => Validation::Off,
        Some(word) => Validation::from_name(word.as_str().unwrap_or_default())?,
    };
    let connection = connection::Connection {
        base,
        key,
        fetch,
        headers,
        query: options.pairs("defaultQuery")?,
        max_retries: read_retries(&options)?.unwrap_or(DEFAULT_RETRIES),
        timeout,
        limits,
        validation,
        strict: options.strict()?.unwrap_or(false),
        prices: token_prices,
        observer: None,
        provider,
    };
    Ok((connection, prices))
}

/// The provider, and the object that described it where it is the caller's own.
fn read_provider<'a>(options: &Options<'a>) -> Result<(Provider, Options<'a>), Problem> {
    let nothing = Options(&Value::Null);
    match options.get("provider") {
        Some(Value::String(name)) => Ok((Provider::named(name)?, nothing)),
        Some(object @ Value::Object(_)) => {
            let own = Options(object);
            let base_url = own.text("baseURL")?.or(options.text("baseURL")?);
            match base_url {
                Some(base_url) => Ok((Provider::custom(base_url), own)),
                None => Err(wrong("provider", "must have a baseURL")),
            }
        }
        Some(_) => Err(wrong("provider", "must be \"electron\", \"electronhub\", \"openai\" or { baseURL }")),
        None => match options.text("baseURL")? {
            Some(base_url) => Ok((Provider::custom(base_url), nothing)),
            None => Err(wrong("provider", "is missing: name one, or give a baseURL")),
        },
    }
}

/// `ranges: { temperature: [0, 1] }` of a caller's own provider.
fn read_ranges(own: &Options<'_>) -> Result<Vec<Range>, Problem> {
    let Some(Value::Object(ranges)) = own.get("ranges") else { return Ok(Vec::new()) };
    ranges
        .iter()
        .map(|(field, bounds)| match bounds.elements() {
            [Value::Number(min), Value::Number(max)] if min <= max => {
                Ok(Range { field: field.clone(), min: *min, max: *max })
            }
            _ => Err(wrong("ranges", "must map a field to [lowest, highest]")),
        })
        .collect()
}

fn read_key(js: &JsValue, provider: &Provider, base: &BaseUrl, options: &Options<'_>) -> Result<Key, Problem> {
    let given = Reflect::get(js, &"apiKey".into()).unwrap_or(JsValue::UNDEFINED);
    let own_host = is_own_host(base.host());
    let key = if let Some(function) = given.dyn_ref::<Function>() {
        Key::Function(function.clone())
    } else if let Some(key) = given.as_string() {
        check_key(&key)?;
        Key::Value(key)
    } else if given.is_null() {
        Key::None
    } else if !given.is_undefined() {
        return Err(wrong("apiKey", "must be a string, null, or a function that gives one"));
    } else {
        let variable = provider.key_variable.filter(|_| own_host);
        let env = Reflect::get(js, &"env".into()).unwrap_or(JsValue::UNDEFINED);
        let set = variable.and_then(|variable| Reflect::get(&env, &variable.into()).ok()?.as_string());
        match set.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()) {
            Some(key) => Key::Value(key),
            None => Key::None,
        }
    };
    let has_key = !matches!(key, Key::None);
    if own_host && !has_key && !given.is_null() {
        let hint = provider.key_variable.map_or(String::new(), |variable| [" (or set ", variable, ")"].concat());
        return Err(wrong("apiKey", &["is missing: this server needs one", &hint].concat()));
    }
    let in_page = options.flag("page")?.unwrap_or(false);
    if own_host && has_key && in_page && !options.flag("dangerouslyAllowBrowser")?.unwrap_or(false) {
        let message = "would be readable by every visitor of this page: send requests through a server of yours \
                       (baseURL: \"/v1\"), or set dangerouslyAllowBrowser if you mean it";
        return Err(Problem::refused("key_in_page", &["apiKey"], ["apiKey ", message].concat()));
    }
    Ok(key)
}

fn read_timeout(options: &Options<'_>) -> Result<TimeoutOption, Problem> {
    let setting = |value: Option<&Value>| match value {
        None => Ok(Setting::Default),
        Some(Value::Bool(false)) => Ok(Setting::Off),
        Some(Value::Number(ms)) => Ok(Setting::Ms(*ms)),
        Some(_) => Err(wrong("timeout", "must be a number of milliseconds, false, or { headers, firstToken, idle, total }")),
    };
    match options.get("timeout") {
        Some(Value::Bool(false)) => Ok(TimeoutOption::OFF),
        Some(object @ Value::Object(_)) => Ok(TimeoutOption {
            headers: setting(object.set("headers"))?,
            first_token: setting(object.set("firstToken"))?,
            idle: setting(object.set("idle"))?,
            total: setting(object.set("total"))?,
        }),
        value => Ok(TimeoutOption { total: setting(value)?, ..TimeoutOption::default() }),
    }
}

fn read_limits(options: &Options<'_>, provider: &Provider) -> Result<Option<Limits>, Error> {
    match options.get("limits") {
        None | Some(Value::Bool(false)) => Ok(None),
        Some(Value::String(plan)) => Ok(Some(provider.plan(plan)?)),
        Some(object @ Value::Object(_)) => {
            let own = Options(object);
            Ok(Some(limits::limits(own.number("requestsPerMinute")?, own.number("concurrent")?)?))
        }
        Some(_) => {
            Err(wrong("limits", "must be false, \"standard\", \"enterprise\" or { requestsPerMinute, concurrent }").into())
        }
    }
}

fn read_retries(options: &Options<'_>) -> Result<Option<u32>, Problem> {
    match options.number("maxRetries")? {
        Some(number) if !(0.0..=100.0).contains(&number) => Err(wrong("maxRetries", "must be from 0 to 100")),
        number => Ok(number.map(|number| number as u32)),
    }
}

fn read_call(path: String, body: Option<String>, js: &JsValue) -> Result<Call, Error> {
    let read = members(
        js,
        &["headers", "query", "timeout", "maxRetries", "decoding", "accumulate", "stream", "now", "attempts"],
    );
    let options = Options(&read);
    Ok(Call {
        path,
        view: body.as_deref().map(View::of_body),
        body,
        headers: options.pairs("headers")?,
        query: options.pairs("query")?,
        max_retries: read_retries(&options)?,
        timeout: read_timeout(&options)?,
        strict: options.strict()?,
        discard: options.flag("accumulate")? == Some(false),
        stream: options.flag("stream")?.unwrap_or(false),
        started: options.number("now")?.unwrap_or(0.0),
        attempts: options.attempts(),
    })
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

